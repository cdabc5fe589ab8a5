"""Faults of losses, of the options of a training, and of the strategies that train block after block."""

from __future__ import annotations

from tests.mutation.fault import Fault

_OPTIONS = ("tests/training/test_options.py",)
_LOSSES = ("tests/contracts/test_losses.py",)
_WISE, _IN_WISE = "core/training/strategies/block_wise.py", ("tests/training/test_block_wise.py",)
_BOSS, _IN_BOSS = "core/training/strategies/boss_nas.py", ("tests/training/test_boss_nas.py",)
_ALPHA = "core/training/losses/alpha_divergence.py"
_INSIDE = "core/training/losses/activations.py"

FAULTS = [
    Fault(
        "a training returns the weights as they are beside their average",
        "core/training/epochs.py",
        "            average.put()",
        "            average.state.clear()",
        _OPTIONS,
    ),
    Fault(
        "what is measured has the weights as they are",
        "core/training/epochs.py",
        "with nullcontext() if average is None else average.instead():",
        "with nullcontext():",
        _OPTIONS,
    ),
    Fault(
        "a resumed training begins its average anew",
        "core/training/supernet_session.py",
        "self.average.load_state_dict(kept.average)",
        "self.average.load_state_dict({})",
        _OPTIONS,
    ),
    Fault(
        "the average of channels that changed places goes on",
        "core/training/actions.py",
        "    session.restart_average()",
        "",
        _OPTIONS,
    ),
    Fault(
        "supernets are not clipped by norm",
        "core/training/supernet_session.py",
        "norm=config.clip_norm",
        "norm=0.0",
        _OPTIONS,
    ),
    Fault(
        "partners' labels have the share of the samples' own",
        "core/tasks/base.py",
        "return mixed.share * own + (1 - mixed.share) * partners",
        "return (1 - mixed.share) * own + mixed.share * partners",
        _OPTIONS,
    ),
    Fault(
        "a part of a batch has another part's partners",
        "core/tasks/base.py",
        "Mixed(self.mixed.targets[rows], self.mixed.share)",
        "Mixed(self.mixed.targets[:size], self.mixed.share)",
        _OPTIONS,
    ),
    Fault(
        "the teacher's activations are the learner's own",
        "core/training/supernet_session.py",
        "found = self._seen(self.teacher, self.space.largest, batch, attention=attention)",
        "found = self._seen(self.net, self.space.largest, batch, attention=attention)",
        _OPTIONS,
    ),
    Fault(
        "the smaller of two alpha-divergences",
        _ALPHA,
        "by_low.where(low > high, by_high)",
        "by_low.where(low < high, by_high)",
        _LOSSES,
    ),
    Fault("ratios are not clipped", _ALPHA, ".clamp_max(self.config.clip)", "", _LOSSES),
    Fault(
        "features are compared by the last channels of the wider",
        _INSIDE,
        "wanted.narrow(axis, 0, width)",
        "wanted.narrow(axis, wanted.shape[axis] - width, width)",
        _LOSSES,
    ),
    Fault("distances are not relative", _INSIDE, "found / found.mean().clamp_min(1e-12)", "found", _LOSSES),
    Fault(
        "angles at another corner",
        _INSIDE,
        "gram.diagonal()[:, None, None]",
        "gram.diagonal()[None, :, None]",
        _LOSSES,
    ),
    Fault(
        "a block learns on its own features",
        _WISE,
        "made = session.teacher.activations(",
        "made = session.net.activations(",
        _IN_WISE,
    ),
    Fault(
        "a subnet without the block is trained all the same",
        _WISE,
        "if given.requires_grad:",
        "if True:",
        _IN_WISE,
    ),
    Fault(
        "what enters a block is cut from the end",
        "core/training/blocks.py",
        "leaf = leaf.narrow(axis, 0, size)",
        "leaf = leaf.narrow(axis, leaf.shape[axis] - size, size)",
        ("tests/training/test_block_wise.py",),
    ),
    Fault(
        "the head's phase moves the blocks too",
        "core/training/blocks.py",
        "        with torch.no_grad():\n            features",
        "        with torch.enable_grad():\n            features",
        ("tests/training/test_block_wise.py", "tests/training/test_boss_nas.py"),
    ),
    Fault(
        "the mean of projections that are not normalized",
        _BOSS,
        "F.normalize(torch.stack(made), dim=2).mean(0)",
        "torch.stack(made).mean(0)",
        _IN_BOSS,
    ),
    Fault(
        "a path predicts its own view",
        _BOSS,
        "apart(one, wanted[1]) + apart(other, wanted[0])",
        "apart(one, wanted[0]) + apart(other, wanted[1])",
        _IN_BOSS,
    ),
    Fault(
        "the path farthest from the mean is chosen",
        _BOSS,
        "int(np.argmin(self.ratings",
        "int(np.argmax(self.ratings",
        _IN_BOSS,
    ),
    Fault("the target never slows down", _BOSS, "(math.cos(math.pi * behind) + 1) / 2", "1.0", _IN_BOSS),
]
