"""Faults of InstaTune, AutoDistil, the order of units, and their controls."""

from __future__ import annotations

from tests.mutation.fault import Fault

_ORDER, _IN_ORDER = "core/supernets/ordering.py", ("tests/supernets/test_ordering.py",)
_RELATIONS, _IN_LOSSES = "core/training/losses/attention_relations.py", ("tests/contracts/test_losses.py",)
_INSTA, _IN_INSTA = "core/training/strategies/insta_tune.py", ("tests/training/test_insta_tune.py",)
_DISTIL, _IN_DISTIL = "core/training/strategies/auto_distil.py", ("tests/training/test_auto_distil.py",)
_SPACES, _IN_SPACES = "core/supernets/sub_spaces.py", ("tests/supernets/test_sub_spaces.py",)
_RUN, _IN_RUN = "core/workflows/control_insta_tune.py", ("tests/workflows/test_control_insta_tune.py",)
_VIEW = "core/views/order_controls.py"

FAULTS = [
    Fault(
        "The least important units come first", _ORDER, "np.argsort(-values", "np.argsort(values", _IN_ORDER
    ),
    Fault(
        "Single weights are scored, and of a unit the first alone counts",
        _ORDER,
        "units_of(scores[m.tensor], m, group.size).sum(1)",
        "units_of(scores[m.tensor], m, group.size)[:, 0]",
        _IN_ORDER,
    ),
    Fault(
        "Heads move by single entries",
        _ORDER,
        "s.offset, s.entries, s.role",
        "s.offset, 1, s.role",
        _IN_ORDER,
    ),
    Fault("Relations with padding count", _RELATIONS, "    if mask is None:", "    if True:", _IN_LOSSES),
    Fault(
        "Relations are scaled by all entries, not by those of a relation head",
        _RELATIONS,
        "/ each**0.5",
        "/ size**0.5",
        _IN_LOSSES,
    ),
    Fault(
        "Values are left out of the relations",
        _RELATIONS,
        "zip(given[:3], wanted[:3], strict=True)",
        "zip(given[:2], wanted[:2], strict=True)",
        _IN_LOSSES,
    ),
    Fault(
        "InstaTune's teacher is the network after its units were ordered",
        _INSTA,
        '("freeze_teacher", "order_units") if',
        '("order_units", "freeze_teacher") if',
        _IN_INSTA,
    ),
    Fault(
        "InstaTune's subnets imitate the full network as it is now",
        _INSTA,
        '"teacher" if config.teacher == "unchanged" else "largest"',
        '"largest"',
        _IN_INSTA,
    ),
    Fault(
        "Labels and imitation have each other's weight",
        _INSTA,
        'Term("labels", labels), Term("kl", 1 - labels, imitated)',
        'Term("labels", 1 - labels), Term("kl", labels, imitated)',
        _IN_INSTA,
    ),
    Fault(
        "AutoDistil looks at labels",
        _DISTIL,
        'losses = (Term("attention_relations", 1.0',
        'losses = (Term("labels"), Term("attention_relations", 1.0',
        _IN_DISTIL,
    ),
    Fault(
        "AutoDistil's labels teach the encoder, too",
        _DISTIL,
        "            return train_head(session, batch, [draw.arch for draw in draws])",
        "            return float(np.mean(session.train([Draw(draw.arch) for draw in draws], batch)))",
        _IN_DISTIL,
    ),
    Fault(
        "A sub-space draws subnets of all",
        _DISTIL,
        "inside = Phase(phase.name, unlocked=_inside(space, part))",
        "inside = Phase(phase.name)",
        _IN_DISTIL,
    ),
    Fault(
        "Sub-spaces overlap in parameters",
        _SPACES,
        "_params(net, below, -1) < _params(net, above, 0)",
        "_params(net, below, 0) < _params(net, above, 0)",
        _IN_SPACES,
    ),
    Fault(
        "All sub-spaces have the first one's weights",
        _SPACES,
        "self.copies[self.division.part(arch)]",
        "self.copies[0]",
        _IN_SPACES,
    ),
    Fault(
        "The control has the order by importance, too",
        _RUN,
        "criterion = (self.record.criterion, RANDOM)[which]",
        "criterion = self.record.criterion",
        _IN_RUN,
    ),
    Fault(
        "What is cut is cut before its units are ordered",
        "core/library/order_controls_part.py",
        "    order_units(ordered, tuning.criterion, bench.dataset, tuning.config.seed)\n",
        "",
        _IN_RUN,
    ),
    Fault(
        "Results of the controls stand in the order in which trainings ended",
        _RUN,
        "key=lambda each: (each.seed, _which(each))",
        "key=lambda each: -_which(each)",
        _IN_RUN,
    ),
    Fault(
        "Every training of the controls has the first seed",
        _RUN,
        "return self.record.seeds[index // each], index % each",
        "return self.record.seeds[0], index % each",
        _IN_RUN,
    ),
    Fault(
        "A gain is a loss",
        _VIEW,
        'return "gain" if self.comparison.difference > 0 else "loss"',
        'return "gain" if self.comparison.difference < 0 else "loss"',
        _IN_RUN,
    ),
]
