"""The strategy contract, held by every registered strategy on every family's space and on a real training."""

from __future__ import annotations

import random
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from core.errors import InvalidInput
from core.spaces import Choice, SearchSpace
from core.store import MemoryLedger
from core.supernets import FAMILIES
from core.supernets.base import Supernet
from core.supernets.nas_bench_201 import NASBench201, NASBench201Config
from core.training.actions import ACTIONS
from core.training.config import TrainingConfig
from core.training.loop import train
from core.training.losses import LOSSES
from core.training.strategies import STRATEGIES, Draw, Phase, Strategy
from core.training.strategies.base import epochs_of
from tests.helpers.families import IMAGE_FAMILIES
from tests.helpers.nets import disturb
from tests.helpers.together import Threads, apart, double, in_threads
from tests.training.small import RecordingLedger, digest, digits, net_for, settings

ROOT = Path(__file__).resolve().parents[2]
NAMES = STRATEGIES.names()
every_strategy = pytest.mark.parametrize("name", NAMES)
LARGEST = "largest_alone"
"""Draws one subnet and no other: by no chance, and the others learn nothing."""


def whole_training(*quick: str, others: pytest.MarkDecorator = pytest.mark.slow) -> pytest.MarkDecorator:
    """Every strategy, of which only these in each run: a whole training takes seconds, and there are many strategies."""

    def marks(name: str) -> list[pytest.MarkDecorator]:
        if name == LARGEST:  # takes the very steps of `uniform`
            return [pytest.mark.long]
        return [] if name in quick else [others]

    return pytest.mark.parametrize("name", [pytest.param(n, marks=marks(n)) for n in NAMES])


EPOCHS = 6
GENTLE = {
    "adversarial": {"eps": 0.02, "steps": 1},
    "block_wise": {"labels": "all"},
    "boss_nas": {"labels": "all", "head_share": 0.8},
}
"""Settings with which a few hundred weights can learn something: attacks as usual, and a head alone, leave them nothing."""


def spaces() -> dict[str, SearchSpace]:
    found = {}
    for name in IMAGE_FAMILIES:
        family = FAMILIES.get(name)
        found[name] = family(family.example((1, 8, 8))).space
    found["only operations"] = SearchSpace(
        [Choice(f"edge{i}", ("none", "skip", "conv"), ordinal=False) for i in range(4)]
    )
    return found


SPACES = spaces()
SIZED = {"elastic_conv_vit", "ofa_mobilenet_v3", "ofa_resnet50"}
"""Spaces with a choice of resolution."""
UNORDERED = {"chain", "nas_bench_201", "nas_bench_macro", "nasnet_cells", "path_ensemble", "only operations"}
REFUSED = {
    "attentive": {"only operations"},
    "auto_distil": {"only operations"},
    "bignas": {"only operations"},
    LARGEST: {"only operations"},
    "multi_architectural": UNORDERED,
    "neas": set(SPACES) - {"path_ensemble"},
    "insta_tune": {"only operations"},
    "sandwich": {"only operations"},
    "sorted_net": UNORDERED,
    "block_wise": {"only operations"} | SIZED,
    "progressive_shrinking": UNORDERED,
}
"""Spaces without the order, the ends or the one size of maps that a strategy needs."""
DRAWING = [name for name in NAMES if STRATEGIES.get(name).step is Strategy.step]
"""Strategies of the first door; the others are held to what they promise in tests of their own."""
FITTING = [(name, space) for name in NAMES for space in SPACES if space not in REFUSED.get(name, ())]


def over(pairs: list[tuple[str, str]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(
        ("name", "space"), [(n, SPACES[s]) for n, s in pairs], ids=[f"{n}-{s}" for n, s in pairs]
    )


fitting, drawing = over(FITTING), over([(n, s) for n, s in FITTING if n in DRAWING])


def all_draws(strategy: Strategy, space: SearchSpace, steps: int = 12) -> list[tuple[Phase, list[Draw]]]:
    rng = np.random.default_rng(0)
    return [
        (phase, strategy.draws(space, phase, rng)) for phase in strategy.phases(space) for _ in range(steps)
    ]


@every_strategy
def test_says_what_it_is_and_where_it_comes_from(name: str) -> None:
    info = STRATEGIES.info(name)
    assert info.label
    assert info.source
    assert info.summary
    for field in STRATEGIES.get(name).Config.model_fields.values():
        assert field.description
        assert not field.is_required()


@pytest.mark.parametrize("space", SPACES)
@every_strategy
def test_a_space_without_the_order_it_needs_is_refused_in_one_sentence(name: str, space: str) -> None:
    strategy = STRATEGIES.create(name)
    if space not in REFUSED.get(name, ()):
        strategy.check(SPACES[space])
        return
    with pytest.raises(InvalidInput, match=r"^[A-Z].*\. Choose another strategy\.$"):
        strategy.check(SPACES[space])


def test_a_training_refuses_a_space_that_does_not_fit() -> None:
    with torch.random.fork_rng(devices=[]):
        net = NASBench201(NASBench201Config(channels=2, cells_per_stage=1))
    ledger = RecordingLedger()
    with pytest.raises(InvalidInput, match="edge_0_1"):
        list(train(net, digits(), settings(strategy="sorted_net"), ledger))
    assert ledger.checkpoints == []


@pytest.mark.parametrize(
    "name",
    # BigNAS draws what the sandwich rule draws.
    [n for n in DRAWING if "nas_bench_201" not in REFUSED.get(n, ()) and n not in (LARGEST, "bignas")],
)
def test_every_drawn_cell_answers_differently_to_different_images(name: str) -> None:
    """What computes nothing learns nothing; `none` everywhere was once the smallest cell of every step."""
    torch.manual_seed(0)
    net = disturb(NASBench201(NASBench201Config(channels=3, cells_per_stage=1)))
    images = torch.rand(4, 1, 8, 8)
    drawn = {d.arch for _, draws in all_draws(STRATEGIES.create(name), net.space, 400) for d in draws}
    assert len(drawn) > 100
    for arch in drawn:
        with torch.no_grad():
            logits = net(images, arch)
        assert float((logits - logits[:1]).abs().max()) > 1e-4, net.arch_string(arch)


@every_strategy
def test_refuses_unknown_settings(name: str) -> None:
    with pytest.raises(InvalidInput, match=f"{STRATEGIES.info(name).label}: no_such_setting"):
        STRATEGIES.create(name, {"no_such_setting": 1})


def test_strategies_load_no_torch() -> None:
    code = (
        "import sys\nfrom core.training.config import TrainingConfig\nfrom core.training.strategies import STRATEGIES\n"
        "for name in STRATEGIES.names(): STRATEGIES.create(name)\nassert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


@fitting
def test_phases_cover_the_training_and_unlock_options_that_exist(name: str, space: SearchSpace) -> None:
    phases = STRATEGIES.create(name).phases(space)
    assert sum(p.share for p in phases) == pytest.approx(1)
    assert len({p.name for p in phases}) == len(phases)
    for phase in phases:
        assert phase.learning_rate > 0
        for choice, options in phase.unlocked.items():
            assert options
            assert set(options) <= set(range(space.cardinalities[space.position[choice]]))
    # A supernet whose training ends with something locked was not trained as a whole.
    for choice in space.choices:
        assert len(phases[-1].unlocked.get(choice.name, choice.options)) == len(choice.options)
    for total in range(len(phases), 40):
        lengths = epochs_of(phases, total)
        assert sum(lengths) == total
        assert min(lengths) >= 1


@drawing
def test_draws_are_canonical_and_inside_what_is_unlocked(name: str, space: SearchSpace) -> None:
    for phase, draws in all_draws(STRATEGIES.create(name), space):
        assert draws
        for draw in draws:
            assert type(draw.arch) is tuple
            assert all(type(option) is int for option in draw.arch)
            assert space.canonical(draw.arch) == draw.arch
            for choice, options in phase.unlocked.items():
                if space.is_active(draw.arch, choice):
                    assert draw.arch[space.position[choice]] in options


@fitting
def test_every_action_of_a_phase_exists(name: str, space: SearchSpace) -> None:
    for phase in STRATEGIES.create(name).phases(space):
        assert set(phase.actions) <= set(ACTIONS)


@drawing
def test_a_draw_names_losses_that_exist_and_have_what_they_need(name: str, space: SearchSpace) -> None:
    strategy, frozen = STRATEGIES.create(name), False
    for phase, draws in all_draws(strategy, space):
        frozen = frozen or "freeze_teacher" in phase.actions
        known = {"teacher"} if frozen else set()
        for draw in draws:
            assert draw.losses
            for term in draw.losses:
                assert set(LOSSES.create(term.loss, term.settings).needs) <= known
            known |= {"previous", "largest"} if space.ends and draw.arch == space.largest else {"previous"}
        if any(term.loss == "distill_largest" for draw in draws for term in draw.losses):
            assert draws[0].arch == space.largest
            assert [term.loss for term in draws[0].losses] == ["labels"]


@pytest.mark.parametrize("name", DRAWING)
def test_draws_come_from_the_generator_and_nothing_else(name: str) -> None:
    space = SPACES["elastic_cnn"]
    phase = STRATEGIES.create(name).phases(space)[-1]

    def draws(seed: int) -> list[list[Draw]]:
        random.seed(seed)
        np.random.seed(seed)
        strategy, rng = STRATEGIES.create(name), np.random.default_rng(5)
        return [strategy.draws(space, phase, rng) for _ in range(20)]

    assert draws(1) == draws(2)
    first = STRATEGIES.create(name)
    rng = np.random.default_rng(6)
    assert ([first.draws(space, phase, rng) for _ in range(20)] != draws(1)) is (name != LARGEST)


SHARED = [name for name in NAMES if STRATEGIES.get(name).shareable]


@pytest.mark.parametrize("name", SHARED)
def test_two_processes_that_share_its_steps_equal_one(name: str) -> None:
    """Unequal shares, every phase once, in float64; what it remembers is the same in both."""
    config = settings(
        strategy=name, epochs=len(STRATEGIES.create(name).phases(net_for(name).space)), batch_size=33
    )
    data, nets = double(digits(66)), [net_for(name).double() for _ in range(3)]
    list(train(nets[2], data, config, MemoryLedger()))
    ledgers = [MemoryLedger(), MemoryLedger()]
    in_threads(2, lambda us: list(train(nets[us.rank], data, config, ledgers[us.rank])))
    assert apart(nets[2], nets[0]) < 1e-11
    assert ledgers[0].latest_checkpoint() == ledgers[1].latest_checkpoint()


@pytest.mark.parametrize("name", [name for name in NAMES if name not in SHARED])
def test_a_strategy_whose_steps_cannot_be_shared_says_so(name: str) -> None:
    ledgers = [RecordingLedger(), RecordingLedger()]

    def work(us: Threads) -> None:
        list(train(net_for(name), digits(66), settings(strategy=name), ledgers[us.rank]))

    with pytest.raises(
        InvalidInput, match=r"whole batches.*Train in one process, or choose another strategy\.$"
    ):
        in_threads(2, work)
    assert not any(ledger.checkpoints for ledger in ledgers)


@whole_training("sandwich", others=pytest.mark.long)
def test_learns(name: str) -> None:
    """Thirty epochs of 256 images: every shown subnet ends far above chance, and the loss falls."""
    ledger, net = MemoryLedger(), net_for(name)
    config = settings(strategy=name, strategy_config=GENTLE.get(name, {}), epochs=30, learning_rate=0.2)
    list(train(net, digits(256), config, ledger))
    curve = ledger.metrics()
    assert [m["step"] for m in curve] == list(range(1, 31))
    phases = [m["phase"] for m in curve]
    longest = max(phases, key=phases.count)
    same = [m["loss"] for m in curve if m["phase"] == longest]
    assert same[-1] < 0.9 * same[0]
    last = curve[-1]
    # Chance is 0.10 with a deviation of 0.02.
    assert (min(last["smallest"], last["random_low"]) > 0.2) is (name != LARGEST)
    assert last["largest"] > 0.3
    assert last["random_low"] <= last["random"] <= last["random_high"]


@cache
def uninterrupted(name: str) -> tuple[str, RecordingLedger]:
    """Weights after a training that nothing stopped, and its checkpoints."""
    ledger = RecordingLedger()
    net = trained(net_for(name), settings(strategy=name, epochs=EPOCHS, shift=1), ledger)
    return digest(net), ledger


def trained(net: Supernet, config: TrainingConfig, ledger: RecordingLedger) -> Supernet:
    """What the training returns: a strategy may put another supernet in the place of the given one."""
    work = train(net, digits(), config, ledger)
    while True:
        try:
            next(work)
        except StopIteration as end:
            return end.value


# In `make test-slow` half of the training is repeated, in `make test-long` it is cut after every epoch.
CUTS = [pytest.param(cut, marks=[] if cut == EPOCHS // 2 else [pytest.mark.long]) for cut in range(1, EPOCHS)]


@pytest.mark.slow
@pytest.mark.parametrize("cut", CUTS)
@every_strategy
def test_resuming_after_any_epoch_ends_with_the_same_bits(name: str, cut: int) -> None:
    expected, recorded = uninterrupted(name)
    ledger = RecordingLedger()
    ledger.checkpoint(recorded.checkpoints[cut - 1], fraction=cut / EPOCHS)
    # Another process has other weights before it resumes, and its global generators stand elsewhere.
    torch.manual_seed(cut)
    np.random.seed(cut)
    net = trained(net_for(name, cut + 10), settings(strategy=name, epochs=EPOCHS, shift=1), ledger)
    assert digest(net) == expected
    assert ledger.checkpoints[1:] == recorded.checkpoints[cut:]


@whole_training("sandwich", "loss_following")
def test_stopping_within_any_epoch_loses_only_that_epoch(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every step yields; the run is dropped after each number of yields in turn, always resumed from its ledger."""
    monkeypatch.setattr("core.training.epochs._YIELD_SECONDS", 0.0)
    ledger, config = RecordingLedger(), settings(strategy=name, epochs=EPOCHS, shift=1)
    done: Supernet | None = None
    for patience in range(1, 100):
        net = net_for(name, patience) if ledger.checkpoints else net_for(name)
        work = train(net, digits(), config, ledger)
        try:
            for _ in range(patience):
                next(work)
        except StopIteration as end:
            done = end.value
            break
        work.close()
    assert patience > 5
    assert done is not None
    assert digest(done) == uninterrupted(name)[0]
    assert [m["step"] for m in ledger.metrics()] == list(range(1, EPOCHS + 1))
