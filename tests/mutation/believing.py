"""Faults in what says whether to believe a supernet: the ranking check, and tuning beside training from scratch."""

from __future__ import annotations

from tests.mutation.fault import Fault

_VIEW, _IN_VIEW = "core/views/ranking.py", ("tests/views/test_ranking.py",)
_CHECK, _IN_CHECK = "core/library/ranking_check.py", ("tests/workflows/test_check_ranking.py",)
_TUNE, _IN_TUNE = "core/workflows/tune_subnet.py", ("tests/workflows/test_tune_subnet.py",)
_TUNING, _IN_TUNING = "core/views/tuning.py", ("tests/views/test_tuning.py",)

FAULTS = [
    Fault(
        "A seed judges a mean that holds itself",
        _VIEW,
        "others = np.delete(test, at, axis=1).mean(axis=1)\n        for",
        "others = test.mean(axis=1)\n        for",
        _IN_VIEW,
    ),
    Fault(
        "The ceiling judges by the test samples it is judged on",
        _VIEW,
        "for judge in (validation[:, at], inside):",
        "for judge in (test[:, at], inside):",
        _IN_VIEW,
    ),
    Fault(
        "Near the front is far from it",
        _VIEW,
        "np.asarray(gap <= (np.median(gap)",
        "np.asarray(gap >= (np.median(gap)",
        _IN_VIEW,
    ),
    Fault(
        "Chance is called an order",
        _VIEW,
        "above = tau.low > 0",
        "above = (tau.value or 0) > 0",
        _IN_VIEW,
    ),
    Fault(
        "The difference from the ceiling is read off two intervals",
        _VIEW,
        "middle(supernet - one),",
        "(middle(supernet)[0] - middle(one)[1], middle(supernet)[1] - middle(one)[0]),",
        _IN_VIEW,
    ),
    Fault(
        "Regret of the worst subnet",
        _VIEW,
        "pick, best = int(np.argmax(inside[at])), int(np.argmax(truth))",
        "pick, best = int(np.argmin(inside[at])), int(np.argmax(truth))",
        _IN_VIEW,
    ),
    Fault(
        "Dearer subnets count for the front at a cost",
        _CHECK,
        'side="right") - 1',
        'side="right")',
        _IN_CHECK,
    ),
    Fault(
        "Networks of other settings count as trained already",
        _CHECK,
        "if alone.record.sha256 == entry.sha256 and _same(alone.record, config):",
        "if alone.record.sha256 == entry.sha256:",
        ("tests/library/test_ranking_check.py",),
    ),
    Fault(
        "Checks of other settings count as trained already",
        _CHECK,
        "if kept.record.learns == key:",
        "if True:",
        ("tests/library/test_ranking_check.py",),
    ),
    Fault(
        "Tuning starts from scratch",
        _TUNE,
        'if start == "tuned" else fresh_like(subnet, seed)',
        'if start == "neither" else fresh_like(subnet, seed)',
        _IN_TUNE,
    ),
    Fault(
        "The tuned network is chosen by test samples",
        _TUNING,
        "max(tuned, key=lambda net: net.accuracy)",
        "max(tuned, key=lambda net: net.test_accuracy)",
        _IN_TUNING,
    ),
    Fault(
        "A teacher that learns is imitated instead of the labels",
        "core/training/plain.py",
        "loss = (loss + soft_cross_entropy(outputs, wanted)) / 2",
        "loss = soft_cross_entropy(outputs, wanted)",
        _IN_TUNE,
    ),
]
