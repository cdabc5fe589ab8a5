"""A decoder's two graphs tell what the network tells, and keep what it keeps."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch

from core.errors import InvalidInput
from core.networks.decoder_graphs import DecoderGraph, reading_graph, step_graph
from core.networks.generating import Decoder
from tests.networks.test_generating import GPT2, LLAMA, decoder


def run(graph: DecoderGraph) -> list[Any]:
    session = onnxruntime.InferenceSession(graph.model, providers=["CPUExecutionProvider"])
    names = [entry.name for entry in session.get_inputs()]
    return list(session.run(None, dict(zip(names, graph.sample, strict=True))))


@pytest.mark.parametrize("kind", [LLAMA, GPT2], ids=["llama", "gpt2"])
@pytest.mark.parametrize("layers", [2, 0])
def test_reading_and_one_step_are_the_networks(kind: dict[str, Any], layers: int) -> None:
    net = decoder(kind)
    if not layers:
        del net[1:3]
    tokens = torch.randint(0, 20, (1, 8), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        logits, cache = Decoder(net).read(tokens)
        expected = [logits, *(each for pair in cache.past for each in pair)]
    for found in (run(reading_graph(net, tokens)), run(step_graph(net, tokens))):
        assert len(found) == 1 + 2 * layers
        for ours, theirs in zip(found, expected, strict=True):
            np.testing.assert_allclose(ours, theirs.numpy(), atol=1e-5)


def test_a_step_takes_one_token_and_what_is_kept_of_the_others() -> None:
    graph = step_graph(decoder(LLAMA), torch.arange(7)[None])
    assert [each.shape for each in graph.sample] == [(1, 1)] + [(1, 2, 6, 4)] * 4
    with pytest.raises(InvalidInput, match="decoder"):
        step_graph(decoder(LLAMA)[:2], torch.arange(7)[None])
