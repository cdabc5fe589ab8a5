"""What a click on the Front page costs the server, and how long it takes when a class clicks, without and with a training.

    python benchmarks/load.py [--sessions 30] [--seconds 40] [--only with|without]

Sessions are websocket clients that speak Streamlit's protocol: each opens the page, then selects a
random point of the front every few seconds. Printed are milliseconds from sending the click to the end
of the script run that answers it, and the processor time of the server's process per click. Server and clients
share this machine, so waiting times are pessimistic; processor time hardly depends on what else runs.
Goals, on two idle cores: 25 ms of processor time a click, p95 of 30 sessions at most 120 ms.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from benchmarks.protocol import Visitor, processor_ms
from core.seeding import stream
from tests.e2e.browser import running_server

_THINK_SECONDS = 4.0
# The server loads torch some seconds after its first visitor; that happens once, before a class has arrived.
_SETTLE_SECONDS = 8.0
_LONGEST_SETTLE = 120.0
_IDLE_MS = 60.0


class Session(Visitor):
    """A visitor of the Front page who selects points of the front."""

    def __init__(self, address: str, number: int) -> None:
        super().__init__(address)
        self.rng = stream(0, "visitor", number)
        self.points: list[str] = []

    async def click(self) -> float:
        """Select a random point of the front; milliseconds until the page has answered."""
        _, chart, fragment = self.widgets["front-chart"]
        self.points = next(
            (trace["customdata"] for trace in json.loads(chart.spec)["data"] if trace["name"] == "front"),
            self.points,
        )
        arch_id = self.points[int(self.rng.integers(len(self.points)))]
        selection = {"points": [{"customdata": arch_id}], "point_indices": [0], "box": [], "lasso": []}
        message = self.message(fragment)
        state = message.rerun_script.widget_states.widgets.add()
        state.id, state.string_value = chart.id, json.dumps({"selection": selection})
        return await self.rerun(message, "click")


async def visit(session: Session, seconds: float) -> list[float]:
    """Milliseconds of each click."""
    found = []
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        await asyncio.sleep(float(session.rng.exponential(_THINK_SECONDS)))
        found.append(await session.click())
    return found


async def settle(pid: int) -> None:
    """Wait until the server has loaded torch and does nothing for two seconds."""
    started = time.monotonic()
    await asyncio.sleep(_SETTLE_SECONDS)
    while time.monotonic() < started + _LONGEST_SETTLE:
        used = processor_ms(pid)
        await asyncio.sleep(2)
        if processor_ms(pid) - used < _IDLE_MS:
            return


async def measure(address: str, pid: int, sessions: int, seconds: float) -> None:
    """Print opening and click times, and what a click costs."""
    visitors = [Session(address, n) for n in range(sessions)]
    first = await visitors[0].open()
    opened = await asyncio.gather(*(v.open() for v in visitors[1:]))
    await settle(pid)
    used = processor_ms(pid)
    clicks = [ms for each in await asyncio.gather(*(visit(v, seconds) for v in visitors)) for ms in each]
    used = processor_ms(pid) - used
    p50, p95, p99 = np.percentile(clicks, [50, 95, 99])
    print(
        f"  first visitor {first:.0f} ms, the others all at once: median {statistics.median(opened or [first]):.0f} ms"
    )
    print(
        f"  {len(clicks)} clicks of {sessions} sessions: p50 {p50:.0f} ms, p95 {p95:.0f} ms, p99 {p99:.0f} ms; "
        f"{used / len(clicks):.1f} ms of processor time each; load average {os.getloadavg()[0]:.1f}"
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
    parser.add_argument("--only", choices=["with", "without"])
    options = parser.parse_args()
    for training in ("without", "with"):
        if options.only in (None, training):
            print(f"{training} a training:")
            one_class(options.sessions, options.seconds, training == "with")


@contextmanager
def packed(home: Path) -> Iterator[None]:
    """Scripts packed as `make run` does at setup: else the server does it once while the class clicks."""
    environment = {**os.environ, "PARETOSCOPE_HOME": str(home)}
    subprocess.run(
        [sys.executable, "-m", "pages.ui.packed"], env=environment, check=True, capture_output=True
    )
    yield


def one_class(sessions: int, seconds: float, training: bool) -> None:
    """A fresh server and its visitors."""
    with (
        tempfile.TemporaryDirectory() as folder,
        packed(Path(folder)),
        running_server(Path(folder)) as address,
    ):
        manager = start_training(Path(folder)) if training else None
        try:
            asyncio.run(measure(address, int((Path(folder) / "server.pid").read_text()), sessions, seconds))
        finally:
            if manager is not None:
                manager.close()
                manager.store.close()


if __name__ == "__main__":
    main()
