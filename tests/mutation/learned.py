"""Faults in predictors, proxies and Bayesian optimization; see `tests.mutation.faults`."""

from __future__ import annotations

from tests.mutation.fault import Fault

_PROXIES = ("tests/contracts/test_proxies.py",)
_PRIOR_FITTED, _IN_PRIOR_FITTED = "core/predictors/prior_fitted", ("tests/predictors/test_prior_fitted.py",)
_JUDGING = ("tests/workflows/test_judge_predictors.py",)
_SCORING = ("tests/workflows/test_score_proxies.py",)
_KENDALL = ("tests/predictors/test_diff_kendall.py",)
_BAYESIAN = ("tests/search/test_bayesian.py",)

FAULTS = [
    Fault(
        "proxies work on the network itself",
        "core/proxies/copies.py",
        "made = copy.deepcopy(net).double()",
        "made = net.double()",
        _PROXIES,
    ),
    Fault(
        "a network that sees nothing gets a number",
        "core/proxies/copies.py",
        "return bool((answers == answers[:1]).all())",
        "return False",
        _PROXIES,
    ),
    Fault(
        "proxies normalize by statistics instead of the batch",
        "core/proxies/copies.py",
        ".double().train()",
        ".double().eval()",
        _PROXIES,
    ),
    Fault(
        "SynFlow keeps BatchNorm",
        "core/proxies/synflow.py",
        "norm.running_var.fill_(1 - norm.eps)",
        "norm.running_var.fill_(4.0)",
        _PROXIES,
    ),
    Fault("GraSP with the sign of pruning", "core/proxies/grasp.py", "-float((w", "float((w", _PROXIES),
    Fault(
        "Fisher squares before it sums over positions",
        "core/proxies/fisher.py",
        "by_sample.square().mean(0).sum()",
        "by_sample.mean(0).square().sum()",
        _PROXIES,
    ),
    Fault(
        "NASWOT counts what leads nowhere",
        "core/proxies/naswot.py",
        "if gradient is not None:",
        "if True:",
        _PROXIES,
    ),
    Fault(
        "DiffKendall compares guesses with guesses",
        "core/predictors/diff_kendall.py",
        "for each in (a, b))",
        "for each in (a, a))",
        _KENDALL,
    ),
    Fault(
        "a fold is guessed by a fit that saw it",
        "core/predictors/judging.py",
        "predictor.fit(rows[~out], values[~out],",
        "predictor.fit(rows, values,",
        _JUDGING,
    ),
    Fault(
        "intervals are taken from one side",
        "core/predictors/judging.py",
        "inv_cdf((1 + level) / 2)",
        "inv_cdf(level)",
        _JUDGING,
    ),
    Fault(
        "rows that are asked for see each other",
        f"{_PRIOR_FITTED}/network.py",
        "scores = q @ k[:, :, :n].transpose(-1, -2)",
        "scores = q @ k[:, :, -n:].transpose(-1, -2)",
        _IN_PRIOR_FITTED,
    ),
    Fault(
        "a tail is as wide as its bar",
        f"{_PRIOR_FITTED}/bars.py",
        "middle[0] = borders[1] - low * math.sqrt(2 / math.pi)",
        "middle[0] = borders[0]",
        _IN_PRIOR_FITTED,
    ),
    Fault(
        "differences of proxies are not paired",
        "core/views/proxies.py",
        "draws[row.name] - draws[best]",
        "draws[row.name] - draws[best][::-1]",
        _SCORING,
    ),
    Fault(
        "what should be small counts as large",
        "core/views/proxies.py",
        "if objective(record.objective).maximize else -1.0",
        "if objective(record.objective).maximize else 1.0",
        _SCORING,
    ),
    Fault(
        "a batch of Bayesian optimization believes nothing",
        "core/search/bayesian.py",
        "            improvement.believe(best)\n",
        "",
        _BAYESIAN,
    ),
]
