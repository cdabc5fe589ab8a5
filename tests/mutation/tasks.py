"""Faults in searches in flight and in work in parts: told twice, lost on the way, begun anew where it stood further."""

from __future__ import annotations

from tests.mutation.fault import Fault

_FLIGHT, _IN_FLIGHT = "core/library/search_in_flight.py", ("tests/search/test_search_in_flight.py",)
_PARTS, _IN_PARTS = "core/library/parts.py", ("tests/library/test_parts.py",)

FAULTS = [
    Fault(
        "an answer that comes twice is told twice",
        _FLIGHT,
        "if answer is not None and answer[0] in flight.waiting:",
        "if answer is not None:",
        _IN_FLIGHT,
    ),
    Fault(
        "a resumed search asks one question at a time where several were on their way",
        _FLIGHT,
        "        for step in range(len(stored)):\n            self._ask_as_written()",
        "        for step in range(len(stored)):\n            self._ask(Width(1), False)",
        _IN_FLIGHT,
    ),
    Fault(
        "what was on its way is forgotten when a search is resumed",
        _FLIGHT,
        "        self.ask(width)\n\n    # --- asking",
        "        self.waiting.clear()\n        self._queue.clear()\n        self.ask(width)\n\n    # --- asking",
        _IN_FLIGHT,
    ),
    Fault(
        "how many were on their way is not written down",
        _FLIGHT,
        "            _keep_widths(self.ledger, self._widths, self.limits.fraction(self._done, self._budget, 0.0))\n",
        "",
        _IN_FLIGHT,
    ),
    Fault(
        "a climb waits for what chance filled in",
        "core/search/local_search.py",
        "                    found += by_chance\n",
        "                    found += by_chance\n                    self._waiting.update(by_chance)\n",
        ("tests/contracts/test_algorithms.py",),
    ),
    Fault(
        "a part that is started again ignores its checkpoint",
        _PARTS,
        "ledger = PartLedger(desk.checkpoint, hand)",
        "ledger = PartLedger(None, hand)",
        _IN_PARTS,
    ),
    Fault(
        "a resumed run begins its parts anew",
        _PARTS,
        "        checkpoint = self._checkpoints.get(index)\n",
        "        checkpoint = None\n",
        _IN_PARTS,
    ),
    Fault(
        "a part that goes on has lost the numbers of its first epochs",
        _PARTS,
        "            for index, rows in places.parts(ledger.metrics()).items()\n",
        "            for index, rows in dict[int, list[Metrics]]().items()\n",
        ("tests/workflows/test_compare_trainings.py",),
    ),
    Fault(
        "the checkpoint of one part is kept, not of all at work",
        _PARTS,
        "for index, data in sorted(self._checkpoints.items())}",
        "for index, data in sorted(self._checkpoints.items())[:1]}",
        _IN_PARTS,
    ),
    Fault(
        "a checkpoint that came too soon after another is never written",
        _PARTS,
        "                    run.keep_all(now=False)\n",
        "",
        _IN_PARTS,
    ),
    Fault(
        "the numbers of a finished part are not written down",
        _PARTS,
        '        self._log(index, about["rows"])\n        self._over(index)\n        files',
        "        self._over(index)\n        files",
        _IN_PARTS,
    ),
]
