"""Speeds of decoders: what is run, how it is counted, and that a larger one is slower."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from core.errors import InvalidInput
from core.networks.chain import build_net
from core.networks.file import dump_net
from core.objectives import timing
from core.objectives.base import OBJECTIVES
from core.objectives.decoder_speed import TokensPerSecond

NAMES = ("prefill_tokens_per_s", "decode_tokens_per_s")
TOKENS = np.arange(32)[None] % 20


def file(layers: int, hidden: int) -> bytes:
    torch.manual_seed(0)
    width, block = 64, {"width": 64, "heads": 4, "kv_heads": 2, "head_size": 16, "hidden": hidden}
    chain = [("DecoderEmbedding", {"vocabulary": 20, "width": width, "context": 32})]
    chain += [("DecoderBlock", block)] * layers + [("DecoderHead", {"width": width, "vocabulary": 20})]
    return dump_net(build_net([{"block": n, "arguments": a} for n, a in chain]), (32,), {})


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_larger_decoder_is_slower(name: str) -> None:
    method = OBJECTIVES.create(name)
    assert isinstance(method, TokensPerSecond)
    seen: list[float] = []
    found = method.measured([file(1, 32), file(6, 1024)], [TOKENS, TOKENS], seen.append)
    assert found[0].value > 1.5 * found[1].value > 0
    assert seen[-1] == 1.0
    assert all(reading.spread >= 0 for reading in found)


def test_a_run_of_reading_is_a_window_and_of_writing_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    """By a clock that says every run takes two milliseconds."""
    clock = [0]

    def tick() -> int:
        clock[0] += 2_000_000
        return clock[0]

    monkeypatch.setattr(timing.time, "perf_counter_ns", tick)
    rates = [OBJECTIVES.create(name).measured([file(1, 32)], [TOKENS])[0].value for name in NAMES]
    assert rates == [32 / 0.002, 1 / 0.002]


def test_half_a_window_is_kept_when_a_token_is_written() -> None:
    graph, tokens = OBJECTIVES.create("decode_tokens_per_s").graph(file(2, 32), TOKENS)
    assert tokens == 1
    assert [each.shape for each in graph.sample] == [(1, 1)] + [(1, 2, 16, 16)] * 4
    with pytest.raises(InvalidInput, match="at least two"):
        OBJECTIVES.create("decode_tokens_per_s").measured([file(1, 32)], [TOKENS[:, :1]])
