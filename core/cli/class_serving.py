"""`class serve`: one command that makes this laptop the server of the class in the room."""

from __future__ import annotations

import io
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
import webbrowser
from contextlib import closing, suppress
from pathlib import Path
from typing import Annotated

import typer

from core.errors import InvalidInput

_ROOT = Path(__file__).resolve().parents[2]
_OWN = "127.0.0.1"
# Reserved for documentation, so nobody has it: the system only says which interface it would take, and sends nothing.
_ELSEWHERE = ("192.0.2.1", 9)
_START_SECONDS = 60.0
_PAGE = "classroom"


def serve(
    port: Annotated[int, typer.Option(min=1024, max=65535, help="Where the server listens.")] = 8501,
    address: Annotated[
        str, typer.Option(help="This machine's address in the room; found by itself if left out.")
    ] = "",
    browser: Annotated[bool, typer.Option(help="Open the Class page here, for the projector.")] = True,
) -> None:
    """Start a server that others in the room reach; prints its address and a QR code. Ctrl-C ends it, and nothing is lost."""
    here = address or local_address()
    _require_free(here, port)
    link = f"http://{here}:{port}/{_PAGE}"
    print(invitation(link, alone=here == _OWN))
    server = subprocess.Popen(
        [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)],
        cwd=_ROOT,
        env=environment(here),
    )
    signal.signal(signal.SIGTERM, lambda *_: server.terminate())
    if browser:
        threading.Thread(
            target=_open, args=(f"http://{here}:{port}", server), name="browser", daemon=True
        ).start()
    try:
        status = server.wait()
    except KeyboardInterrupt:  # the server has heard it, too
        with suppress(KeyboardInterrupt):
            server.wait()
        print("\nThe class server has ended. Start it again, and everything is there as it was.")
        return
    if status not in (0, -signal.SIGTERM):
        raise typer.Exit(1)


def local_address() -> str:
    """This machine's address on the local network; that of this machine alone where there is no network."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as probe:
        try:
            probe.connect(_ELSEWHERE)
            return str(probe.getsockname()[0])
        except OSError:
            return _OWN


def environment(address: str) -> dict[str, str]:
    """What the server must find in its environment: it listens there alone, and knows that it is shared."""
    named = os.environ.get("PARETOSCOPE_ALLOWED_HOSTS", "")
    return {
        **os.environ,
        "STREAMLIT_SERVER_ADDRESS": address,
        "PARETOSCOPE_ALLOWED_HOSTS": f"{named} {address}".strip(),
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1"),
    }


def invitation(link: str, *, alone: bool = False) -> str:
    """What is printed: the address, the same as a QR code, and what to do."""
    import segno

    picture = io.StringIO()
    segno.make(link, error="m", micro=False).terminal(out=picture, border=2, compact=True)
    said = (
        "There is no network here, so only this machine reaches it."
        if alone
        else "Everybody on the same network opens it. If a phone does not reach it: is it on the same Wi-Fi, and does this "
        "machine's firewall let the port in?"
    )
    return (
        f"{picture.getvalue()}\n  {link}\n\n{said}\nOpen it yourself and press New class; students type the code it "
        "shows. Nothing is fetched from the internet. Ctrl-C ends the server."
    )


def _require_free(address: str, port: int) -> None:
    with closing(socket.socket()) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            raise InvalidInput(
                f"Nothing can listen at {address}:{port} ({error.strerror}): is it this machine's address, and is no "
                "other server there? --port takes another port, --address another address."
            ) from error


def _open(server_address: str, server: subprocess.Popen[bytes]) -> None:
    """Open the Class page here as a projector shows it, once the server answers."""
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        with suppress(OSError):
            urllib.request.urlopen(f"{server_address}/_stcore/health", timeout=2).close()
            with suppress(webbrowser.Error):
                webbrowser.open(f"{server_address}/{_PAGE}?projector=1")
            return
        time.sleep(0.3)
