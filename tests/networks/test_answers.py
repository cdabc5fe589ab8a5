"""The one way to ask a network: batches, modes, trees of inputs, and the count that a card says."""

from __future__ import annotations

import threading
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from core.export.predicting import common
from core.networks import answers, chain
from core.networks.answers import accuracy, correct_on, count_correct, logits, outputs, predictions
from core.networks.blocks.base import BlockKind
from tests.helpers.nets import random_dataset
from tests.helpers.plain_nets import extracted


class Seen(nn.Module):
    """Adds up what it is given, and remembers in which mode and how many rows."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 2)
        self.drop = nn.Dropout()
        self.rows: list[int] = []

    def forward(self, x: Any) -> Tensor:
        first, other = (x["left"], x["both"][0]) if isinstance(x, dict) else (x, torch.zeros(()))
        self.rows.append(len(first))
        assert not self.training
        assert not torch.is_grad_enabled()
        return self.drop(self.linear(first)) + other


def test_inputs_go_in_batches_of_one_size_whatever_tree_they_are() -> None:
    rng = np.random.default_rng(0)
    left, other = rng.random((600, 3), np.float32), rng.random((600, 1), np.float32)
    net = Seen().eval()
    found = outputs(net, {"left": left, "both": (other,)})
    assert net.rows == [256, 256, 88]
    assert torch.allclose(found, net.linear(torch.from_numpy(left)) + torch.from_numpy(other), atol=1e-6)


def test_a_network_in_training_is_asked_in_eval_mode_and_comes_back_as_it_was() -> None:
    net = Seen().train()
    net.linear.eval()
    before = {name: module.training for name, module in net.named_modules()}
    outputs(net, np.zeros((4, 3), np.float32))
    with pytest.raises(RuntimeError):
        outputs(net, np.zeros((4, 9), np.float32))
    assert before == {name: module.training for name, module in net.named_modules()}


def test_a_shared_network_is_not_touched(monkeypatch: pytest.MonkeyPatch) -> None:
    net = Seen().eval()
    monkeypatch.setattr(nn.Module, "train", lambda *_: pytest.fail("a shared network was switched"))
    outputs(net, np.zeros((4, 3), np.float32))


def test_different_networks_do_not_wait_for_each_other() -> None:
    one, other = Seen().eval(), Seen().eval()
    done = threading.Event()

    def ask() -> None:
        outputs(other, np.zeros((2, 3), np.float32))
        done.set()

    with answers.evaluating(one):
        threading.Thread(target=ask, daemon=True).start()
        assert done.wait(20)


def test_read_only_arrays_are_fine() -> None:
    x = np.zeros((4, 3), np.float32)
    x.flags.writeable = False
    assert logits(Seen().eval(), x).shape == (4, 2)


def test_counts_are_those_that_the_download_prints_bit_for_bit() -> None:
    net, dataset = extracted(), random_dataset(600)
    data = dataset.train
    x, y = torch.from_numpy(data.x), torch.from_numpy(data.y)
    assert answers.BATCH == common.BATCH
    assert torch.equal(outputs(net, data.x), common.logits(net, x))
    assert count_correct(net, data.x, data.y) == common.count_correct(net, x, y) > 0
    assert correct_on(net, dataset, "test", most=70) == (
        count_correct(net, dataset.test.x[:70], dataset.test.y[:70]),
        70,
    )
    assert accuracy(net, dataset, "train") == count_correct(net, data.x, data.y) / 600
    right = predictions(net, data.x[:100]) == data.y[:100]
    assert accuracy(net, dataset, "train", most=100) == right.mean()
    assert predictions(net, data.x[:0]).shape == (0,)


class Whole(nn.Module):
    """Says of every row how far it is above the mean of all rows: rows that belong together."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x - x.mean(0), torch.zeros_like(x)], 1)


class WholeKind(BlockKind):
    module = Whole
    arguments: ClassVar = {}
    one_batch = True

    def units(self, block: Any, walk: Any) -> None: ...


def test_rows_that_belong_together_stay_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chain, "known_kind", lambda block: WholeKind() if type(block) is Whole else None)
    net, x = nn.Sequential(Whole()), np.arange(700, dtype=np.float32)[:, None]
    assert torch.allclose(outputs(net, x)[:, 0], torch.arange(700) - 349.5)
    targets = np.ones(10, np.int64)  # of the first ten rows: below the mean, so the second class is right
    assert count_correct(net, x, targets) == 10
