"""The optional lesson: its mixture is what it says, and what was cut goes on to the same bits."""

from __future__ import annotations

import pytest

from core.lessons import relaxed_search as lesson_file
from core.lessons.base import LESSONS, shipped
from core.lessons.relaxed_search import LAYERS, OPTIONS, Relaxed, RelaxedSearch
from core.library import supernets
from core.library.library import Library
from tests.lessons.computing import computed, resumed


@pytest.mark.slow
def test_a_mixture_of_one_option_is_that_option() -> None:
    import torch

    from core.lessons import relaxed

    net = relaxed._fresh(supernets.dataset(Library().supernet("digits-lesson")), 3)
    x, chosen = torch.randn(5, 1, 8, 8, generator=torch.Generator().manual_seed(0)), (0, 1, 2, 1)
    net.weights = chosen
    cut = net(x)
    net.weights = torch.eye(len(OPTIONS))[list(chosen)]
    assert torch.allclose(net(x), cut, atol=1e-6)
    net.weights = torch.full((LAYERS, len(OPTIONS)), 1 / 3)
    assert not torch.allclose(net(x), cut, atol=1e-3)


@pytest.mark.slow
def test_what_was_cut_goes_on_to_the_same_bits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lesson_file, "product", lambda *_, **__: [(0, 0, 0, 0), (1, 0, 2, 0)])
    lesson = LESSONS.create("relaxed_search")
    assert isinstance(lesson, RelaxedSearch)

    def work(ledger):  # type: ignore[no-untyped-def]
        return lesson._computed(1, ledger, Library(), 1, 1)

    whole = computed(work)
    assert resumed(work, after=1) == whole
    assert all(abs(sum(layer) - 1) < 1e-3 for layer in whole.weights[0])
    assert whole.alone[0] != whole.alone[1]


def test_every_architecture_of_the_space_is_trained() -> None:
    assert len(shipped(LESSONS.create("relaxed_search")).alone) == len(OPTIONS) ** LAYERS


@pytest.mark.parametrize(("layer", "said"), [((1.0, 0.0, 0.0), "shows"), ((0.1, 0.8, 0.1), "did not occur")])
def test_a_collapse_is_said_only_where_it_is(layer: tuple[float, ...], said: str) -> None:
    evidence = Relaxed(weights=((layer,) * LAYERS,), mixed=(0.9,), cut=(0.9,), alone=(0.5,) * 81)
    assert said in LESSONS.create("relaxed_search").found(evidence, {"epoch": 1.0, "view": "weights"}, 5.0)
