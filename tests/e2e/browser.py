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
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
PATIENCE_MS = 60_000


@contextmanager
def running_server(home: Path) -> Iterator[str]:
    """A fresh server with its own home on a free port; yields its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, "PARETOSCOPE_HOME": str(home), "OMP_NUM_THREADS": "1"}
    environment.pop("PARETOSCOPE_DATABASE_URL", None)
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)]
    with (home / "server.log").open("wb") as log:
        server = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(f"{address}/_stcore/health", timeout=1).close()
                break
            except OSError:
                if time.monotonic() > deadline or server.poll() is not None:
                    raise AssertionError((home / "server.log").read_text()) from None
                time.sleep(0.1)
        yield address
    finally:
        server.terminate()
        try:
            server.wait(10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


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
