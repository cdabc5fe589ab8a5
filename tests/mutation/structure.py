"""Faults in ensembles of paths, in pruning while training, and in attacks."""

from __future__ import annotations

from tests.mutation.fault import Fault

_STAGES, _ENSEMBLE = "core/supernets/path_stages.py", ("tests/supernets/test_path_ensemble.py",)
_NEAS, _IN_NEAS = "core/training/strategies/neas.py", ("tests/training/test_neas.py",)
_TICKETS, _IN_TICKETS = "core/training/strategies/super_tickets.py", ("tests/training/test_super_tickets.py",)
_ADVERSARIAL = "core/training/strategies/adversarial_images.py"
_IN_ADVERSARIAL = ("tests/training/test_adversarial.py",)
_NETWORKS, _EXTRACTED = "core/evaluation/by_network.py", ("tests/objectives/test_extracted.py",)
_ROBUST, _IN_ROBUST = "core/views/robustness.py", ("tests/views/test_robustness.py",)

FAULTS = [
    Fault(
        "The trunk's gradient is the paths' sum",
        _STAGES,
        "return gradients[0] / ctx.by, None",
        "return gradients[0], None",
        _IN_NEAS,
    ),
    Fault(
        "Paths are averaged before the softmax",
        _STAGES,
        "return logits.log_softmax(2).logsumexp(1) - math.log(self.paths)",
        "return logits.mean(1).log_softmax(1)",
        _ENSEMBLE,
    ),
    Fault(
        "The pair that loses least is dropped",
        _NEAS,
        "scores = _ranks(-losses)",
        "scores = _ranks(losses)",
        _IN_NEAS,
    ),
    Fault(
        "Alike paths are kept first",
        _NEAS,
        "self.config.diversity * _ranks(apart)",
        "self.config.diversity * _ranks(-apart)",
        _IN_NEAS,
    ),
    Fault(
        "Combinations are dropped again at every step",
        _NEAS,
        "            self.shrunk = wanted\n",
        "            pass\n",
        _IN_NEAS,
    ),
    Fault(
        "Momentum brings pruned weights back",
        _TICKETS,
        "        session.update()\n        self.apply(session.net)\n",
        "        session.update()\n",
        _IN_TICKETS,
    ),
    Fault(
        "Weights grow again after the last event",
        _TICKETS,
        "if self.config.reset_mask and not self._is_last(session):",
        "if self.config.reset_mask:",
        _IN_TICKETS,
    ),
    Fault(
        "Events prune as if each were the first",
        _TICKETS,
        "_EVENT_SHARE * (session.epoch // self.config.every)",
        "_EVENT_SHARE * 1",
        _IN_TICKETS,
    ),
    Fault(
        "Every scale is penalized alike",
        _TICKETS,
        "share * scales[name].abs().sum()",
        "scales[name].abs().sum()",
        _IN_TICKETS,
    ),
    Fault(
        "An attack leaves its ball",
        _ADVERSARIAL,
        "found = step(net, found, clean, batch.targets, size=size, eps=eps)",
        "found = step(net, found, clean, batch.targets, size=size, eps=2 * eps)",
        _IN_ADVERSARIAL,
    ),
    Fault(
        "An attack that made things better is kept",
        _ADVERSARIAL,
        "inputs=torch.where(worse[:, None, None, None], found, clean)",
        "inputs=found",
        _IN_ADVERSARIAL,
    ),
    Fault(
        "The attack's passes are not counted",
        _ADVERSARIAL,
        "session.passes += self.config.steps * (session.passes - taken)",
        "pass",
        _IN_ADVERSARIAL,
    ),
    Fault(
        "A stage that is not there is counted",
        _NETWORKS,
        "        return [0] * len(wanted)\n",
        "        return [1] * len(wanted)\n",
        _EXTRACTED,
    ),
    Fault(
        "A distance that is not relative",
        "core/objectives/fsp_distance.py",
        " / a.square().sum((1, 2)).clamp_min(1e-12)",
        "",
        _EXTRACTED,
    ),
    Fault(
        "What accuracy says already counts as regularity",
        _ROBUST,
        "rho = (rho - one * other)",
        "rho = rho * np.ones_like(one)",
        _IN_ROBUST,
    ),
]
