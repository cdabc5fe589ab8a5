"""Prefix slices written out with NumPy, and what padding and the order of nodes must not change."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from core.errors import InvalidInput
from core.supernets.base import Supernet
from core.supernets.elastic_encoder import ElasticEncoder, ElasticEncoderConfig
from core.supernets.elastic_gcn import ElasticGCN, ElasticGCNConfig
from core.supernets.files import build
from core.supernets.sliced import copy_linear, copy_norm, linear, normalized
from core.supernets.stage_cost import StageCost, counts
from core.supernets.statistics import EPSILON, ElasticBatchNorm, Statistics, stored_bytes
from tests.helpers.nets import disturb

ENCODER = ElasticEncoderConfig(
    input_shape=(7,), vocabulary=11, classes=3, widths=(4, 6), depths=(1, 2), heads=(1, 3), head_size=3
)
GRAPH = ElasticGCNConfig(input_shape=(5,), classes=3, widths=(4, 6), depths=(1, 2), nodes=12, edges=30)
SMALL = settings(max_examples=40, deadline=None)


@pytest.fixture(scope="module")
def encoder() -> Supernet:
    torch.manual_seed(0)
    return disturb(ElasticEncoder(ENCODER)).requires_grad_(False)


@pytest.fixture(scope="module")
def gcn() -> Supernet:
    torch.manual_seed(0)
    return disturb(ElasticGCN(GRAPH)).requires_grad_(False)


def archs(net: Supernet, n: int = 6) -> list[tuple[int, ...]]:
    rows = net.space.sample_array(n, np.random.default_rng(1)).tolist()
    return [net.smallest, net.largest, *map(tuple, rows)]


# --- slices ---------------------------------------------------------------------------------------------


@SMALL
@given(width=st.integers(1, 6), out=st.integers(1, 5), seed=st.integers(0, 99))
def test_a_slice_is_the_first_rows_and_columns(width: int, out: int, seed: int) -> None:
    torch.manual_seed(seed)
    layer, norm = nn.Linear(6, 5), nn.LayerNorm(6)
    with torch.no_grad():
        norm.weight.uniform_(-1, 1)
        norm.bias.uniform_(-1, 1)
        x = torch.randn(2, 3, width)
        w, b = layer.weight.numpy(), layer.bias.numpy()
        np.testing.assert_allclose(linear(layer, x, out), x.numpy() @ w[:out, :width].T + b[:out], atol=1e-5)
        centered = x.numpy() - x.numpy().mean(-1, keepdims=True)
        scaled = centered / np.sqrt((centered**2).mean(-1, keepdims=True) + norm.eps)
        wanted = scaled * norm.weight.numpy()[:width] + norm.bias.numpy()[:width]
        np.testing.assert_allclose(normalized(norm, x), wanted, atol=1e-4)
        plain, alone = nn.Linear(width, out), nn.LayerNorm(width)
        copy_linear(layer, plain)
        copy_norm(norm, alone)
        torch.testing.assert_close(plain(x), linear(layer, x, out))
        torch.testing.assert_close(alone(x), normalized(norm, x))
        plain.weight.zero_()
        assert layer.weight.abs().min() > 0, "a copy, not a view"


def test_a_deeper_subnet_begins_as_the_shallower_one(encoder: Supernet, gcn: Supernet) -> None:
    """What flows after the first block does not depend on whether a second one follows."""
    for net in (encoder, gcn):
        x = net.task.random_inputs(net.config, 9, torch.Generator().manual_seed(0))
        shallow = list(net.largest)
        shallow[net.space.position["depth"]] = 0
        for arch in (net.largest, net.space.canonical(shallow)):
            flow = x
            for stage in net.chain[:2]:
                flow = stage(flow, arch)
            if arch == net.largest:
                kept = flow
        assert torch.equal(flow[0], kept[0])
        assert net.chain[2].key(arch) is None
        assert torch.equal(net.chain[-1](flow, arch), net(x, arch))


# --- texts ----------------------------------------------------------------------------------------------


def text(words: list[int], length: int = 7, filling: int = 0) -> tuple[Tensor, Tensor]:
    tokens = torch.tensor([[*words, *[filling] * (length - len(words))]])
    return tokens, torch.arange(length)[None] < len(words)


@SMALL
@given(
    words=st.lists(st.integers(1, 10), min_size=1, max_size=6),
    filling=st.integers(0, 10),
    others=st.lists(st.lists(st.integers(1, 10), min_size=1, max_size=7), max_size=3),
)
def test_neither_padding_nor_other_texts_change_an_answer(
    encoder: Supernet, words: list[int], filling: int, others: list[list[int]]
) -> None:
    for arch in archs(encoder, 2):
        alone = encoder(text(words), arch)
        torch.testing.assert_close(encoder(text(words, filling=filling), arch), alone, atol=1e-5, rtol=1e-4)
        rows = [text(words), *map(text, others)]
        together = (torch.cat([r[0] for r in rows]), torch.cat([r[1] for r in rows]))
        torch.testing.assert_close(encoder(together, arch)[:1], alone, atol=1e-5, rtol=1e-4)


def test_a_shorter_supernet_with_the_same_weights_answers_the_same(encoder: Supernet) -> None:
    """Cut the padding off altogether: what is masked is as good as not there."""
    short = ElasticEncoder(ENCODER.model_copy(update={"input_shape": (4,)})).requires_grad_(False)
    state = {name: t[:, :4] if name.endswith("position") else t for name, t in encoder.state_dict().items()}
    short.load_state_dict(state)
    for words in ([1], [3, 9, 2], [10, 10, 1, 4]):
        for arch in archs(encoder):
            torch.testing.assert_close(
                short(text(words, 4), arch), encoder(text(words), arch), atol=1e-5, rtol=1e-4
            )


def test_words_and_their_order_do_matter(encoder: Supernet) -> None:
    for arch in archs(encoder):
        seen = [encoder(text(words), arch) for words in ([1, 2, 3], [1, 3, 2], [1, 2], [1, 2, 4])]
        for i, one in enumerate(seen):
            assert all((one - other).abs().max() > 1e-4 for other in seen[:i])


def test_a_text_of_nothing_has_a_finite_answer(encoder: Supernet) -> None:
    for arch in archs(encoder):
        tokens, mask = text([1, 2, 3])
        for net in (lambda x, arch=arch: encoder(x, arch), encoder.extract(arch)):
            assert torch.isfinite(net((tokens, torch.zeros_like(mask)))).all()


# --- graphs ---------------------------------------------------------------------------------------------


@st.composite
def graphs(draw: st.DrawFn) -> tuple[Tensor, Tensor]:
    n = draw(st.integers(1, 9))
    ends = draw(st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)), max_size=15))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 99)))
    return torch.randn(n, 5, generator=generator), torch.tensor(ends, dtype=torch.int64).view(-1, 2).T


@SMALL
@given(graph=graphs(), seed=st.integers(0, 99))
def test_names_of_nodes_and_order_of_edges_change_no_answer(
    gcn: Supernet, graph: tuple[Tensor, Tensor], seed: int
) -> None:
    features, edges = graph
    generator = torch.Generator().manual_seed(seed)
    order = torch.randperm(len(features), generator=generator)
    place = torch.argsort(order)
    mixed = place[edges][:, torch.randperm(edges.shape[1], generator=generator)]
    for arch in archs(gcn, 2):
        before, after = gcn(graph, arch), gcn((features[order], mixed), arch)
        torch.testing.assert_close(after, before[order], atol=1e-4, rtol=1e-3)


def spread(vectors: np.ndarray, edges: np.ndarray, hops: int) -> np.ndarray:
    """Kipf and Welling: D^-1/2 (A + I) D^-1/2, with D counting what arrives, as dense matrices."""
    n = len(vectors)
    adjacency = np.eye(n)
    for a, b in edges.T:
        adjacency[b, a] += 1
    scale = np.diag(adjacency.sum(1) ** -0.5)
    return np.linalg.matrix_power(scale @ adjacency @ scale, hops) @ vectors


@SMALL
@given(graph=graphs())
def test_a_block_is_the_normalized_adjacency_then_an_mlp(gcn: Supernet, graph: tuple[Tensor, Tensor]) -> None:
    _, edges = graph
    stem, block = gcn.chain[0], gcn.chain[1]
    for arch in archs(gcn, 3):
        width, hidden, hops = block._sizes(arch)
        flow = stem(graph, arch)
        x = flow[0].double().numpy()
        centered = x - x.mean(-1, keepdims=True)
        y = centered / np.sqrt((centered**2).mean(-1, keepdims=True) + block.norm.eps)
        y = y * block.norm.weight[:width].numpy() + block.norm.bias[:width].numpy()
        y = spread(y, edges.numpy(), hops)
        inside = np.maximum(
            y @ block.expand.weight[:hidden, :width].numpy().T + block.expand.bias[:hidden].numpy(), 0
        )
        wanted = (
            x
            + inside @ block.contract.weight[:width, :hidden].numpy().T
            + block.contract.bias[:width].numpy()
        )
        np.testing.assert_allclose(block(flow, arch)[0], wanted, atol=1e-4, rtol=1e-3)


def test_an_answer_reaches_as_far_as_the_hops_say(gcn: Supernet) -> None:
    """On a path, a node hears of those within the sum of hops, and of no one farther."""
    n = 9
    pairs = torch.stack([torch.arange(n - 1), torch.arange(1, n)])
    edges, features = (
        torch.cat([pairs, pairs.flip(0)], 1),
        torch.randn(n, 5, generator=torch.Generator().manual_seed(0)),
    )
    for arch in archs(gcn, 8):
        depth = int(gcn.space.option(arch, "depth"))
        reach = sum(int(gcn.space.option(arch, f"hops{b}")) for b in range(1, depth + 1))
        changed = features.clone()
        changed[0] += 1
        moved = (gcn((features, edges), arch) - gcn((changed, edges), arch)).abs().amax(1) > 1e-7
        assert moved.tolist() == [node <= reach for node in range(n)]


# --- BatchNorm ------------------------------------------------------------------------------------------


@SMALL
@given(rows=st.integers(2, 8), channels=st.integers(1, 4), flat=st.booleans(), seed=st.integers(0, 99))
def test_batch_norm_measures_the_leading_rows_and_normalizes_all(
    rows: int, channels: int, flat: bool, seed: int
) -> None:
    torch.manual_seed(seed)
    layer = ElasticBatchNorm(4)
    with torch.no_grad():
        layer.weight.uniform_(0.5, 2)
        layer.bias.uniform_(-1, 1)
        layer.label = "here"
        x = torch.randn((8, channels) if flat else (8, channels, 3, 2)) * 3 + 1
        statistics = Statistics(recording=True, rows=rows)
        found = layer(x, statistics).numpy()
        axes, shape = ((0,), (1, -1)) if flat else ((0, 2, 3), (1, -1, 1, 1))
        part = x[:rows].double().numpy()
        mean, var = part.mean(axes), part.var(axes)
        scaled = (x.numpy() - mean.reshape(shape)) / np.sqrt(var.reshape(shape) + EPSILON)
        w, b = (p[:channels].numpy().reshape(shape) for p in (layer.weight, layer.bias))
        np.testing.assert_allclose(found, scaled * w + b, atol=1e-4, rtol=1e-4)
        np.testing.assert_allclose(statistics["here"][1], var, rtol=1e-4, atol=1e-6)
        statistics.recording = False
        kept = {name: (m.clone(), v.clone()) for name, (m, v) in statistics.items()}
        again = layer(2 * x, statistics)
        assert all(torch.equal(kept["here"][i], statistics["here"][i]) for i in (0, 1)), "no longer measured"
        assert not torch.allclose(again, torch.from_numpy(found))
        if not flat:
            stock = layer.extract(channels, statistics).eval()
            torch.testing.assert_close(stock(2 * x), again, atol=1e-5, rtol=1e-4)
            assert sum(t.nbytes for t in stock.buffers()) == stored_bytes(channels)
        with pytest.raises(KeyError):
            layer.extract(channels, None)
        with pytest.raises(KeyError):
            layer(x, Statistics())


# --- configurations and costs -----------------------------------------------------------------------------


@pytest.mark.parametrize("family", ["elastic_encoder", "elastic_gcn"])
@pytest.mark.parametrize("wrong", [[], [4, 4], [8, 4], [0, 4], [4, 2000]])
def test_impossible_widths_are_one_sentence(family: str, wrong: list[int]) -> None:
    with pytest.raises(InvalidInput, match=f"The {family} configuration is wrong") as refusal:
        build(family, {"widths": wrong})
    said = str(refusal.value)
    assert "ascending positive numbers" in said or "at most width 1,024" in said


names = st.text(max_size=8)


@SMALL
@given(
    texts=st.tuples(names, names, names, names),
    shape=st.lists(st.integers(1, 99), max_size=3).map(tuple),
    macs=st.integers(0, 2**40),
    params=st.integers(0, 2**40),
    rest=st.integers(0, 2**20),
)
def test_what_a_stage_costs_survives_json_in_both_forms(
    texts: tuple[str, str, str, str], shape: tuple[int, ...], macs: int, params: int, rest: int
) -> None:
    import json

    label, group, kind, detail = texts
    cost = StageCost(
        label, group, kind, shape, 5, counts(macs=macs, params=params, buffer_bytes=rest), detail
    )
    assert StageCost.from_json(json.loads(json.dumps(cost.to_json()))) == cost
    assert (cost.macs, cost.params, cost.counted["bytes"]) == (macs, params, 4 * params + rest)
    assert cost.output_size == int(np.prod(shape, dtype=object))
    old = {key: value for key, value in cost.to_json().items() if key != "counted"}
    assert StageCost.from_json(old | {"macs": macs, "params": params, "buffer_bytes": rest}) == cost
    with pytest.raises((KeyError, TypeError, ValueError)):
        StageCost.from_json(old)
