"""Capture: what each layer outputs, and nothing of the network changed."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch

from core.errors import InvalidInput
from core.networks import capture as module
from core.networks.answers import logits
from core.networks.capture import batches, capture, layers_of
from core.networks.trees import leaves
from core.supernets.families import FAMILIES
from tests.helpers.families import IMAGE_FAMILIES
from tests.helpers.nets import disturb, random_dataset, small_cnn
from tests.helpers.plain_nets import example_net, example_samples


def extracted(family: str = "elastic_cnn", seed: int = 0) -> torch.nn.Sequential:
    plugin = FAMILIES.get(family)
    torch.manual_seed(seed)
    supernet = disturb(plugin(plugin.example((1, 8, 8))), seed)
    images = torch.from_numpy(random_dataset(40).calibration.x)
    return supernet.extract(supernet.largest, supernet.calibrate(supernet.largest, images))


@pytest.fixture
def images() -> np.ndarray:
    return random_dataset(300).train.x


@pytest.mark.parametrize("family", IMAGE_FAMILIES)
def test_stages_are_captured_as_running_them_by_hand_gives(family: str, images: np.ndarray) -> None:
    net = extracted(family)
    names = [layer.layer_id for layer in layers_of(net, images)]
    assert names == [str(i) for i in range(len(net))]
    found = capture(net, images, names, pooling="flattened")
    x = torch.from_numpy(images)
    with torch.no_grad():
        for name, stage in zip(names, net, strict=True):
            x = stage(x)
            assert np.allclose(found[name], leaves(x)[0].flatten(1).numpy(), atol=1e-5)
    assert np.allclose(logits(net, images), x.numpy(), atol=1e-5)


def test_poolings_agree_with_each_other(images: np.ndarray) -> None:
    net = extracted()
    flat, pooled, positions = (
        capture(net, images, ["2"], pooling=p)["2"] for p in (*module.POOLINGS[1::-1], "positions")
    )
    n, units = pooled.shape
    maps = flat.reshape(n, units, -1)
    assert np.allclose(maps.mean(2), pooled, atol=1e-5)
    assert np.array_equal(positions.reshape(n, -1, units), maps.transpose(0, 2, 1))


def test_tokens_are_pooled_over_tokens(images: np.ndarray) -> None:
    net = extracted("elastic_vit")
    flat, pooled, positions = (
        capture(net, images, ["1"], pooling=p)["1"] for p in ("flattened", "pooled", "positions")
    )
    tokens = flat.reshape(len(images), -1, pooled.shape[1])
    assert np.allclose(tokens.mean(1), pooled, atol=1e-5)
    assert np.array_equal(positions, tokens.reshape(-1, pooled.shape[1]))


def test_layers_inside_come_before_their_stage(images: np.ndarray) -> None:
    net = extracted()
    found = layers_of(net, images, ["stem"], inside=True)
    names = [layer.layer_id for layer in found]
    assert names[:3] == ["0.conv", "0.norm", "0"]
    assert found[0].label == "stem · conv"
    assert found[0].units == net[0].conv.out_channels
    inside = capture(net, images, ["0.norm", "0"], pooling="flattened")
    assert np.allclose(np.maximum(inside["0.norm"], 0), inside["0"], atol=1e-6)


def test_a_training_net_comes_back_as_it_was(images: np.ndarray) -> None:
    net = extracted()
    net.train()
    net[1].eval()
    before = {name: module.training for name, module in net.named_modules()}
    state = {name: t.clone() for name, t in net.state_dict().items()}
    capture(net, images, ["1"])
    with pytest.raises(InvalidInput):
        capture(net, images, ["1"], pooling="nonsense")
    with pytest.raises(InvalidInput, match="no layer"):
        list(batches(net, images, ["99"]))
    assert before == {name: module.training for name, module in net.named_modules()}
    assert all(torch.equal(t, state[name]) for name, t in net.state_dict().items())
    assert not any(m._forward_hooks for m in net.modules())


def test_hooks_are_removed_when_a_pass_fails() -> None:
    net = extracted()
    with pytest.raises(RuntimeError):
        capture(net, np.zeros((2, 3, 8, 8), np.float32), ["1"])
    assert not any(m._forward_hooks for m in net.modules())


def test_two_visitors_get_their_own_activations() -> None:
    net = extracted()
    inputs = [np.full((200, 1, 8, 8), v, np.float32) for v in (0.0, 1.0)]
    expected = [capture(net, x, ["1"])["1"] for x in inputs]
    wrong: list[int] = []

    def look(k: int) -> None:
        for _ in range(20):
            if not np.array_equal(capture(net, inputs[k], ["1"])["1"], expected[k]):
                wrong.append(k)

    threads = [threading.Thread(target=look, args=(k,)) for k in (0, 1, 0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not wrong


def test_too_wide_layers_are_refused_with_a_way_out(
    monkeypatch: pytest.MonkeyPatch, images: np.ndarray
) -> None:
    monkeypatch.setattr(module, "MOST_UNITS", 10)
    monkeypatch.setattr(module, "MOST_ROWS", 100)
    for pooling in ("flattened", "positions"):
        with pytest.raises(InvalidInput, match="choose pooled"):
            capture(extracted(), images, ["1"], pooling=pooling)


def test_batches_do_not_keep_what_they_gave(images: np.ndarray) -> None:
    sizes = [len(out["0"].output) for out in batches(extracted(), images, ["0"], size=128)]
    assert sizes == [128, 128, 44]


def test_small_cnn_is_not_touched_by_extraction() -> None:
    supernet = small_cnn()
    before = {n: t.clone() for n, t in supernet.state_dict().items()}
    images = torch.from_numpy(random_dataset(40).calibration.x)
    net = supernet.extract(supernet.smallest, supernet.calibrate(supernet.smallest, images))
    capture(net, images.numpy(), ["0"])
    assert all(torch.equal(t, before[n]) for n, t in supernet.state_dict().items())


class Pair(torch.nn.Module):
    """Carries a mask along, as encoders do."""

    def forward(self, x: tuple[torch.Tensor, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        return x[0] * x[1] + 1, x[1]


def test_inputs_and_outputs_may_be_trees() -> None:
    rng = np.random.default_rng(0)
    x, mask = rng.random((300, 4), np.float32), (rng.random((300, 1)) > 0.5).astype(np.float32)
    net = torch.nn.Sequential(Pair(), Pair())
    assert [(layer.layer_id, layer.units) for layer in layers_of(net, (x, mask))] == [("0", 4), ("1", 4)]
    found = capture(net, (x, mask), ["0", "1"])
    assert np.allclose(found["0"], x * mask + 1)
    assert np.allclose(found["1"], (x * mask + 1) * mask + 1)


def texts(n: int = 12) -> tuple[torch.nn.Sequential, torch.Tensor, torch.Tensor]:
    """A text encoder, tokens and the mask of texts of different lengths."""
    plugin = FAMILIES.get("elastic_encoder")
    torch.manual_seed(0)
    net = disturb(plugin(plugin.examples()[0]))
    tokens, mask = net.task.random_inputs(net.config, n, torch.Generator().manual_seed(1))
    assert not mask.all()
    return net.extract(net.largest), tokens, mask


@pytest.mark.parametrize("layer", ["1", "1.norm2", "1.value"])
def test_padding_of_texts_counts_in_no_mean_and_is_no_row(layer: str) -> None:
    net, tokens, mask = texts()
    raw = next(batches(net, (tokens, mask), [layer]))[layer].output
    pooled, positions, flat = (
        capture(net, (tokens, mask), [layer], pooling=p)[layer] for p in ("pooled", "positions", "flattened")
    )
    lengths = mask.sum(1).tolist()
    for row, length in enumerate(lengths):  # texts are padded behind
        np.testing.assert_allclose(pooled[row], raw[row, :length].mean(0), atol=1e-6)
        assert not flat.reshape(raw.shape)[row, length:].any()
    np.testing.assert_array_equal(positions, torch.cat([raw[r, :n] for r, n in enumerate(lengths)]).numpy())
    assert len(positions) == sum(lengths)


@pytest.mark.parametrize("pooling", module.POOLINGS)
def test_what_stands_in_the_padding_changes_nothing(pooling: str) -> None:
    net, tokens, mask = texts()
    other = torch.where(mask, tokens, 10 - tokens)
    names = [layer.layer_id for layer in layers_of(net, (tokens, mask), inside=True)]
    first, second = (capture(net, (x, mask), names, pooling=pooling) for x in (tokens, other))
    for name in names:
        np.testing.assert_allclose(first[name], second[name], atol=1e-6)


def test_scored_positions_of_a_decoder_are_no_mask() -> None:
    chain = example_net("decoder_block")
    tokens, scored = example_samples(chain, "decoder_block")
    found = capture(chain, (tokens, scored), ["1"], pooling="positions")["1"]
    assert len(found) == tokens.numel()
