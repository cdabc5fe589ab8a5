"""Faults in work that is spread: what comes back twice, is lost, goes on after it should have ended, or is not what it was."""

from __future__ import annotations

from tests.mutation.fault import Fault

_SESSION, _IN_SESSION = "core/executors/session.py", ("tests/executors/test_session.py",)
_NODES, _IN_NODES = "core/executors/cluster_nodes.py", ("tests/executors/test_cluster_nodes.py",)
_HERE, _PROCESSES = "core/executors/here.py", "core/executors/processes.py"
_CONTRACT = ("tests/contracts/test_executors.py",)
_WALK, _IN_WALK = "core/evaluation/spread_walk.py", ("tests/evaluation/test_spread_walk.py",)
_SHARD = "core/evaluation/shard.py"

FAULTS = [
    Fault(
        "a session returns a key twice",
        _SESSION,
        "        del run.running[event.ticket]\n        if isinstance(event, Finished):",
        "        if not isinstance(event, Finished):\n            del run.running[event.ticket]\n        else:",
        _IN_SESSION,
    ),
    Fault(
        "what was lost begins anew, without its checkpoint",
        _SESSION,
        "            start.call = replace(call, checkpoint=event.checkpoint)\n",
        "",
        _IN_SESSION,
    ),
    Fault(
        "calls are taken before there is room",
        _SESSION,
        "while len(run.running) < self.slots:",
        "while len(run.running) <= self.slots:",
        _IN_SESSION,
    ),
    Fault(
        "closing a run leaves its calls running",
        _SESSION,
        "            if run.running:\n                self._backend.stop()",
        "            pass",
        _IN_SESSION,
    ),
    Fault(
        "a call that kills its process is tried for ever",
        _SESSION,
        "if start.losses >= MOST_LOSSES:",
        "if start.losses < 0:",
        _IN_SESSION,
    ),
    Fault(
        "an executor ignores closing",
        _HERE,
        "        self._cancelled.set()\n        if thread is None:",
        "        if thread is not None or thread is None:",
        _CONTRACT,
    ),
    Fault(
        "processes that are busy go on when a run is closed",
        _PROCESSES,
        "        self._end([worker for worker in self._workers if worker.ticket is not None])",
        "        self._workers = [worker for worker in self._workers if worker.ticket is None]",
        _CONTRACT,
    ),
    Fault(
        "any function of Python can be called",
        "core/executors/calling.py",
        "    if not own or ROOT not in",
        "    if function is None or Path() in",
        _CONTRACT,
    ),
    Fault(
        "a process goes on without its driver",
        "core/executors/process_worker.py",
        "    os._exit(GONE_STATUS)",
        "    time.sleep(0)",
        ("tests/executors/test_choosing.py",),
    ),
    Fault(
        "a node with other code computes",
        _NODES,
        "        elif known.node.code != self._code:\n            self.refuse(identity)",
        "        elif not known.node.code:\n            self.refuse(identity)",
        _IN_NODES,
    ),
    Fault(
        "a node with another torch computes",
        _NODES,
        "if known.node.torch != self._torch:",
        "if not self._torch:",
        _IN_NODES,
    ),
    Fault(
        "calls go to the fullest node",
        _NODES,
        "each[1].node.cores - each[1].running,",
        "each[1].running - each[1].node.cores,",
        _IN_NODES,
    ),
    Fault(
        "values of a shard are given to the rows in order",
        _WALK,
        'indices = shard[values.pop("indices")]',
        'indices = shard[np.sort(values.pop("indices"))]',
        _IN_WALK,
    ),
    Fault(
        "which samples were right is not said by shards",
        _SHARD,
        'keep_bits=told["keep_bits"])',
        "keep_bits=False)",
        _IN_WALK,
    ),
    Fault(
        "a shard on another device is taken for the same",
        "core/device.py",
        "if (here := chosen_device().identity) != identity:",
        "if (here := chosen_device().identity) is None:",
        _IN_WALK,
    ),
    Fault(
        "shards that never came back are not missed",
        _WALK,
        "    if left:\n",
        "    if left < 0:\n",
        _IN_WALK,
    ),
    Fault(
        "what was measured is forgotten when who measures goes away",
        "core/workflows/evaluate_table.py",
        "except (GeneratorExit, CoreError):",
        "except GeneratorExit:",
        ("tests/search/test_table_workflow.py",),
    ),
]
