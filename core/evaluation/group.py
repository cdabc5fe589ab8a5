"""A few architectures measured as one call of an executor: what a search asks for together."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from core.errors import Cancelled
from core.records import Measurement, Obtained
from core.spaces import Arch

if TYPE_CHECKING:
    from core.executors.calls import Desk

FUNCTION = "core.evaluation.group:measure"


def payload(archs: Sequence[Arch], names: Sequence[str], *, keep: int = 0) -> bytes:
    """What `measure` is told.

    Args:
        archs: different architectures; those that begin alike are cheapest together.
        names: objectives that the evaluator measures.
        keep: most bytes of activations that stay from one call to the next where it runs.
    """
    return json.dumps(
        {"archs": [list(map(int, a)) for a in archs], "names": list(names), "keep": keep}
    ).encode()


def measure(payload: bytes, desk: Desk) -> bytes:
    """Measure with the supernet and the samples that are shared; what `measurements` reads."""
    from core.evaluation.carried import arrived
    from core.evaluation.evaluator import evaluate

    asked = json.loads(payload)
    here = arrived(desk.shared, keep=asked["keep"])
    found = []
    for each in evaluate(here.supernet, asked["archs"], asked["names"], here.data, here.kept):
        if desk.cancelled:
            raise Cancelled("Cancelled.")
        obtained = {name: str(how) for name, how in each.obtained.items()}
        found.append({"arch": list(each.arch), "values": dict(each.values), "obtained": obtained})
    return json.dumps(found).encode()


def measurements(value: bytes) -> list[Measurement]:
    """What a call measured; without which samples were right."""
    return [
        Measurement(
            tuple(each["arch"]),
            each["values"],
            {name: Obtained.parse(how) for name, how in each["obtained"].items()},
        )
        for each in json.loads(value)
    ]
