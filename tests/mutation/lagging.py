"""Faults in few-shot supernets, ElasticViT's sampling and draws that shift to lagging sizes."""

from __future__ import annotations

from tests.mutation.fault import Fault

_PARTS, _SPLIT = "core/supernets/few_shot.py", ("tests/supernets/test_few_shot.py",)
_NUMBERS = "core/supernets/parts.py"
_FEW_SHOT, _TRAINED = "core/training/strategies/few_shot.py", ("tests/training/test_few_shot.py",)
_MATCHING = "core/training/gradient_matching.py"
_BANKS, _IN_BANKS = (
    "core/training/strategies/elastic_vit_sampling.py",
    ("tests/training/test_elastic_vit_sampling.py",),
)
_SHIFT, _IN_SHIFT = "core/training/strategies/shift_nas.py", ("tests/training/test_shift_nas.py",)

FAULTS = [
    Fault(
        "Parts whose stages share a key",
        _PARTS,
        "return None if key is None else (self.parts.of(arch), key)",
        "return key",
        ("tests/contracts/test_families.py",),
    ),
    Fault(
        "Siblings of several parts in another order",
        _PARTS,
        "return [found[place] for place in range(len(archs))]",
        "return list(found.values())",
        ("tests/contracts/test_families.py",),
    ),
    Fault(
        "Every part starts from the first one's weights",
        _PARTS,
        "origin = made.parts.origins(len(net.parts))[int(part)]",
        "origin = 0",
        _SPLIT,
    ),
    Fault(
        "A part split twice at once starts from a part that was not there",
        _NUMBERS,
        "found.append(part if part < before else found[origin])",
        "found.append(part if part < before else origin)",
        _SPLIT,
    ),
    Fault(
        "Counted work takes options of one part for different computations",
        "core/evaluation/costs.py",
        "columns = [column for column in self.columns if column not in self._routing]",
        "columns = list(self.columns)",
        ("tests/evaluation/test_stage_work.py",),
    ),
    Fault(
        "Stored costs forget what only says whose weights a stage has",
        "core/evaluation/costs.py",
        '_no_price, stage.get("routed_by", ())',
        "_no_price",
        _SPLIT,
    ),
    Fault(
        "Gradients of a choice's own weights are compared",
        _MATCHING,
        "found[:, :, used.all(0)]",
        "found[:, :, used.any(0)]",
        _TRAINED,
    ),
    Fault(
        "Equal options may be parted where another partition is as good",
        _MATCHING,
        " or (within < best[0] + _ALIKE and pairs < best[1])",
        "",
        _TRAINED,
    ),
    Fault(
        "The choice that disagrees least is split",
        _FEW_SHOT,
        "key=lambda way: way[2]",
        "key=lambda way: -way[2]",
        _TRAINED,
    ),
    Fault(
        "A choice may be split twice in a line of descent",
        _FEW_SHOT,
        "if name not in own]",
        "]",
        _TRAINED,
    ),
    Fault(
        "A split forgets the momentum",
        _FEW_SHOT,
        "session.replace(made, came_from(made, session.net))",
        "session.replace(made)",
        _TRAINED,
    ),
    Fault("The walk of bands jumps", _BANKS, "rng.integers(-1, 2)", "rng.integers(-2, 3)", _IN_BANKS),
    Fault("A full bank loses its best", _BANKS, "worst = min(bank", "worst = max(bank", _IN_BANKS),
    Fault(
        "The smallest learns from the last answer alone",
        _BANKS,
        "torch.stack(answers).mean(0)",
        "answers[-1]",
        _IN_BANKS,
    ),
    Fault(
        "All bands train the smallest subnet of all",
        _BANKS,
        "arch = self.minima[self.bank]",
        "arch = self.minima[0]",
        _IN_BANKS,
    ),
    Fault(
        "Depth comes before width",
        _BANKS,
        "int(np.argmin(self.depth",
        "int(np.argmax(self.depth",
        _IN_BANKS,
    ),
    Fault(
        "Chances move away from what lags",
        _SHIFT,
        "(measured / mean - 1)",
        "(1 - measured / mean)",
        _IN_SHIFT,
    ),
    Fault(
        "Generated architectures may miss their cost by a bin",
        _SHIFT,
        "(self.bands.high[0] - self.bands.low[0]) / 2)",
        "(self.bands.high[0] - self.bands.low[0]))",
        _IN_SHIFT,
    ),
    Fault(
        "A resumed training forgets when the next bin is measured",
        _SHIFT,
        "self.taken = int(state",
        "self.taken = 0 * int(state",
        _IN_SHIFT,
    ),
]
