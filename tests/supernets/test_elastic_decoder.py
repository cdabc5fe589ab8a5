"""The decoder family against the published formulas, its space and costs by hand, and its walk against one by one."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from core.errors import InvalidInput
from core.evaluation.costs import CostTable
from core.evaluation.evaluator import evaluate_table
from core.supernets.elastic_decoder import ElasticDecoder
from core.supernets.files import build, dump_supernet
from core.supernets.ordering import order_units
from core.tasks.base import EvaluationData
from tests.helpers.nets import disturb

LLAMA = 0
GPT2 = 1


def small(example: int = LLAMA, **changes: Any) -> ElasticDecoder:
    torch.manual_seed(0)
    config = ElasticDecoder.examples()[example].model_dump() | changes
    net = disturb(build("elastic_decoder", config))
    return net.requires_grad_(False)  # type: ignore[return-value]


def windows(net: ElasticDecoder, n: int = 5) -> tuple[Tensor, Tensor]:
    found: tuple[Tensor, Tensor] = net.task.random_inputs(net.config, n, torch.Generator().manual_seed(1))
    return found


# --- the formulas ------------------------------------------------------------------------------------


def normalized(x: Tensor, state: dict[str, Tensor], name: str, epsilon: float) -> Tensor:
    if f"{name}.bias" in state:
        x = x - x.mean(-1, keepdim=True)
    scale = (x.square().mean(-1, keepdim=True) + epsilon).rsqrt()
    return x * scale * state[f"{name}.weight"] + state.get(f"{name}.bias", torch.zeros(()))


def layer(x: Tensor, state: dict[str, Tensor], name: str) -> Tensor:
    return x @ state[f"{name}.weight"].T + state.get(f"{name}.bias", torch.zeros(()))


def rotated(x: Tensor, at: int, theta: float) -> Tensor:
    """One head's query or key at a position: pairs (i, i + half) turn by at * theta^(-2 i / size)."""
    half, found = len(x) // 2, x.clone()
    for i in range(half):
        angle = torch.tensor(at * theta ** (-2 * i / len(x)))
        found[i] = x[i] * angle.cos() - x[i + half] * angle.sin()
        found[i + half] = x[i + half] * angle.cos() + x[i] * angle.sin()
    return found


def attended(y: Tensor, state: dict[str, Tensor], net: ElasticDecoder) -> Tensor:
    """Causal attention of one window's normalized vectors (t, width), position by position, head by head."""
    config, t, size = net.config, len(y), net.config.head_size
    query, key, value = (
        layer(y, state, name).view(t, -1, size).clone() for name in ("query", "key_", "value")
    )
    if config.positions == "rotary":
        for part in (query, key):
            for at in range(t):
                for head in range(part.shape[1]):
                    part[at, head] = rotated(part[at, head], at, config.theta)
    group = query.shape[1] // key.shape[1]
    found = torch.zeros_like(query)
    for at in range(t):
        for head in range(query.shape[1]):
            scores = key[: at + 1, head // group] @ query[at, head] / size**0.5
            found[at, head] = scores.softmax(0) @ value[: at + 1, head // group]
    return layer(found.flatten(1), state, "project")


def by_formula(net: ElasticDecoder, tokens: Tensor) -> Tensor:
    """Logits (t, vocabulary) of one window at every position, by the largest network, in plain formulas."""
    config, states = net.config, [stage.state_dict() for stage in net.chain]
    x = states[0]["token.weight"][tokens]
    if config.positions == "learned":
        x = x + states[0]["position.weight"][: len(tokens)]
    for state in states[1:-1]:
        x = x + attended(normalized(x, state, "norm1", config.epsilon), state, net)
        y = normalized(x, state, "norm2", config.epsilon)
        wide = layer(y, state, "expand")
        if config.mlp == "gated_silu":
            gate = layer(y, state, "gate")
            wide = gate / (1 + (-gate).exp()) * wide
        else:
            wide = 0.5 * wide * (1 + torch.tanh((2 / torch.pi) ** 0.5 * (wide + 0.044715 * wide**3)))
        x = x + layer(wide, state, "contract")
    return normalized(x, states[-1], "norm", config.epsilon) @ states[-1]["table.weight"].T


@pytest.mark.parametrize("example", [LLAMA, GPT2], ids=["llama", "gpt2"])
def test_the_largest_computes_the_published_formulas(example: int) -> None:
    net = small(example)
    tokens, scored = windows(net)
    expected = torch.stack([by_formula(net, each)[at] for each, at in zip(tokens, scored, strict=True)])
    torch.testing.assert_close(net((tokens, scored), net.largest), expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("example", [LLAMA, GPT2], ids=["llama", "gpt2"])
def test_no_token_tells_of_those_behind_it(example: int) -> None:
    net = small(example)
    tokens, _ = windows(net)
    scored = torch.tensor([[1, 3, 6]]).repeat(len(tokens), 1)
    changed = tokens.clone()
    changed[:, 4:] = (changed[:, 4:] + 1) % net.config.vocabulary
    for arch in (net.smallest, net.largest):
        before, after = net((tokens, scored), arch), net((changed, scored), arch)
        assert torch.equal(before[:, :2], after[:, :2])
        assert (before[:, 2] - after[:, 2]).abs().max() > 1e-4


# --- the space ---------------------------------------------------------------------------------------


def test_six_layers_of_four_sizes_or_none_are_15_625() -> None:
    net = build(
        "elastic_decoder",
        {"layers": 6, "hidden": [32, 64, 128, 256], "skippable": [1, 2, 3, 4, 5, 6]},
    )
    assert net.space.size == 15_625
    assert net.space.to_dict(net.smallest) == {f"hidden{b}": 0 for b in range(1, 7)}
    assert net.space.to_dict(net.largest) == {f"hidden{b}": 256 for b in range(1, 7)}
    assert len(net.extract(net.smallest)) == 2


def test_heads_of_a_layer_that_is_skipped_are_no_choice() -> None:
    net = small()
    # Two widths; layers 1 and 3 may be skipped and have else three sizes and two numbers of heads.
    assert net.space.size == 2 * (1 + 6) * 6 * (1 + 6)
    assert small(GPT2).space.size == (3 * 2) * (1 + 3 * 2)


@pytest.mark.parametrize(
    "settings",
    [
        {"hidden": [64, 32]},
        {"hidden": [0, 32]},
        {"heads": [2, 3], "kv_heads": 2},
        {"heads": [1, 4], "kv_heads": 2},
        {"heads": [4], "kv_heads": 3},
        {"head_size": 5},
        {"layers": 3, "skippable": [4]},
        {"layers": 3, "skippable": [0]},
        {"layers": 0},
        {"input_shape": [64], "context": 32},
        {"hidden": [32]},
        {"theta": 1.0},
        {"epsilon": 0.0},
        {"mlp": "relu"},
        {"widths": [100_000]},
        {"hidden": [100_000, 200_000]},
    ],
)
def test_impossible_settings_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput, match="The elastic_decoder configuration is wrong"):
        build("elastic_decoder", settings)


# --- costs -------------------------------------------------------------------------------------------


def test_costs_by_hand() -> None:
    """Width 8, two layers of four hidden units with one key head for two query heads of two; ten tokens, three scored."""
    settings = {
        "input_shape": [10],
        "vocabulary": 20,
        "scored": 3,
        "layers": 2,
        "widths": [8],
        "hidden": [4],
        "heads": [2],
        "kv_heads": 1,
        "head_size": 2,
        "skippable": [2],
    }
    net = build("elastic_decoder", settings)
    table = CostTable.of(net)
    rows = np.array([net.largest, net.smallest], np.uint8)
    weights = 2 * 8 * 2 + 2 * 8 * 4 + 3 * 8 * 4  # keys and values, queries and projection, the gated MLP
    full = 10 * (weights + 2 * 10 * 4)
    scored = 10 * (2 * 8 * 2) + 3 * (2 * 8 * 4 + 3 * 8 * 4 + 2 * 10 * 4)
    head = 3 * 8 * 20
    assert table.total("macs", rows).tolist() == [full + scored + head, full + head]
    embedding = 20 * 8
    assert table.total("params", rows).tolist() == [
        embedding + 2 * (weights + 2 * 8) + 8,
        embedding + weights + 2 * 8 + 8,
    ]
    kept = [
        [cost.counted.get("kv_cache_bytes", 0) for cost in net.costs(arch)]
        for arch in (net.largest, net.smallest)
    ]
    assert kept == [[0, 2 * 1 * 2 * 4, 2 * 1 * 2 * 4, 0], [0, 2 * 1 * 2 * 4, 0]]


def test_a_tied_table_is_kept_once() -> None:
    tied, own = small(), small(tied=False)
    size = tied.config.vocabulary * 8
    assert sum(p.numel() for p in own.parameters()) == sum(p.numel() for p in tied.parameters()) + size
    assert len(dump_supernet(own, {})) > len(dump_supernet(tied, {})) + 4 * size
    plain = tied.extract(tied.largest)
    assert [name for name in plain.state_dict() if name.endswith(("token.weight", "linear.weight"))] == [
        "0.token.weight"
    ]


# --- the walk ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("example", [LLAMA, GPT2], ids=["llama", "gpt2"])
def test_the_whole_space_as_one_by_one(example: int) -> None:
    """Losses equal to 1e-6 of every subnet, cut out and run by itself."""
    net = small(example, widths=[8])
    inputs = windows(net, 12)
    targets = torch.randint(0, net.config.vocabulary, (12, 3), generator=torch.Generator().manual_seed(2))
    data = EvaluationData(inputs, targets, 0, {"validation": slice(0, 12)})
    rows = net.space.array()
    found = evaluate_table(net, rows, ["loss"], data)["loss"]
    for row, loss in zip(rows.tolist(), found.tolist(), strict=True):
        expected = net.task.losses(net.extract(row)(inputs), targets).double().mean()
        assert loss == pytest.approx(float(expected), abs=1e-6)
    assert len(set(found.tolist())) == len(rows)


@pytest.mark.parametrize("example", [LLAMA, GPT2], ids=["llama", "gpt2"])
def test_units_that_change_places_change_nothing(example: int) -> None:
    """Key heads with their queries, hidden units and the width; the embedding's table is the head's as well."""
    net = small(example)
    inputs = windows(net)
    before, smallest = net(inputs, net.largest), net(inputs, net.smallest)
    labels = [each.label for each in net.orderable()]
    assert len(labels) == 2 * net.config.layers + 1
    order_units(net, "magnitude", None)
    torch.testing.assert_close(net(inputs, net.largest), before, atol=1e-5, rtol=1e-4)
    assert (net(inputs, net.smallest) - smallest).abs().max() > 1e-4
