"""Train a supernet on a data set and keep it with a card that says how to make it again."""

from __future__ import annotations

import copy
import importlib.metadata
import json
import platform
import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NotRequired, TypedDict

from pydantic import Field, ValidationError

from core.config import BaseConfig, JsonObject, Settings
from core.datasets import DATASETS, load_dataset
from core.errors import InvalidInput, NotFound
from core.library import supernets
from core.library.kept_early import asked_to_stop, note_stop
from core.library.measuring import DataChoice
from core.library.presets import PRESETS
from core.library.supernets import SUPERNET_FILE
from core.records import Progress
from core.seeding import torch_drawing
from core.supernets.families import FAMILIES
from core.tasks.registry import TASKS
from core.training.config import TrainingConfig
from core.training.strategies import STRATEGIES, Strategy
from core.training.watch import in_short

if TYPE_CHECKING:
    from core.datasets.base import Dataset
    from core.ledger import Ledger
    from core.library.library import Library
    from core.library.supernets import SupernetEntry
    from core.supernets.base import Supernet

LABEL = "Training"
WEIGHT_CLASS = "training"
APART = ("training.seed", "title", "command")
"""What does not make another setting: the seed, and what only names the run."""
WRITTEN_LIKE = "digits-simplenet"
"""The preset whose data and training a written space starts from."""
TUNING: dict[str, Any] = {"epochs": 5, "learning_rate": 0.05, "warmup_epochs": 0.5, "batch_size": 64}
"""How a supernet that has weights already is trained further: few epochs at a low rate."""
_VERSIONS = ("torch", "numpy", "scikit-learn")


class Request(BaseConfig):
    """Which supernet to train, on what, and how."""

    title: str = Field("My supernet", min_length=1, max_length=80, description="What the supernet is called.")
    family: str = Field(description="Supernet family.")
    config: Settings = Field(
        default_factory=dict, description="The family's settings; image shape and classes come from the data."
    )
    data: DataChoice = Field(description="Data set to train on.")
    training: TrainingConfig = Field(default_factory=TrainingConfig, description="How to train.")
    command: str = Field("", description="Command that starts this training, for the card.")
    start: str = Field(
        "",
        description="Supernet whose weights the training starts from; its configuration is taken over. Empty: fresh ones.",
    )
    stop_after: int | None = Field(
        None, ge=1, description="Stop after so many of the epochs, and keep what is there then."
    )


class Asked(TypedDict):
    """A `Request` before it is validated, as a form or a command puts it together."""

    title: str
    family: str
    config: Settings
    data: Settings
    training: Settings
    command: str
    start: NotRequired[str]
    stop_after: NotRequired[int | None]


def preset_request(
    preset: str, *, data: str | None = None, method: str | None = None, seed: int = 0
) -> Asked:
    """The request of a preset, with another data set, strategy or seed where given.

    Raises:
        NotFound: there is no such preset, data set or strategy.
    """
    if preset not in PRESETS:
        raise NotFound(f"There is no preset called {preset!r}; there are {', '.join(PRESETS)}.")
    chosen = PRESETS[preset]
    training = {**chosen["training"], "seed": seed}
    config = dict(chosen["config"])
    if method is not None:
        training["strategy"] = STRATEGIES.info(method.replace("-", "_")).name
        training |= STRATEGIES.get(training["strategy"]).suggests
    choice = dict(chosen["data"])
    if data is not None and data.replace("-", "_") != choice["name"]:
        choice = {"name": DATASETS.info(data.replace("-", "_")).name, "seed": 0, "config": {}}
    command = (
        f"python -m core train {preset} --data {choice['name']} --method {training['strategy']} --seed {seed}"
    )
    return {
        "title": preset,
        "family": chosen["family"],
        "config": config,
        "data": choice,
        "training": training,
        "command": command,
    }


def written_request(
    file: str,
    title: str,
    config: Settings,
    *,
    data: str | None = None,
    method: str | None = None,
    seed: int = 0,
) -> Asked:
    """The request of a space that a person wrote; see `core.supernets.written`.

    Args:
        file: what the text is called, for the command on the card.
        title, config: as they were read.
        data, method, seed: as in `preset_request`; digits and the sandwich rule where left out.

    Raises:
        NotFound: there is no such data set or strategy.
    """
    request = preset_request(WRITTEN_LIKE, data=data, method=method, seed=seed)
    command = request["command"].replace(f"train {WRITTEN_LIKE}", f"train --space {shlex.quote(file)}")
    return {**request, "title": title or "My space", "config": config, "command": command}


def tune_request(
    entry: SupernetEntry,
    start: str,
    data: Settings | None = None,
    *,
    epochs: int = TUNING["epochs"],
    method: str | None = None,
    seed: int = 0,
    as_before: bool = False,
) -> Asked:
    """The request of a training that starts from a supernet there is.

    Args:
        entry: that supernet.
        start: its id, or the path of its file.
        data: what to train on; what its card names if left out.
        epochs: passes over the training data.
        method: strategy; the sandwich rule if left out.
        seed: of all chance.
        as_before: with the settings it was trained with, where its card says them, instead of a low rate; with
            another `method`, that is a fork.

    Raises:
        InvalidInput: nothing says which data to train on.
        NotFound: there is no such strategy.
    """
    named = entry.card.data
    if data is None and named is None:
        raise InvalidInput("Nothing says which data this supernet is for: choose the data to tune it on.")
    chosen = data or {"name": named.name, "seed": named.seed, "config": named.config}  # type: ignore[union-attr]
    known = settings_before(entry) if as_before else {}
    strategy = STRATEGIES.info((method or str(known.get("strategy", "sandwich"))).replace("-", "_")).name
    if strategy != known.get("strategy"):
        known.pop("strategy_config", None)
    flag = " --as-before" if known else ""
    return {
        "title": f"{entry.title}, tuned"[:80],
        "family": entry.family,
        "config": {},
        "data": chosen,
        "training": {**(known or _tuning(strategy)), "strategy": strategy, "epochs": epochs, "seed": seed},
        "command": f"python -m core train --from {shlex.quote(start)}{flag} --data {chosen['name']} --method {strategy} "
        f"--epochs {epochs} --seed {seed}",
        "start": start,
    }


def _tuning(strategy: str) -> dict[str, Any]:
    """How a supernet is trained further, with what belongs to the strategy."""
    return {**TUNING, **STRATEGIES.get(strategy).suggests}


def settings_before(entry: SupernetEntry) -> Settings:
    """The settings a supernet was trained with, as its card says them; none where it says none that fit."""
    try:
        config = TrainingConfig.model_validate(dict(entry.card.training)) if entry.card.training else None
    except (ValidationError, NotFound):
        config = None
    return config.model_dump(mode="json") if config is not None else {}


def with_settings(request: Asked, settings: JsonObject) -> Asked:
    """The request with settings of its training changed, and its command saying so.

    Raises:
        InvalidInput: a setting is out of bounds.
    """
    nested = ("augmentation", "strategy_config")
    given: dict[str, Any] = dict(settings)
    named = {name: value for name, value in given.items() if name not in nested}
    for name in nested:
        named |= given.get(name, {})
    flags = "".join(_flag(name, value) for name, value in named.items())
    start: dict[str, Any] = request["training"]
    inner = {name: {**start.get(name, {}), **given[name]} for name in nested if name in given}
    return {**request, "training": {**start, **given, **inner}, "command": request["command"] + flags}


def _flag(name: str, value: Any) -> str:
    # As JSON, because that is how the command line reads it: `false`, not `False`.
    return (
        f" --{name.replace('_', '-')} {shlex.quote(value if isinstance(value, str) else json.dumps(value))}"
    )


def run(request: Request, ledger: Ledger, library: Library) -> Iterator[Progress]:
    """Train, or go on training; the artifact `supernet.safetensors` is the result.

    Raises:
        NotFound, InvalidInput: family, data or settings do not exist or do not fit.
        DataUnavailable: the data set is neither here nor reachable.
        CoreError: training diverged.
    """
    from core.supernets.files import dump_supernet
    from core.training.loop import in_words, train
    from core.training.together import ours

    yield Progress(0.0, f"Reading the data set {request.data.name}.")
    supernet, dataset = untrained(request, library)
    if drawn := _drawn(request, library, dataset):
        yield Progress(0.0, drawn)

    def stop(epochs: int) -> bool:
        return (request.stop_after is not None and epochs >= request.stop_after) or asked_to_stop(ledger)

    supernet = yield from train(supernet, dataset, request.training, ledger, film=True, stop=stop)
    if (us := ours()) is not None and not us.first:  # the first process writes
        return
    card = _card(request, dataset, ledger, library)
    stopped = card.get("stopped")
    if stopped:
        note_stop(ledger, stopped["epoch"], stopped["of"])
    ledger.save_artifact(SUPERNET_FILE, dump_supernet(supernet, card), "application/octet-stream")
    last = card["final"]
    how = f"was stopped after epoch {stopped['epoch']} of {stopped['of']}" if stopped else "is trained"
    yield Progress(1.0, f"{request.title} {how}: {in_words(last)}.", last)


def untrained(
    request: Request, library: Library | None = None, dataset: Dataset | None = None
) -> tuple[Supernet, Dataset]:
    """The supernet of a request before its first step, and its data.

    Args:
        request: what is trained.
        library: where a supernet to start from is looked for.
        dataset: its data where they are at hand; what the request names is read if left out.

    Raises:
        NotFound, InvalidInput: family, data or settings do not exist or do not fit.
        DataUnavailable: the data set is neither here nor reachable.
    """

    from core.supernets.files import build
    from core.tasks.base import task_of

    if clash := set(FAMILIES.get(request.family).task.Inputs.model_fields) & set(request.config):
        raise InvalidInput(f"{sorted(clash)[0]} comes from the data and cannot be set.")
    asked = STRATEGIES.get(request.training.strategy).family_settings
    wanted = {k: v for k, v in asked.items() if k in FAMILIES.get(request.family).Config.model_fields}
    own: dict[str, Any] = request.data.config
    if dataset is None:
        dataset = load_dataset(request.data.name, seed=request.data.seed, **own)
    strategy: Strategy = STRATEGIES.create(request.training.strategy, request.training.strategy_config)
    if request.start:
        return strategy.supernet_for(_started(request, library, dataset)), dataset
    with torch_drawing(request.training.seed, "weights"):
        supernet = build(request.family, request.config | wanted | task_of(dataset).settings_from(dataset))
    supernet.tokenizer = dataset.tokenizer
    return strategy.supernet_for(supernet), dataset


def data_card(choice: DataChoice, dataset: Dataset) -> Settings:
    """What a card says of the data a supernet is for; a vocabulary is in the tokenizer, and could be longer than a card."""
    told = () if TASKS.get(dataset.task).per_position else dataset.classes
    return {
        "name": choice.name,
        "config": choice.config,
        "seed": choice.seed,
        "fingerprint": dataset.fingerprint,
        "title": dataset.title,
        "source": dataset.source,
        "licence": dataset.licence,
        "classes": list(told),
    }


def card_of(request: Request, dataset: Dataset, ledger: Ledger, library: Library) -> Settings:
    """The card of a supernet that was trained so.

    Args:
        request: what was asked for.
        dataset: what it was trained on.
        ledger: of the training.
        library: where the supernet is that it was started from.
    """
    return _card(request, dataset, ledger, library)


def _started(request: Request, library: Library | None, dataset: Dataset) -> Supernet:
    """A copy of the supernet to start from, ready for these data; with a new classifier where their classes are others."""
    from core.supernets.new_classifier import told, with_classes

    entry = _entry(request, library)
    if entry.family != request.family or request.config:
        raise InvalidInput(
            "A training that starts from a supernet takes its family and its settings as they are."
        )
    net = copy.deepcopy(supernets.load(entry))
    if told(type(net), net.classes, dataset):
        strategy: Strategy = STRATEGIES.create(request.training.strategy, request.training.strategy_config)
        strategy.check_new_classifier()
        net = with_classes(net, len(dataset.classes), request.training.seed)
    net.task.require_fit(net.config, dataset)
    return net.prepared(net.task.batch(dataset, dataset.calibration).inputs)


def _drawn(request: Request, library: Library | None, dataset: Dataset) -> str:
    """What a person is told where the data have other classes than the supernet to start from; "" where not."""
    from core.supernets.new_classifier import told

    if not request.start:
        return ""
    header = _entry(request, library).header
    had = header["config"].get("classes")
    return told(FAMILIES.get(header["family"]), had, dataset) if isinstance(had, int) else ""


def _entry(request: Request, library: Library | None) -> SupernetEntry:
    return library.supernet(request.start) if library else supernets.resolve(None, request.start)


def _card(request: Request, dataset: Dataset, ledger: Ledger, library: Library) -> dict[str, Any]:
    from core.training.checkpoint import about

    kept, of = ledger.latest_checkpoint(), request.training.epochs
    done = int(about(kept)["epoch"]) if kept is not None else 0  # type: ignore[arg-type]
    # A run that was cut between an epoch's numbers and its weights has the numbers of one epoch more.
    epochs = [row for row in ledger.metrics() if row["step"] <= done]  # type: ignore[operator]
    start, drawn = _entry(request, library) if request.start else None, _drawn(request, library, dataset)
    command = request.command
    if command and done < of and request.stop_after is None:
        command += f" --stop-after {done}"
    return {
        "title": request.title,
        "data": data_card(request.data, dataset),
        **({"tuned_from": _start_card(start)} if start else {}),
        **({"new_classifier": drawn} if drawn else {}),
        **({"stopped": {"epoch": done, "of": of}} if done < of else {}),
        "training": request.training.model_dump(mode="json"),
        "seed": request.training.seed,
        "command": command or "started on the Supernets page with the settings given here",
        "seconds": round(sum(float(e["seconds"]) for e in epochs), 1),
        "final": in_short(epochs[-1]),
        "versions": {"python": platform.python_version()}
        | {p: importlib.metadata.version(p) for p in _VERSIONS},
    }


def _start_card(start: SupernetEntry) -> Settings:
    return {"title": start.title, "sha256": start.sha256, "epochs": start.card.epochs}
