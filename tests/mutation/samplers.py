"""Faults in how subnets and samples are drawn."""

from __future__ import annotations

from tests.mutation.fault import Fault

_BALANCING, _FAIR = "core/training/balancing.py", ("tests/training/test_fair.py",)
_BIGNAS, _IN_BIGNAS = "core/training/strategies/bignas.py", ("tests/training/test_bignas.py",)
_ATTENTIVE, _IN_ATTENTIVE = "core/training/strategies/attentive.py", ("tests/training/test_attentive.py",)
_IN_BATCH = ("tests/training/test_balanced_batch.py",)
_PA_DA, _IN_PA_DA = "core/training/strategies/pa_da.py", ("tests/training/test_pa_da.py",)
_DROPPED = ("tests/supernets/test_drop_path.py",)

FAULTS = [
    Fault(
        "Fair sampling draws options instead of taking turns",
        _BALANCING,
        "rng.permutation(turns[index][at])",
        "rng.choice(turns[index], len(at))",
        _FAIR,
    ),
    Fault(
        "Fair sampling counts choices that do not matter",
        _BALANCING,
        "counts[index] = len(where)",
        "counts[index] = paths",
        _FAIR,
    ),
    Fault(
        "Fair sampling keeps cells that compute nothing",
        _BALANCING,
        "if all(space.computes(row) for row in rows.tolist()):",
        "if any(space.computes(row) for row in rows.tolist()):",
        _FAIR,
    ),
    Fault(
        "A fair group begins anew with each epoch",
        "core/training/strategies/fair.py",
        "divmod(self.taken, self.group(session.space))",
        "divmod(session.step, self.group(session.space))",
        _FAIR,
    ),
    Fault(
        "The others are dropped too",
        _BIGNAS,
        "*(Draw(arch, DISTILLED) for arch in others)",
        "*(Draw(arch, DISTILLED, drop_path=self.config.drop_path) for arch in others)",
        _IN_BIGNAS,
    ),
    Fault(
        "The largest learns from hard labels",
        _BIGNAS,
        'settings={"smoothing": self.smoothing}',
        'settings={"smoothing": 0.0}',
        _IN_BIGNAS,
    ),
    Fault(
        "Every branch is dropped equally often",
        "core/supernets/drop_path.py",
        "keep = 1 - arch.drop * share",
        "keep = 1 - arch.drop",
        _DROPPED,
    ),
    Fault(
        "What is left is not scaled up",
        "core/supernets/drop_path.py",
        "mask = drawn.to(x.device, x.dtype).div_(keep)",
        "mask = drawn.to(x.device, x.dtype)",
        _DROPPED,
    ),
    Fault(
        "Attentive sampling takes the other one",
        _ATTENTIVE,
        'np.argmin(losses) if self.config.prefer == "best"',
        'np.argmax(losses) if self.config.prefer == "best"',
        _IN_ATTENTIVE,
    ),
    Fault(
        "Attentive candidates of any cost",
        _ATTENTIVE,
        "== target if len(rows)",
        ">= 0 if len(rows)",
        _IN_ATTENTIVE,
    ),
    Fault(
        "Parts of a batch add up instead of being averaged",
        "core/training/supernet_session.py",
        "self.backward(loss * draw.passes) / draw.passes",
        "self.backward(loss)",
        _IN_BATCH,
    ),
    Fault(
        "The smallest options come in first",
        "core/training/balancing.py",
        "tuple(range(n - active, n))",
        "tuple(range(active))",
        _IN_BATCH,
    ),
    Fault(
        "Every part trains on the first",
        "core/training/strategies/balanced_batch.py",
        "part=(index, parts)",
        "part=(0, parts)",
        _IN_BATCH,
    ),
    Fault(
        "An operation is credited the weights of a whole cell",
        _PA_DA,
        "if choice.ordinal or len(options) != 1 or",
        "if choice.ordinal or len(options) == 0 or",
        _IN_PA_DA,
    ),
    Fault(
        "Gradients are not divided by who took the operation",
        _PA_DA,
        "+ total / len(takers)) / 2",
        "+ total) / 2",
        _IN_PA_DA,
    ),
    Fault(
        "Chances keep no equal part",
        _PA_DA,
        "tau * followed + (1 - tau) * equal(exists)",
        "followed",
        _IN_PA_DA,
    ),
    Fault(
        "Samples are drawn without repeats",
        _PA_DA,
        "rng.choice(n, size=n, p=chances)",
        "rng.choice(n, size=n, p=chances, replace=False)",
        _IN_PA_DA,
    ),
]
