"""The workflow from request to supernet file, and the command that the card says makes it again."""

from __future__ import annotations

import contextlib
import json
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from core.cli import tables
from core.datasets import load_dataset
from core.errors import InvalidInput, NotFound
from core.evaluation.evaluator import evaluate_table
from core.library.library import Library
from core.library.presets import PRESETS
from core.library.supernets import SUPERNET_FILE
from core.store import MemoryLedger
from core.supernets import FAMILIES
from core.supernets.files import load_supernet
from core.tasks.base import evaluation_data
from core.training.strategies import STRATEGIES
from core.workflows import train_supernet
from core.workflows.train_supernet import Request, preset_request, with_settings
from tests.training.small import RecordingLedger, digest

ROOT = Path(__file__).resolve().parents[2]
TRAINABLE = [name for name, preset in PRESETS.items() if preset["family"] in FAMILIES.names()]
DATA = {
    "name": "digits",
    "seed": 1,
    "config": {"limit_train": 128, "calibration": 64, "limit_validation": 100},
}


def request(**training: Any) -> Request:
    groups = [{"widths": [2, 4]}, {"widths": [3, 6], "kernels": [1, 3]}]
    return Request.model_validate(
        {
            "title": "Tiny",
            "family": "elastic_cnn",
            "config": {"groups": groups},
            "data": DATA,
            "command": "the command",
            "training": {"epochs": 3, "batch_size": 32, "seed": 4} | training,
        }
    )


def test_the_file_holds_the_trained_weights_and_a_card_that_tells_everything() -> None:
    ledger = MemoryLedger()
    steps = list(train_supernet.run(request(), ledger, Library()))
    fractions = [s.fraction for s in steps]
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0.0, 1.0)
    assert "Tiny is trained" in steps[-1].message
    net, card = load_supernet(ledger.artifact(SUPERNET_FILE))
    data = load_dataset("digits", seed=1, **DATA["config"])
    rows = net.space.array()[[0, -1]]
    found = evaluate_table(net, rows, ("accuracy",), evaluation_data(data, ("validation",)))["accuracy"]
    assert [card["final"]["smallest"], card["final"]["largest"]] == found.tolist()
    assert card["final"]["epoch"] == 3
    assert card["data"]["fingerprint"] == data.fingerprint
    assert card["data"]["classes"] == [str(i) for i in range(10)]
    assert (card["data"]["name"], card["data"]["seed"], card["data"]["config"]) == (
        "digits",
        1,
        DATA["config"],
    )
    assert card["training"] == request().training.model_dump(mode="json")
    assert (card["title"], card["seed"], card["command"]) == ("Tiny", 4, "the command")
    assert card["seconds"] >= 0
    assert {"python", "torch", "numpy"} <= card["versions"].keys()
    assert tuple(net.config.pixel_mean) == data.mean


def test_a_run_stopped_and_resumed_makes_the_same_weights() -> None:
    whole, parts = RecordingLedger(), RecordingLedger()
    list(train_supernet.run(request(strategy="uniform"), whole, Library()))
    work = train_supernet.run(request(strategy="uniform"), parts, Library())
    while len(parts.checkpoints) < 2:
        next(work)
    work.close()
    assert parts.artifacts() == []
    list(train_supernet.run(request(strategy="uniform"), parts, Library()))
    first, second = (load_supernet(ledger.artifact(SUPERNET_FILE))[0] for ledger in (whole, parts))
    assert digest(first) == digest(second)
    assert parts.checkpoints[-1] == whole.checkpoints[-1]


def test_what_comes_from_the_data_cannot_be_set() -> None:
    changed = request().model_copy(update={"config": {"classes": 3}})
    with pytest.raises(InvalidInput, match="classes comes from the data"):
        list(train_supernet.run(changed, MemoryLedger(), Library()))


@pytest.mark.parametrize("field", ["family", "data"])
def test_names_that_do_not_exist_are_refused(field: str) -> None:
    changed = request().model_dump()
    changed[field] = "nothing" if field == "family" else {"name": "nothing"}
    with pytest.raises(NotFound):
        list(train_supernet.run(Request.model_validate(changed), MemoryLedger(), Library()))


@pytest.mark.slow
def test_a_strategy_fixes_what_it_needs_of_a_family_that_has_it() -> None:
    """Once-for-all kernels are learned transforms; a family without kernels is left alone."""
    training = {"strategy": "progressive_shrinking", "epochs": 6, "batch_size": 64}
    for family, config in (("elastic_cnn", {"kernel_transform": False}), ("elastic_vit", {})):
        asked = Request.model_validate(
            {"family": family, "config": config, "data": DATA, "training": training}
        )
        ledger = MemoryLedger()
        list(train_supernet.run(asked, ledger, Library()))
        net, _ = load_supernet(ledger.artifact(SUPERNET_FILE))
        assert getattr(net.config, "kernel_transform", None) == (True if family == "elastic_cnn" else None)


# --- presets and commands -------------------------------------------------------------------------


@pytest.mark.parametrize("strategy", STRATEGIES.names())
@pytest.mark.parametrize("preset", TRAINABLE)
def test_presets_are_valid_requests_of_spaces_that_can_be_built(preset: str, strategy: str) -> None:
    params = preset_request(preset, method=strategy, seed=7)
    checked = Request.model_validate(params)
    assert (checked.training.seed, checked.training.strategy) == (7, strategy)
    net = FAMILIES.get(checked.family)(FAMILIES.get(checked.family).Config.model_validate(checked.config))
    method = STRATEGIES.create(strategy)
    with contextlib.suppress(InvalidInput):
        method.check(net.space)
        assert len(method.phases(net.space)) <= checked.training.epochs
    assert PRESETS[preset]["training"].get("seed") is None, "the presets themselves stay as they are"


def test_presets_load_without_torch() -> None:
    code = (
        "import sys\nfrom core.workflows.train_supernet import preset_request, Request\nfrom core.library.presets import PRESETS\n"
        "Request.model_validate(preset_request('digits-cnn'))\nassert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("method", "changes"),
    [
        (None, {}),
        ("uniform", {"epochs": 3, "learning_rate": 0.05, "flip": True}),
        ("sandwich", {"optimizer": "adamw", "strategy_config": {"n_random": 1, "distill": False}}),
        ("sorted_net", {"strategy_config": {"accumulate": 3}, "clip": 0.0}),
    ],
)
def test_the_command_on_the_card_asks_for_the_same_training(
    method: str | None, changes: dict[str, Any]
) -> None:
    """Read the command as the command line does, and compare what it asks for."""
    asked = with_settings(preset_request("digits-cnn", method=method, seed=2), changes)
    words = shlex.split(asked["command"])
    assert words[:5] == ["python", "-m", "core", "train", "digits-cnn"]
    known = dict(zip(words[5:11:2], words[6:11:2], strict=True))
    again = preset_request(
        "digits-cnn", data=known["--data"], method=known["--method"], seed=int(known["--seed"])
    )
    again = with_settings(again, tables.split_training_flags(words[11:], again))
    first, second = Request.model_validate(asked), Request.model_validate(again)
    assert second.training == first.training
    strategy = STRATEGIES.get(first.training.strategy)
    assert strategy(second.training.strategy_config).config == strategy(first.training.strategy_config).config
    assert json.loads(first.model_dump_json(exclude={"training"})) == json.loads(
        second.model_dump_json(exclude={"training"})
    )
