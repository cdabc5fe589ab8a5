"""What earlier searches of the same supernet measured, for a search that starts from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from core.config import JsonObject
from core.errors import InvalidInput, NotFound
from core.library.gathered import MEASURING
from core.library.measuring import DataChoice, counted_columns
from core.library.supernets import SupernetEntry
from core.records import Measurement, Obtained, Source
from core.spaces import Arch

if TYPE_CHECKING:
    from core.library.library import Library

EARLIER = Obtained(Source.MEASURED, "earlier run")
"""How a number was obtained that an earlier search measured."""


def earlier_measurements(
    library: Library,
    entry: SupernetEntry,
    run_ids: Sequence[str],
    names: Sequence[str],
    data: DataChoice | None,
) -> list[Measurement]:
    """Every architecture that earlier searches measured in all of some objectives, each once, in their order.

    Args:
        library: where the runs are.
        entry: the supernet; only searches of the very same weights count.
        run_ids: searches in any state.
        names: objectives that must be known. Counted ones are counted where a search did not ask for them; guesses
            do not count.
        data: what is measured on; only searches on the same count.

    Raises:
        NotFound: there is no such run.
        InvalidInput: a run is no search of this supernet on these data, or none of them holds anything of use.
    """
    store = library.require_store()
    found: dict[Arch, Measurement] = {}
    for run_id in run_ids:
        run = store.get_run(run_id)
        _require_same(library, entry, run.kind, run.params, run_id, data)
        measured = [m for _, m in store.ledger(run_id).measurements()]
        for measurement in _complete(entry, measured, names):
            found.setdefault(measurement.arch, measurement)
    if not found:
        raise InvalidInput(
            "The earlier search has not measured any architecture in all objectives and bounds of this one; "
            "choose another to start from, or none."
        )
    return list(found.values())


def _require_same(
    library: Library,
    entry: SupernetEntry,
    kind: str,
    params: JsonObject,
    run_id: str,
    data: DataChoice | None,
) -> None:
    if kind not in MEASURING:
        raise InvalidInput(f"Run {run_id[:8]} is not a search; start from a search of this supernet.")
    try:
        other = library.supernet(str(params.get("supernet")))
    except NotFound as error:
        raise InvalidInput(f"The supernet that run {run_id[:8]} searched is not here any more.") from error
    if other.sha256 != entry.sha256:
        raise InvalidInput(
            f"Run {run_id[:8]} searched another supernet; its numbers do not hold for this one."
        )
    theirs = params.get("data")
    if (DataChoice.model_validate(theirs) if theirs else None) != data:
        raise InvalidInput(f"Run {run_id[:8]} measured on other data; its numbers do not hold for these.")


def _complete(
    entry: SupernetEntry, measured: Sequence[Measurement], names: Sequence[str]
) -> list[Measurement]:
    rows = np.array([m.arch for m in measured], np.uint8).reshape(len(measured), -1)
    counted = counted_columns(entry, rows, names) if measured else {}
    whole = []
    for index, m in enumerate(measured):
        added = {n: float(column[index]) for n, column in counted.items() if n not in m.values}
        values: Mapping[str, float] = {**m.values, **added}
        if m.may_stand(names) and all(np.isfinite(values.get(name, np.nan)) for name in names):
            how = {name: m.how(name) for name in names} | dict.fromkeys(added, Obtained(Source.COUNTED))
            told = {n: EARLIER if o == Obtained(Source.MEASURED) else o for n, o in how.items()}
            whole.append(Measurement(m.arch, {name: values[name] for name in names}, told))
    return whole
