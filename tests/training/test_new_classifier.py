"""Data with other classes than a supernet has: what is before the classifier goes on, the classifier begins anew."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from core.datasets import load_dataset
from core.errors import InvalidInput
from core.library.library import Library
from core.store import MemoryLedger
from core.supernets.base import Supernet
from core.supernets.files import build, dump_supernet, load_supernet
from core.supernets.new_classifier import with_classes
from core.tasks.base import task_of
from core.workflows import train_supernet
from core.workflows.train_supernet import Request

DATA = {"name": "commands", "seed": 0, "config": {"texts": 200, "calibration": 16}}
SIZES = {"widths": [4, 6], "depths": [1, 2], "heads": [1, 2], "hidden": [4, 8], "head_size": 3}


def given(classes: int, family: str = "elastic_bert") -> Supernet:
    data = task_of(commands()).settings_from(commands())
    sizes = SIZES if family == "elastic_bert" else {"widths": [4, 6], "depths": [1]}
    torch.manual_seed(classes)
    return build(family, {**sizes, **data, "classes": classes})


def commands() -> Any:
    return load_dataset("commands", seed=0, **DATA["config"])  # type: ignore[arg-type]


def request(start: Path, family: str = "elastic_bert", **training: Any) -> Request:
    settings = {"epochs": 1, "batch_size": 32, "optimizer": "adamw", "learning_rate": 1e-12, "seed": 3}
    return Request.model_validate(
        {
            "title": "Other classes",
            "family": family,
            "config": {},
            "data": DATA,
            "training": settings | training,
            "start": str(start),
        }
    )


def test_everything_but_the_classifier_is_kept() -> None:
    net = given(3)
    net.tokenizer = b"{}"
    made = with_classes(net, 6, seed=1)
    assert (made.classes, made.space, made.tokenizer) == (6, net.space, b"{}")
    state = net.state_dict()
    changed = {name for name, tensor in made.state_dict().items() if not torch.equal(tensor, state[name])}
    assert changed == {"stages.3.linear.weight", "stages.3.linear.bias"}
    assert torch.equal(made.chain[-1].linear.weight, with_classes(net, 6, seed=1).chain[-1].linear.weight)
    assert not torch.equal(made.chain[-1].linear.weight, with_classes(net, 6, seed=2).chain[-1].linear.weight)


def test_a_training_draws_it_and_says_so_in_words_and_on_the_card(tmp_path: Path) -> None:
    net, file = given(3), tmp_path / "three.safetensors"
    file.write_bytes(dump_supernet(net, {}))
    ledger = MemoryLedger()
    steps = list(train_supernet.run(request(file), ledger, Library()))
    said = [step.message for step in steps if "a new classifier is drawn" in step.message]
    assert len(said) == 1
    assert "has 6 classes, the network tells 3 apart" in said[0]
    made, card = load_supernet(ledger.artifact("supernet.safetensors"))
    assert card["new_classifier"] == said[0]
    assert made.classes == 6
    torch.testing.assert_close(
        made.chain[1].query.weight, net.chain[1].query.weight.detach(), atol=1e-6, rtol=0
    )


def test_as_many_classes_go_on_as_they_are_and_nothing_is_said(tmp_path: Path) -> None:
    net, file = given(6), tmp_path / "six.safetensors"
    file.write_bytes(dump_supernet(net, {}))
    ledger = MemoryLedger()
    assert not [
        s for s in train_supernet.run(request(file), ledger, Library()) if "new classifier" in s.message
    ]
    made, card = load_supernet(ledger.artifact("supernet.safetensors"))
    assert "new_classifier" not in card
    torch.testing.assert_close(
        made.chain[-1].linear.weight, net.chain[-1].linear.weight.detach(), atol=1e-6, rtol=0
    )


def test_nothing_imitates_a_classifier_that_was_just_drawn(tmp_path: Path) -> None:
    file = tmp_path / "three.safetensors"
    file.write_bytes(dump_supernet(given(3), {}))
    with pytest.raises(InvalidInput, match="Set teacher to full"):
        list(train_supernet.run(request(file, strategy="insta_tune"), MemoryLedger(), Library()))
    full = request(file, strategy="insta_tune", strategy_config={"teacher": "full"})
    assert list(train_supernet.run(full, MemoryLedger(), Library()))


def test_families_that_do_not_draw_one_are_refused_as_ever(tmp_path: Path) -> None:
    file = tmp_path / "encoder.safetensors"
    file.write_bytes(dump_supernet(given(3, "elastic_encoder"), {}))
    with pytest.raises(InvalidInput, match="classes is 6"):
        list(train_supernet.run(request(file, "elastic_encoder"), MemoryLedger(), Library()))
