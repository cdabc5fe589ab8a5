"""A real server and a real Chromium for the few things only they can show."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PATIENCE_MS = 60_000


QUIET = [
    "--server.headless",
    "true",
    "--browser.gatherUsageStats",
    "false",
    "--server.fileWatcherType",
    "none",
]


@contextmanager
def running_server(home: Path, script: Path = ROOT / "app.py", **settings: str) -> Iterator[str]:
    """A fresh server with its own home on a free port; yields its address.

    Args:
        home: for the store, `server.log` and `server.pid`.
        script: another page than the app's, for comparison.
        settings: further ones in its environment.
    """
    environment = {**os.environ, "PARETOSCOPE_HOME": str(home), "OMP_NUM_THREADS": "1"}
    environment.pop("PARETOSCOPE_DATABASE_URL", None)
    environment |= settings
    server, address = _start(home, script, environment)
    try:
        yield address
    finally:
        server.terminate()
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _start(home: Path, script: Path, environment: dict[str, str]) -> tuple[subprocess.Popen[bytes], str]:
    """The process and its address, once it answers. A port that another took meanwhile is tried anew."""
    for _ in range(3):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        command = [sys.executable, "-m", "streamlit", "run", str(script), "--server.port", str(port)]
        with (home / "server.log").open("wb") as log:
            server = subprocess.Popen(
                [*command, "--server.address", "127.0.0.1", *QUIET],
                cwd=script.parent,
                env=environment,
                stdout=log,
                stderr=log,
            )
        if _answers(server, address := f"http://127.0.0.1:{port}"):
            (home / "server.pid").write_text(str(server.pid))
            return server, address
        if server.poll() is None:
            server.kill()
        server.wait()
    raise AssertionError((home / "server.log").read_text())


def _answers(server: subprocess.Popen[bytes], address: str) -> bool:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and server.poll() is None:
        try:
            urllib.request.urlopen(f"{address}/_stcore/health", timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return True
    return False


POINT = """
([trace, index]) => {
  const plot = document.querySelector('.st-key-front-chart .js-plotly-plot');
  const data = plot._fullData.find(t => t.name === trace);
  const box = plot.querySelector('.nsewdrag').getBoundingClientRect();
  const at = index < 0 ? data.x.length + index : index;
  const layout = plot._fullLayout;
  return {
    x: box.left + layout.xaxis.d2p(data.x[at]),
    y: box.top + layout.yaxis.d2p(data.y[at]),
    id: data.customdata[at],
  };
}
"""
"""Where a point of the front's chart stands on the screen, and its id."""
