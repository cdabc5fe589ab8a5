"""Faults of the closer look at the front; see `tests.mutation.faults`."""

from __future__ import annotations

from tests.mutation.fault import Fault

_IMPORTANCE, _IN_IMPORTANCE = "core/spaces/importance.py", ("tests/spaces/test_importance.py",)
_THIRD, _IN_THIRD = "core/views/third_objective.py", ("tests/views/test_third_objective.py",)
_PARALLEL, _IN_PARALLEL = "core/views/parallel.py", ("tests/views/test_parallel.py",)
_SEVERAL, _IN_SEVERAL = "core/views/several_fronts.py", ("tests/views/test_several_fronts.py",)
_DRAWN, _IN_DRAWN = "core/plots/third_objective.py", ("tests/plots/test_closer_figures.py",)
_PAGES = ("tests/pages/test_closer_look.py",)

FAULTS = [
    Fault(
        "importance counts every architecture once, however many settings mean it",
        _IMPORTANCE,
        "np.where(space.active(rows), 1 / options, 1.0)",
        "np.where(space.active(rows), 1 / options, 1 / options)",
        _IN_IMPORTANCE,
    ),
    Fault(
        "a choice that does not matter takes its first option",
        _IMPORTANCE,
        "found[~matters, starts[index] : starts[index] + options] = 1 / options",
        "pass",
        _IN_IMPORTANCE,
    ),
    Fault(
        "interactions keep the main effects",
        _IMPORTANCE,
        "- alone[first][:, None] - alone[second][None, :]",
        "- 0 * (alone[first][:, None] + alone[second][None, :])",
        _IN_IMPORTANCE,
    ),
    Fault(
        "importance of an incomplete table",
        _IMPORTANCE,
        "complete = len(np.unique(as_bytes)) == len(rows)",
        "complete = True",
        _IN_IMPORTANCE,
    ),
    Fault(
        "subnets that tie on two objectives are lost under a limit",
        _THIRD,
        "rows = _with_ties(values, on_all)",
        "rows = np.flatnonzero(on_all)",
        _IN_THIRD,
    ),
    Fault(
        "predicted values stand on limited fronts",
        _THIRD,
        "np.where(standing(table, names)[:, None], values, np.nan)",
        "np.where(True, values, np.nan)",
        _IN_THIRD,
    ),
    Fault(
        "a box ignores the limit",
        _THIRD,
        "if limit != fronts.loosest:",
        "if False:",
        _IN_THIRD,
    ),
    Fault(
        "a lasso is its bounding box",
        "core/views/regions.py",
        "found ^= crosses &",
        "found |= crosses &",
        _IN_THIRD,
    ),
    Fault(
        "less is drawn as better",
        _PARALLEL,
        "return share if maximize else 1 - share",
        "return share",
        _IN_PARALLEL,
    ),
    Fault(
        "a range in a link cuts off its ends",
        "core/views/brushes.py",
        "step if down else step",
        "0 if down else 0",
        _IN_PARALLEL,
    ),
    Fault(
        "different search spaces are matched by letters",
        _SEVERAL,
        "matched = len({e.space.fingerprint for e, _ in tables}) == 1",
        "matched = True",
        _IN_SEVERAL,
    ),
    Fault(
        "pairs tied in both are counted twice",
        "core/rank_correlation.py",
        "same = pairs - tied_a - tied_b + tied_both - opposite",
        "same = pairs - tied_a - tied_b - opposite",
        ("tests/test_rank_correlation.py",),
    ),
    Fault(
        "the slider keeps numbers of selected points",
        _DRAWN,
        '{"selectedpoints": [None]}',
        "{}",
        _IN_DRAWN,
    ),
    Fault(
        "what lies at the limit is faint",
        _DRAWN,
        "edge - 1e-5 if self.third.maximize else edge + 1e-5",
        "edge + 1e-5 if self.third.maximize else edge - 1e-5",
        _IN_DRAWN,
    ),
    Fault(
        "a click forgets where the slider stands",
        "pages/ui/third_chart.py",
        "limit.clicked(limits[numbers[0]])",
        "pass",
        _PAGES,
    ),
    Fault(
        "a subnet of another supernet is selected on this one",
        "pages/ui/front/several.py",
        'beside == "supernets" and series == supernet_id',
        'beside == "supernets"',
        _PAGES,
    ),
    Fault(
        "a full basket takes the rest without a word",
        "core/store/baskets.py",
        "if len(there) + len(new) > MOST_NETWORKS:",
        "if False:",
        ("tests/store/test_baskets.py",),
    ),
]
