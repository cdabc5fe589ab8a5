"""Measure one subnet, now: a quick question that a page may ask in its own process."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from core.cache import kept
from core.errors import InvalidInput
from core.library import supernets
from core.library.supernets import SupernetEntry
from core.objectives.base import FromFiles, names_of, objective, quick_names
from core.records import Measurement
from core.runtime import heavy_imports
from core.spaces import Arch

if TYPE_CHECKING:
    from core.tasks.base import EvaluationData


def evaluate_subnet(entry: SupernetEntry, arch: Arch, names: Sequence[str] | None = None) -> Measurement:
    """Objectives of one subnet: calibrated, run once over validation and test samples. Loads torch.

    Args:
        entry: of which supernet.
        arch: the subnet.
        names: objectives; all that need no measurement of their own if left out.

    Raises:
        DataUnavailable: the supernet's data set is not here.
        InvalidInput: the architecture is outside the space, or the objective needs a timed measurement.
    """
    heavy_imports()
    from core.evaluation.evaluator import evaluate

    wanted = quick_names(entry.task) if names is None else names
    if slow := names_of(FromFiles, wanted):
        raise InvalidInput(
            f"{objective(slow[0]).label} takes a measurement of its own; ask for it separately."
        )
    return next(evaluate(supernets.load(entry), [arch], wanted, _data(entry)))


@kept(2, key=lambda entry: entry.sha256)
def _data(entry: SupernetEntry) -> EvaluationData:
    from core.tasks.base import evaluation_data

    return evaluation_data(supernets.dataset(entry))
