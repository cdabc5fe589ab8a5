"""What the tracer of ONNX graphs was taught: RMSNorm, and attention whose keys serve groups of heads."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from core.networks.onnx_tracing import graph_bytes


def answered(net: nn.Module, inputs: tuple[torch.Tensor, ...]) -> Any:
    names = [f"x{i}" for i in range(len(inputs))]
    data = graph_bytes(net, inputs, names=names, outputs=["y"], axes={names[0]: {0: "batch"}})
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    return session.run(None, {n: x.numpy() for n, x in zip(names, inputs, strict=True)})[0]


@pytest.mark.parametrize("epsilon", [1e-5, 0.1, None])
def test_rms_norm(epsilon: float | None) -> None:
    torch.manual_seed(0)
    net = nn.RMSNorm(6, epsilon)
    nn.init.normal_(net.weight)
    x = torch.randn(3, 4, 6) * 0.3
    with torch.no_grad():
        np.testing.assert_allclose(answered(net, (x,)), net(x).numpy(), atol=1e-6)


class Grouped(nn.Module):
    def __init__(self, causal: bool, grouped: bool) -> None:
        super().__init__()
        self.causal, self.grouped = causal, grouped

    def forward(
        self, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: Any = None
    ) -> torch.Tensor:
        return F.scaled_dot_product_attention(
            query, key, value, attn_mask=mask, is_causal=self.causal, enable_gqa=self.grouped
        )


@pytest.mark.parametrize("heads", [2, 6])
@pytest.mark.parametrize("masked", ["causal", "each", "one", "none"])
def test_attention(heads: int, masked: str) -> None:
    torch.manual_seed(1)
    queries = 5 if masked == "causal" else 3
    inputs = [torch.randn(3, heads, queries, 4), torch.randn(3, 2, 5, 4), torch.randn(3, 2, 5, 4)]
    if masked in ("each", "one"):
        shape = (3, 1, 3, 5) if masked == "each" else (3, 5)
        inputs.append((torch.rand(shape) < 0.4).float() * -1e4)
    net = Grouped(masked == "causal", heads > 2)
    np.testing.assert_allclose(answered(net, tuple(inputs)), net(*inputs).numpy(), atol=1e-6)
