"""Faults in what is said of chance."""

from __future__ import annotations

from tests.mutation.fault import Fault

_INTERVALS, _IN_INTERVALS = "core/chance/intervals.py", ("tests/chance/test_intervals.py",)
_RESAMPLING, _IN_RESAMPLING = "core/chance/resampling.py", ("tests/chance/test_resampling.py",)
_SHRINKAGE, _IN_SHRINKAGE = "core/chance/shrinkage.py", ("tests/chance/test_shrinkage.py",)
_CREDIBLE, _IN_CREDIBLE = "core/chance/credible.py", ("tests/chance/test_credible.py",)
_BITS = "core/chance/bits.py"

FAULTS = [
    Fault(
        "Wald's interval instead of Wilson's",
        _INTERVALS,
        "center = (share + z2 / (2 * n)) / (1 + z2 / n)",
        "center = share",
        _IN_INTERVALS,
    ),
    Fault(
        "an interval of one side's level on both sides",
        _INTERVALS,
        "NormalDist().inv_cdf((1 + level) / 2)",
        "NormalDist().inv_cdf(level)",
        _IN_INTERVALS,
    ),
    Fault(
        "the exact p instead of the mid-p",
        _INTERVALS,
        "mid = 1.0 - 0.5 * here if only_a == only_b else exact - here",
        "mid = exact",
        _IN_INTERVALS,
    ),
    Fault(
        "paired samples taken as unpaired",
        _INTERVALS,
        "math.sqrt((up + down - (up - down) ** 2) / (n + 2))",
        "math.sqrt((up + down - (up - down) ** 2) / (4 * n))",
        _IN_INTERVALS,
    ),
    Fault(
        "of equal costs the later ones are beaten by equals",
        _RESAMPLING,
        "member = values[which[into], place] == best[which[into], group[into]]",
        "member = place == starts[group][into]",
        _IN_RESAMPLING,
    ),
    Fault(
        "an equal but dearer subnet is on the front",
        _RESAMPLING,
        "np.greater(best[:, 1:], so_far[:, :-1], out=better[:, 1:])",
        "np.greater_equal(best[:, 1:], so_far[:, :-1], out=better[:, 1:])",
        _IN_RESAMPLING,
    ),
    Fault(
        "samples that all get right are forgotten in the counts",
        _RESAMPLING,
        "correct = counts[which, at] + shift[first : first + _AT_ONCE][which]",
        "correct = counts[which, at]",
        _IN_RESAMPLING,
    ),
    Fault(
        "all that options do not explain is taken for real",
        _SHRINKAGE,
        "return np.clip(share, 0.0, 1.0)[group]",
        "return np.ones(n)",
        _IN_SHRINKAGE,
    ),
    Fault(
        "halves that share samples agree on noise, too",
        _SHRINKAGE,
        "halves[order[n_samples // 2 : 2 * (n_samples // 2)], 2 * index + 1] = 1",
        "halves[order[: n_samples // 2], 2 * index + 1] = 1",
        _IN_SHRINKAGE,
    ),
    Fault(
        "new samples without what is not known of the subnets",
        "core/chance/renewed.py",
        "drawn = known.correct[:, None] + fresh + explained + np.sqrt(known.real)[:, None] * (before - explained)",
        "drawn = known.correct[:, None] + fresh",
        _IN_SHRINKAGE,
    ),
    Fault(
        "new samples around the lucky accuracies",
        "core/chance/renewed.py",
        "values = np.rint(drawn[order])",
        "values = np.rint((drawn - known.correct[:, None] + told.sum(axis=1)[:, None])[order])",
        _IN_SHRINKAGE,
    ),
    Fault(
        "what to expect forgets that other samples vary as well",
        "core/chance/optimism.py",
        "1 / (1 / n + 1 / new), level=level",
        "n, level=level",
        _IN_SHRINKAGE,
    ),
    Fault(
        "every step that goes up is a sure one",
        _CREDIBLE,
        "and self.test(a, b).p < alpha",
        "and alpha > 0",
        _IN_CREDIBLE,
    ),
    Fault(
        "a step is held against the cheapest instead of the last one",
        _CREDIBLE,
        "if members.better(index, steps[-1], alpha):",
        "if members.better(index, steps[0], alpha):",
        _IN_CREDIBLE,
    ),
    Fault(
        "bits of another table are taken",
        _BITS,
        'if about["format"] != FORMAT or (table_sha256 and about["table_sha256"] != table_sha256):',
        'if about["format"] != FORMAT:',
        ("tests/chance/test_bits.py", "tests/library/test_chance.py"),
    ),
    Fault(
        "bits that are not the table's accuracies are taken",
        "core/library/correct.py",
        "            split in shares",
        "            split not in ('validation', 'test')",
        ("tests/library/test_chance.py",),
    ),
    Fault(
        "bits of rows measured before an interruption are lost",
        "core/workflows/evaluate_table.py",
        "kept[left[indices]] = found[bits_column(name)]",
        "kept[indices] = found[bits_column(name)]",
        ("tests/search/test_table_workflow.py",),
    ),
    Fault(
        "a limit on the axes decides who competes",
        "core/library/chance.py",
        "if limit.objective not in pair)",
        "if limit.objective)",
        ("tests/library/test_chance.py",),
    ),
]
"""Every fault."""
