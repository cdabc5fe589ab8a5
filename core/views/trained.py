"""Networks of a supernet's architectures that were trained on their own, as points beside its front.

A point is the mean over the seeds of one setting. It says how it was trained, for it is no subnet with shared weights: it
stands on no front of the supernet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from core.errors import CoreError
from core.library import supernets
from core.library.alone import MEASURED, list_alone
from core.library.supernets import SupernetEntry
from core.library.tuned import list_tuned
from core.objectives.base import FromCosts, names_of
from core.words import count_of

if TYPE_CHECKING:
    import pandas as pd

    from core.store import RunStore


def trained_points(store: RunStore | None, entry: SupernetEntry) -> pd.DataFrame:
    """What was tuned, trained from scratch beside it, and trained alone.

    Columns: `arch_id`, `title` (which, how, how long, n), the accuracies as means over seeds, and the counted objectives.
    """
    import pandas as pd

    groups: dict[tuple[str, str, int, float], dict[int, dict[str, float]]] = {}
    for net in list_tuned(store, entry.supernet_id):
        if net.supernet_sha256 == entry.sha256:
            taught = ", with a teacher" if net.teacher else ""
            how = "tuned" if net.start == "tuned" else "from scratch"
            key = (net.arch_id, f"{how}{taught}", net.epochs, net.learning_rate)
            groups.setdefault(key, {}).setdefault(net.seed, dict(net.numbers))
    for one in list_alone(store, entry.supernet_id):
        if one.sha256 == entry.sha256:
            key = (one.arch_id, "trained alone", one.epochs, one.learning_rate)
            groups.setdefault(key, {}).setdefault(one.seed, dict(one.numbers))
    lines = []
    for (arch_id, how, epochs, _), seeds in groups.items():
        means = {name: float(np.mean([values[name] for values in seeds.values()])) for name in MEASURED}
        told = f"{arch_id} {how}, {count_of(epochs, 'epoch')} (n = {len(seeds)})"
        lines.append({"arch_id": arch_id, "title": told, **means})
    found = pd.DataFrame(lines, columns=["arch_id", "title", *MEASURED])
    return found.assign(**_counted(entry, found["arch_id"].tolist())) if len(found) else found


def _counted(entry: SupernetEntry, arch_ids: list[str]) -> dict[str, np.ndarray]:
    rows, found = entry.space.from_ids(arch_ids), {}
    for name in names_of(FromCosts):
        try:
            found[name] = supernets.counted(entry, rows, name).astype(float)
        except CoreError:  # this family does not count it
            continue
    return found
