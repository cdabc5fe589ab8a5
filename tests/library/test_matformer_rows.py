"""A decoder's front as slices: read back as mistral.rs reads them, each says the subnet that it is."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pandas as pd
import pytest

from core.errors import InvalidInput
from core.library import supernets
from core.library.matformer_rows import COLUMNS, hidden_units, matformer_rows
from core.library.supernets import SupernetEntry
from core.supernets.files import build, dump_supernet


def entry_of(family: str = "elastic_decoder", **config: Any) -> SupernetEntry:
    return supernets.from_bytes(dump_supernet(build(family, config), {"title": "Small"}), title="Small")


def decoder(**more: Any) -> SupernetEntry:
    settings = {
        "input_shape": [8],
        "scored": 4,
        "vocabulary": 20,
        "layers": 3,
        "widths": [8],
        "hidden": [4, 6, 9],
    }
    return entry_of(**{**settings, "heads": [2], "head_size": 4, "skippable": [2, 3], **more})


def front(entry: SupernetEntry, options: list[dict[str, Any]], on: list[bool] | None = None) -> pd.DataFrame:
    archs = [entry.space.to_dict(entry.space.from_dict(each)) for each in options]
    return pd.DataFrame(
        {
            "architecture": [json.dumps(each) for each in archs],
            "perplexity": [9.5 - index for index in range(len(archs))],
            "on_front": on or [True] * len(archs),
            "source": "measured",
        }
    )


def slices(data: bytes) -> dict[str, tuple[int, float, list[int], list[int]]]:
    """name -> (layers, billions of parameters, hidden units, layers skipped), by the rules of its reader."""
    found = {}
    for row in csv.DictReader(io.StringIO(data.decode())):
        skipped = row["Layers Skipped"]
        sizes = [int(part.strip()) for part in row["FFN Hidden Dims"].strip()[1:-1].split(",")]
        gone = [int(part.strip()) for part in skipped.strip()[1:-1].split(",")] if skipped else []
        found[row["name"]] = (int(row["# Layers"]), float(row["# Effective Params (B)"]), sizes, gone)
    return found


def test_rows_say_what_is_kept_and_what_is_skipped() -> None:
    entry = decoder()
    options = [
        {"hidden1": 9, "hidden2": 9, "hidden3": 9},
        {"hidden1": 4, "hidden2": 0, "hidden3": 6},
        {"hidden1": 4, "hidden2": 0, "hidden3": 0},
        {"hidden1": 6, "hidden2": 4, "hidden3": 4},
    ]
    made = matformer_rows(entry, front(entry, options, [True, True, True, False]))
    assert made.data.decode().splitlines()[0].startswith(",".join(COLUMNS) + ",perplexity")
    assert (made.rows, made.left_out) == (3, 0)
    found = list(slices(made.data).values())
    assert [(layers, sizes, gone) for layers, _, sizes, gone in found] == [
        (3, [9, 9, 9], []),
        (2, [4, 6], [1]),
        (1, [4], [1, 2]),
    ]
    net = supernets.load(entry)
    expected = [
        sum(stage.counted["params"] for stage in net.costs(entry.space.from_dict(each))) for each in options
    ]
    assert [round(billions * 1e9) for _, billions, _, _ in found] == expected[:3]
    assert "MMLU PT accuracy" in COLUMNS
    assert {row["MMLU PT accuracy"] for row in csv.DictReader(io.StringIO(made.data.decode()))} == {""}
    assert "Gemma 3n" in made.told


def test_subnets_with_fewer_heads_or_a_smaller_width_are_left_out_and_counted() -> None:
    entry = decoder(heads=[1, 2], widths=[4, 8])
    options = [
        {"width": 8, "hidden1": 9, "heads1": 2, "hidden2": 0, "hidden3": 0},
        {"width": 4, "hidden1": 9, "heads1": 2, "hidden2": 0, "hidden3": 0},
        {"width": 8, "hidden1": 9, "heads1": 1, "hidden2": 0, "hidden3": 0},
    ]
    made = matformer_rows(entry, front(entry, options))
    assert (made.rows, made.left_out) == (1, 2)
    assert "2 of the front" in made.told
    assert hidden_units(entry, entry.space.from_dict(options[1])) is None
    with pytest.raises(InvalidInput, match="No subnet of this front"):
        matformer_rows(entry, front(entry, options[1:]))


def test_other_supernets_are_refused() -> None:
    entry = entry_of("elastic_bert")
    with pytest.raises(InvalidInput, match="language models alone"):
        matformer_rows(entry, front(entry, []))
