"""Positions as samples, streamed: the same numbers as from whole arrays, in memory that does not grow."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from core.errors import InvalidInput
from core.library.activations import ProbeChoice, all_activations, common_probe, layers
from core.library.networks import Model, load_model
from core.similarity.base import MEASURES
from core.similarity.comparing import compare_layers
from core.similarity.moments import FromMoments
from core.similarity.streaming import positions, streamed_comparison
from core.views.compare_models import Question, compare_models

STREAMED = [i.name for i in MEASURES.describe() if issubclass(MEASURES.get(i.name), FromMoments)]


@pytest.fixture(scope="module")
def pair() -> tuple[Model, Model]:
    return load_model(None, "subnet:digits-cnn:111011100110"), load_model(
        None, "subnet:digits-cnn:311131113111"
    )


@pytest.mark.parametrize("name", STREAMED)
def test_streamed_equals_whole(pair: tuple[Model, Model], name: str) -> None:
    a, b = pair
    probe = common_probe(a, b, ProbeChoice(n=150))
    sides = (layers(a), layers(b))
    found = streamed_comparison(a.net, b.net, probe.x, sides, MEASURES.create(name), permutations=2, seed=0)
    arrays = [
        all_activations(m, probe, [x.layer_id for x in s], "positions")
        for m, s in zip(pair, sides, strict=True)
    ]
    whole = compare_layers(arrays[0], arrays[1], MEASURES.create(name), permutations=0)
    assert np.array_equal(np.isfinite(found.values), np.isfinite(whole.values))
    assert np.nanmax(np.abs(found.values - whole.values)) < 1e-5
    assert set(found.reasons) == set(whole.reasons)
    assert found.n == whole.n


def test_the_null_is_small_where_nothing_belongs_together(pair: tuple[Model, Model]) -> None:
    a, b = pair
    found = compare_models(a, b, Question("cka_biased", pooling="positions", probe=ProbeChoice(n=200))).result
    assert np.nanmax(found.null_mean) < 0.1
    assert np.nanmin(found.values - found.null_mean) > 0
    again = compare_models(
        a, b, Question("cka_biased", pooling="positions", probe=ProbeChoice(n=200), permutations=5)
    )
    assert np.array_equal(found.values, again.result.values, equal_nan=True)


def test_many_rows_are_no_obstacle_to_measures_of_moments(
    pair: tuple[Model, Model], monkeypatch: pytest.MonkeyPatch
) -> None:
    from core.networks import capture

    monkeypatch.setattr(capture, "MOST_ROWS", 100)
    question = Question("procrustes", pooling="positions", probe=ProbeChoice(n=90, seed=3))
    assert np.isfinite(compare_models(*pair, question).result.values).any()
    with pytest.raises(InvalidInput, match="positions"):
        compare_models(*pair, dataclasses.replace(question, measure="rsa"))


def test_positions_count_maps_tokens_and_vectors(pair: tuple[Model, Model]) -> None:
    counts = [positions(layer) for layer in layers(pair[1])]
    assert counts[0] == 64
    assert counts[-1] == 1


def test_a_measure_that_needs_whole_layers_is_refused(pair: tuple[Model, Model]) -> None:
    with pytest.raises(TypeError, match="moments"):
        streamed_comparison(
            pair[0].net, pair[1].net, None, ([], []), MEASURES.create("rsa"), permutations=0, seed=0
        )  # type: ignore[arg-type]
