"""Memory of a language model: two columns, three settings."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest

from core.library.fronts import front
from core.views.memory import (
    PRECISIONS,
    Setting,
    has_memory,
    memory_bytes,
    parts,
    usual_memory_pair,
    with_memory,
)


def table() -> pd.DataFrame:
    return pd.DataFrame(
        {"arch_id": ["a", "b"], "params": [1000, 4000], "kv_cache_bytes": [16, 8], "accuracy": [0.5, 0.6]}
    )


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        (Setting(64, 1, "float32", "float32"), [4000 + 64 * 16, 16000 + 64 * 8]),
        (Setting(64, 4, "bfloat16", "bfloat16"), [2000 + 256 * 8, 8000 + 256 * 4]),
        (Setting(128, 1, "int8", "float32"), [1000 + 128 * 16, 4000 + 128 * 8]),
        (Setting(128, 2, "int4", "int8"), [500 + 256 * 4, 2000 + 256 * 2]),
    ],
)
def test_it_is_the_weights_and_the_cache_of_the_batch(setting: Setting, expected: list[float]) -> None:
    assert with_memory(table(), setting)["memory_bytes"].tolist() == expected
    weights, cache = np.array([1000.0, 4000.0]), np.array([16.0, 8.0])
    assert memory_bytes(weights, cache, setting).tolist() == expected


def test_a_longer_context_turns_the_order() -> None:
    """What has the smaller cache is the cheaper one in the long run."""
    short, long = (with_memory(table(), Setting(n, 1, "float32"))["memory_bytes"] for n in (64, 131_072))
    assert short[0] < short[1]
    assert long[0] > long[1]


def test_a_table_without_a_cache_stays_as_it_is() -> None:
    without = table().drop(columns="kv_cache_bytes")
    assert with_memory(without, Setting()) is without
    assert not has_memory(table().assign(kv_cache_bytes=0))
    assert parts({"params": 5.0}, Setting()) == ""


def test_what_one_subnet_needs_is_said_in_parts() -> None:
    said = parts({"params": 1e6, "kv_cache_bytes": 1024.0}, Setting(2048, 2, "int8", "float32"))
    assert "1 MB of weights" in said
    assert "4.19 MB of KV cache" in said


def test_sentences_name_the_setting() -> None:
    said = Setting(4096, 8, "int4", "int8").sentence()
    assert said == "weights in int4, KV cache of 8 texts of 4,096 tokens in int8"
    assert "1 text of 64 tokens" in Setting(64).sentence()


def test_a_slider_moves_a_whole_space_in_time() -> None:
    """15,625 subnets: memory and the front anew within 0.3 s of processor time."""
    rng = np.random.default_rng(0)
    n = 15_625
    rows = pd.DataFrame(
        {
            "arch_id": [f"{k:06d}" for k in range(n)],
            "params": rng.integers(10_000, 300_000, n).astype(float),
            "kv_cache_bytes": 512.0 * rng.integers(0, 7, n),
            "perplexity": rng.random(n) * 20 + 5,
        }
    )
    front(with_memory(rows, Setting()), ("memory_bytes", "perplexity"))  # what is imported at the first time
    started = time.process_time()
    found = front(with_memory(rows, Setting(8192)), ("memory_bytes", "perplexity"))
    assert time.process_time() - started < 0.3
    assert len(found.members)


def test_bytes_per_weight_are_those_of_the_format() -> None:
    bits = {"float32": 32, "bfloat16": 16, "int8": 8, "int4": 4}
    assert {name: p.bytes * 8 for name, p in PRECISIONS.items()} == bits


def test_language_models_start_with_perplexity_and_memory() -> None:
    assert usual_memory_pair(["accuracy", "perplexity", "memory_bytes"]) == ("perplexity", "memory_bytes")
    assert usual_memory_pair(["accuracy", "macs"]) is None
    assert usual_memory_pair(["accuracy", "memory_bytes"]) is None
