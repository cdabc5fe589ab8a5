"""How long a click on the Front page takes when a class uses it while a training runs.

    python benchmarks/load.py [--sessions 30] [--seconds 40] [--no-training]

Sessions are websocket clients that speak Streamlit's protocol: each opens the page, then selects a
random point of the front every few seconds. Printed are milliseconds from sending the click to the end
of the script run that answers it. Server and clients share this machine, so figures are pessimistic.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import websockets
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

from core.seeding import stream
from tests.e2e.browser import running_server

_THINK_SECONDS = 4.0
# The server loads torch some seconds after its first visitor; that happens once, before a class has arrived.
_SETTLE_SECONDS = 12.0


class Session:
    """One visitor of the Front page."""

    def __init__(self, address: str, number: int) -> None:
        self.url = address.replace("http", "ws") + "/_stcore/stream"
        self.rng = stream(0, "visitor", number)
        self.chart = ""
        self.ids: list[str] = []
        self.page = ""

    async def open(self) -> float:
        self.socket = await websockets.connect(self.url, max_size=None, ping_interval=None)
        return await self._rerun(BackMsg())

    async def click(self) -> float:
        message = BackMsg()
        state = message.rerun_script.widget_states.widgets.add()
        state.id = self.chart
        arch_id = self.ids[int(self.rng.integers(len(self.ids)))]
        selection = {"points": [{"customdata": arch_id}], "point_indices": [0], "box": [], "lasso": []}
        state.string_value = json.dumps({"selection": selection})
        message.rerun_script.page_script_hash = self.page
        return await self._rerun(message)

    async def _rerun(self, message: BackMsg) -> float:
        message.rerun_script.SetInParent()
        started = time.perf_counter()
        await self.socket.send(message.SerializeToString())
        while True:
            answer = ForwardMsg()
            answer.ParseFromString(await self.socket.recv())
            kind = answer.WhichOneof("type")
            if kind == "new_session":
                self.page = answer.new_session.page_script_hash
            elif kind == "delta" and answer.delta.new_element.WhichOneof("type") == "plotly_chart":
                self._read(answer.delta.new_element.plotly_chart)
            elif kind == "script_finished":
                return 1000 * (time.perf_counter() - started)

    def _read(self, chart: Any) -> None:
        if "front-chart" in chart.id:
            self.chart = chart.id
            for trace in json.loads(chart.spec)["data"]:
                if trace["name"] == "front":
                    self.ids = trace["customdata"]


async def visit(session: Session, seconds: float) -> list[float]:
    """Milliseconds of each click."""
    found = []
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        await asyncio.sleep(float(session.rng.exponential(_THINK_SECONDS)))
        found.append(await session.click())
    return found


async def measure(address: str, sessions: int, seconds: float) -> None:
    """Print opening and click times."""
    visitors = [Session(address, n) for n in range(sessions)]
    first = await visitors[0].open()
    opened = await asyncio.gather(*(v.open() for v in visitors[1:]))
    await asyncio.sleep(_SETTLE_SECONDS)
    clicks = [ms for each in await asyncio.gather(*(visit(v, seconds) for v in visitors)) for ms in each]
    p50, p95, p99 = np.percentile(clicks, [50, 95, 99])
    print(
        f"first visitor {first:.0f} ms, the others all at once: median {statistics.median(opened or [first]):.0f} ms"
    )
    print(
        f"{len(clicks)} clicks of {sessions} sessions: p50 {p50:.0f} ms, p95 {p95:.0f} ms, p99 {p99:.0f} ms"
    )


def start_training(home: Path) -> Any:
    """A training that outlasts the measurement, run by a job manager of this process."""
    from core.jobs import JobManager
    from core.store import RunStore
    from core.workflows import train_supernet

    manager = JobManager(RunStore(f"sqlite:///{home / 'paretoscope.db'}", home))
    request = train_supernet.preset_request("digits-cnn")
    request["training"]["epochs"] = 2000
    manager.submit("train_supernet", request, title="load", seed=0)
    return manager


def main() -> None:
    """Start a server, a training and the visitors."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sessions", type=int, default=30)
    parser.add_argument("--seconds", type=float, default=40)
    parser.add_argument("--no-training", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, running_server(Path(folder)) as address:
        manager = None if options.no_training else start_training(Path(folder))
        try:
            asyncio.run(measure(address, options.sessions, options.seconds))
        finally:
            if manager is not None:
                manager.close()
                manager.store.close()


if __name__ == "__main__":
    main()
