"""Faults in the comparison of trainings: its ledger, its budgets, its test, its words."""

from __future__ import annotations

from tests.mutation.fault import Fault

_RUN, _IN_RUN = "core/workflows/compare_trainings.py", ("tests/workflows/test_compare_trainings.py",)
_VIEW, _IN_VIEW = "core/views/trainings_compared.py", ("tests/views/test_trainings_compared.py",)
_VERDICT = "core/views/trainings_verdict.py"
_WENT = "core/views/trainings_watched.py"
_SEEDS, _IN_SEEDS = "core/chance/few_seeds.py", ("tests/chance/test_few_seeds.py",)
_BUDGET, _IN_BUDGET = "core/training/budget.py", ("tests/training/test_budget.py",)
_CONFLICT, _IN_CONFLICT = "core/training/gradient_conflict.py", ("tests/training/test_gradient_conflict.py",)
_ROWS, _IN_ROWS = "core/library/part_rows.py", ("tests/library/test_part_rows.py",)

FAULTS = [
    Fault(
        "Numbers of one training are those of another",
        _ROWS,
        "index * self.stride + step",
        "step",
        _IN_ROWS,
    ),
    Fault(
        "A half-done comparison of an earlier release begins its training anew",
        _RUN,
        "        earlier=numbered,\n",
        '        earlier=lambda data: (-1, b""),\n',
        _IN_RUN,
    ),
    Fault(
        "A comparison in processes forgets the order of its trainings",
        _RUN,
        "trainings = sorted((*self.record.trainings, this), key=lambda each: each.index)",
        "trainings = (this, *self.record.trainings)",
        _IN_RUN,
    ),
    Fault(
        "A training elsewhere has no share of what it has done before",
        _RUN,
        "        done=sum(each.work for each in parts if each.index in done),\n",
        "",
        _IN_RUN,
    ),
    Fault(
        "Nodes of a graph arrive as samples",
        "core/datasets/packed.py",
        'n: _SPLITS[s["of"]](',
        "n: Split(",
        ("tests/datasets/test_packed.py",),
    ),
    Fault(
        "Every training of a comparison has the first seed",
        "core/library/comparisons.py",
        "return index % len(self.methods), self.seeds[index // len(self.methods)]",
        "return index % len(self.methods), self.seeds[0]",
        _IN_RUN,
    ),
    Fault(
        "A method does not train with what belongs to it",
        _RUN,
        "        **own.training,\n",
        "",
        _IN_RUN,
    ),
    Fault(
        "Looking at gradients leaves gradients behind",
        _CONFLICT,
        "found = torch.autograd.grad(loss, flat, allow_unused=True)",
        "loss.backward(); found = [p.grad for p in flat]",
        _IN_CONFLICT,
    ),
    Fault(
        "Weights that only one of two subnets moves count as agreement",
        _CONFLICT,
        "both = (a != 0) & (b != 0)",
        "both = (a != 0) | (b != 0)",
        _IN_CONFLICT,
    ),
    Fault(
        "Equal passes are equal epochs",
        _BUDGET,
        'own = epochs if equal == "steps" else epochs_within(phases, first)',
        "own = epochs",
        _IN_BUDGET,
    ),
    Fault(
        "A phase is given no room for its one epoch",
        _BUDGET,
        "first = max(len(phases), int(guess) - room)",
        "first = max(len(phases), int(guess))",
        _IN_BUDGET,
    ),
    Fault(
        "Five seeds have as many degrees of freedom",
        _SEEDS,
        "return _beyond(abs(mean) / error, n - 1)",
        "return _beyond(abs(mean) / error, min(n, 4))",
        _IN_SEEDS,
    ),
    Fault(
        "Questions are corrected one by one",
        _SEEDS,
        "corrected = iter(holm(raw))",
        "corrected = iter(raw)",
        _IN_SEEDS,
    ),
    Fault(
        "Two seeds have a verdict",
        _VERDICT,
        "    if n < FEWEST:\n",
        "    if n < 1:\n",
        _IN_VIEW,
    ),
    Fault(
        "A class is judged by all subnets",
        _VIEW,
        "own[each.seed] = float((values if rows is None else values[rows]).mean())",
        "own[each.seed] = float(values.mean())",
        _IN_VIEW,
    ),
    Fault(
        "Whoever is behind is told apart",
        _VIEW,
        "pair is not None and pair.differs and lead > 0",
        "pair is not None and lead > 0",
        _IN_VIEW,
    ),
    Fault(
        "Two methods are compared over seeds they do not share",
        _VIEW,
        "taus = [_tau(one, others[one.seed]) for one in left if one.seed in others]",
        "taus = [_tau(one, other) for one in left for other in right]",
        _IN_VIEW,
    ),
    Fault(
        "Draws are counts, not shares of their epoch",
        _WENT,
        "shares = np.where(totals > 0, counts / totals, np.nan).mean(axis=0)",
        "shares = counts.mean(axis=0)",
        _IN_VIEW,
    ),
]
