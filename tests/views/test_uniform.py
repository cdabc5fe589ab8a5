"""Uniform sizes against the definition, one architecture at a time."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

from core.objectives.base import objective
from core.spaces import Choice, SearchSpace
from core.views.uniform import beaten_by, may_mix, uniform_front, uniform_rows

HIDDEN = (0, 16, 32)


def decoder_like() -> SearchSpace:
    """A width for all, and of three layers the MLP, of which the last two may be left out, and the heads."""
    choices = [Choice("width", (8, 16), "width", unit="channels")]
    for layer in (1, 2, 3):
        sizes = HIDDEN if layer > 1 else HIDDEN[1:]
        requires = (f"ffn{layer}", (1, 2)) if layer > 1 else None
        choices.append(Choice(f"ffn{layer}", sizes, "width", unit="hidden units"))
        choices.append(Choice(f"heads{layer}", (1, 2), "heads", unit="heads", requires=requires))
    return SearchSpace(choices)


def everything(space: SearchSpace) -> list[str]:
    rows = itertools.product(*(range(len(c.options)) for c in space.choices))
    return sorted({space.arch_id(space.canonical(row)) for row in rows})


def test_layers_alike_by_the_definition() -> None:
    space = decoder_like()
    ids = everything(space)
    found = uniform_rows(space, ids)
    for arch_id, uniform in zip(ids, found, strict=True):
        options = space.to_dict(space.from_id(arch_id))
        there = [k for k in (1, 2, 3) if options[f"ffn{k}"]]
        hidden = {options[f"ffn{k}"] for k in there}
        heads = {options[f"heads{k}"] for k in there}
        first_ones = there == list(range(1, len(there) + 1))
        assert uniform == (len(hidden) == 1 and len(heads) == 1 and first_ones), options
    # Two widths, three depths, two sizes, two numbers of heads.
    assert found.sum() == 24


def test_one_layer_has_nothing_to_mix() -> None:
    space = SearchSpace(
        [Choice("width", (8, 16), "width"), Choice("ffn1", (4, 8), "width", unit="hidden units")]
    )
    assert not may_mix(space)
    assert not uniform_rows(space, everything(space)).any()
    assert may_mix(decoder_like())


def table(space: SearchSpace, seed: int) -> pd.DataFrame:
    ids, rng = everything(space), np.random.default_rng(seed)
    return pd.DataFrame({"arch_id": ids, "macs": rng.integers(1, 30, len(ids)), "loss": rng.random(len(ids))})


@pytest.mark.parametrize("seed", range(4))
def test_the_line_holds_the_uniform_ones_that_no_other_beats(seed: int) -> None:
    space = decoder_like()
    rows = table(space, seed)
    line = uniform_front(space, rows, ("macs", "loss"))
    among = rows[uniform_rows(space, rows["arch_id"].tolist())]
    for each in among.itertuples():
        beaten = (
            (among.macs <= each.macs)
            & (among.loss <= each.loss)
            & ((among.macs < each.macs) | (among.loss < each.loss))
        ).any()
        assert (each.arch_id in set(line["arch_id"])) == (not beaten)
    assert line["macs"].is_monotonic_increasing


def test_what_mixing_gains_is_said_with_its_number() -> None:
    rows = pd.DataFrame({"arch_id": list("abc"), "macs": [10.0, 20.0, 15.0], "loss": [2.0, 1.0, 0.75]})
    uniform = rows.iloc[:2]
    said = beaten_by(rows, uniform, objective("macs"), objective("loss"))
    assert "1 of 2 uniform sizes" in said
    assert "0.250 nats" in said
    assert "No mix beats" in beaten_by(uniform, uniform, objective("macs"), objective("loss"))
    assert beaten_by(rows, rows.iloc[:0], objective("macs"), objective("loss")) == ""


def test_where_more_is_better_gains_are_gains() -> None:
    rows = pd.DataFrame({"arch_id": list("abc"), "macs": [10.0, 20.0, 5.0], "accuracy": [0.5, 0.6, 0.58]})
    said = beaten_by(rows, rows.iloc[:2], objective("macs"), objective("accuracy"))
    assert "1 of 2" in said
    assert "+8.0 points" in said
