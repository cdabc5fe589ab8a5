"""Settings of a training: those of release 0.1 are read, and each kind of data judges its own."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from core.cli import tables
from core.errors import InvalidInput
from core.tasks.registry import TASKS
from core.training.config import TrainingConfig
from core.workflows.train_supernet import preset_request, with_settings


def test_settings_of_release_0_1_are_read_and_written_anew() -> None:
    old = {"strategy": "sandwich", "epochs": 3, "shift": 2, "flip": True}
    config = TrainingConfig.model_validate(old)
    assert config.augmentation == {"shift": 2, "flip": True}
    assert TrainingConfig.model_validate(json.loads(config.model_dump_json())) == config
    assert TrainingConfig.model_validate({"shift": 3, "augmentation": {"shift": 0}}).augmentation == {
        "shift": 0
    }
    with pytest.raises(ValidationError):
        TrainingConfig.model_validate({"drift": 2})


@pytest.mark.parametrize("name", TASKS.names())
def test_each_kind_of_data_judges_what_is_done_to_its_samples(name: str) -> None:
    task = TASKS.create(name)
    assert task.augmentation({}) == task.Augmentation()
    with pytest.raises(InvalidInput, match="nonsense"):
        task.augmentation({"nonsense": 1})
    for field in task.Augmentation.model_fields:
        with pytest.raises(InvalidInput):
            task.augmentation({field: -3})


def test_flags_reach_the_kind_of_data_and_the_card_repeats_them() -> None:
    request = preset_request("fashion-cnn")
    given = ["--flip", "false", "--shift", "2", "--epochs", "4"]
    found = tables.split_training_flags(given, request)
    assert found == {"epochs": 4, "augmentation": {"flip": False, "shift": 2}}
    changed = with_settings(request, found)
    assert changed["training"]["augmentation"] == {"flip": False, "shift": 2}
    assert changed["command"].endswith("--epochs 4 --flip false --shift 2")
    with pytest.raises(InvalidInput, match="--shift"):
        tables.split_training_flags(["--shift", "1"], preset_request("commands-encoder"))
    text = tables.split_training_flags(["--drop", "0.2"], preset_request("commands-encoder"))
    assert text == {"augmentation": {"drop": 0.2}}
