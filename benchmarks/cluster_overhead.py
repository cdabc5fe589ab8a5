"""What a shard costs besides its work, measured on real executors; prints one line of JSON. Run by benchmarks/cluster.py.

In a network of its own with two Ray nodes of one core where Ray is installed and such a network is allowed, else with two processes.
Shards of digits-cnn go over them: what lies between two of them on one core is the overhead. Then many shards of one
architecture: what the driver computes for each.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

os.environ["OMP_NUM_THREADS"] = "1"
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.cluster.network import leave_for_own_network

_TINY = 500


@contextmanager
def place() -> Iterator[str]:
    """What the shards run on; the environment names it."""
    missing = "" if find_spec("ray") else "Ray is not installed (make setup-cluster)"
    missing = missing or leave_for_own_network()
    if missing:
        yield f"two processes of this machine, because {missing}"
        return
    from tests.cluster.ray_nodes import ray_cluster

    with (
        tempfile.TemporaryDirectory(prefix="ray-", dir="/tmp") as folder,
        ray_cluster(Path(folder), 2) as cluster,
    ):
        os.environ.update({k: v for k, v in cluster.environment.items() if k.startswith("RAY_")})
        os.environ["PARETOSCOPE_RAY_ADDRESS"] = cluster.address
        yield "two Ray nodes of one core on this machine"


def measured(where: str) -> dict[str, object]:
    """Everything that is printed."""
    import numpy as np

    from core.evaluation.costs import CostTable
    from core.evaluation.shard import FUNCTION, load_arrays, shared_bytes
    from core.evaluation.shards import cut
    from core.executors import Call
    from core.executors.choosing import chosen
    from core.library import supernets
    from core.tasks.base import evaluation_data

    entry = supernets.find(None, "digits-cnn")
    net, data = supernets.load(entry), evaluation_data(supernets.dataset(entry))
    names = ("accuracy", "test_accuracy")
    rows = np.asarray(net.space.array())
    shards = cut(net, CostTable.of(net), rows, len(data.targets), cores=8)
    opening = time.perf_counter()
    with chosen(processes=2).opened(shared_bytes(net, data, names, keep_bits=False)) as session:
        opened = time.perf_counter() - opening
        ended: dict[str, float] = {}
        overhead, first = [], []
        calls = (Call(f"shard {at}", FUNCTION, rows[s].tobytes()) for at, s in enumerate(shards))
        began = time.perf_counter()
        for done in session.run(calls):
            if done is None:
                continue
            now = time.perf_counter()
            between = now - ended.get(done.node, began) - done.seconds
            (overhead if done.node in ended else first).append(between)
            ended[done.node] = now
        # Each one architecture: little but overhead, so that the driver has no rest.
        before, small = _threads(), b""
        tiny = (Call(f"tiny {at}", FUNCTION, rows[at].tobytes()) for at in range(_TINY))
        for done in session.run(tiny):
            small = done.value if done is not None else small
        after = _threads()
        spent = sorted(seconds - before.get(thread, 0.0) for thread, seconds in after.items())
        me = f"{os.getpid()} {os.getpid()}"
        own = after[me] - before[me]
        one = [Call("large", FUNCTION, rows[shards[0]].tobytes())]
        (large,) = [done.value for done in session.run(one) if done is not None]
    return {
        "where": where,
        "overhead": overhead,
        "first": first,
        "opened": opened,
        "cutting_thread": own / _TINY,
        "busiest_thread": spent[-1] / _TINY,
        "all_threads": sum(spent) / _TINY,
        "per_result": _per_result(load_arrays, small, large, len(shards[0])),
    }


def _per_result(load: object, small: bytes, large: bytes, rows: int) -> float:
    """Seconds of the driver for each further architecture in a result: read, and put into a table."""
    import numpy as np

    table = {name: np.empty(rows) for name in ("accuracy", "test_accuracy")}

    def taken(value: bytes) -> float:
        best = np.inf
        for _ in range(20):
            began = time.perf_counter()
            found = load(value)  # type: ignore[operator]
            indices = found.pop("indices").tolist()
            for name, column in table.items():
                column[indices] = found[name]
            best = min(best, time.perf_counter() - began)
        return best

    return max(taken(large) - taken(small), 0.0) / (rows - 1)


def _threads() -> dict[str, float]:
    """Computing seconds so far of each thread of this process, and of its child that speaks with a cluster."""
    ticks = os.sysconf("SC_CLK_TCK")
    found = {}
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    for pid in [str(os.getpid()), *children]:
        if pid in children and b"core.executors.ray_link" not in Path(f"/proc/{pid}/cmdline").read_bytes():
            continue
        for thread in Path(f"/proc/{pid}/task").iterdir():
            times = thread.joinpath("stat").read_text().rpartition(")")[2].split()
            found[f"{pid} {thread.name}"] = (int(times[11]) + int(times[12])) / ticks
    return found


if __name__ == "__main__":
    with place() as where:
        print(json.dumps(measured(where)), flush=True)
