"""Training on the supernets page: a form that starts from a preset, and the curves while it runs.

Settings that few change are drawn only when asked for: some of their forms import torch.
"""

from __future__ import annotations

from typing import Any

import streamlit as st
from pydantic import ValidationError

from core.datasets import DATASETS
from core.errors import CoreError
from core.jobs.forecast import of_training
from core.library.presets import PRESETS
from core.records import Run, RunState
from core.supernets.families import FAMILIES
from core.text import display_name, for_markdown
from core.training.config import TrainingConfig
from core.training.strategies import STRATEGIES
from core.workflows import train_supernet
from pages.ui import checked, resources, state
from pages.ui.forecast import forecast
from pages.ui.forms import complaint, config_form, field_number
from pages.ui.progress import active, all_runs, job_row, submit, watch
from pages.ui.supernets import watching
from pages.ui.supernets.own_data import OWN

KIND = "train_supernet"


def training_form() -> None:
    """Choose a preset, change what you like, start."""
    with checked.form() as form:
        _training_form(form)


def _training_form(form: checked.Form) -> None:
    name, preset = preset_choice("Start from", "train-preset")
    title = checked.name_field("Name", value=f"my {name}", key=f"train-title-{name}")
    data = data_choice(preset["data"], f"train-data-{name}")
    strategies = {info.name: info for info in STRATEGIES.describe()}
    start = preset["training"]
    strategy = st.selectbox(
        "Which subnets a step trains",
        list(strategies),
        index=list(strategies).index(start["strategy"]),
        key=f"train-strategy-{name}",
        format_func=lambda n: strategies[n].label,
    )
    # Below the list: a help text with all of them would fill the screen.
    st.caption(f"{strategies[strategy].summary} {strategies[strategy].source}.")
    suggested = STRATEGIES.get(strategy).suggests
    training: dict[str, Any] = {**start, **suggested, "strategy": strategy}
    with st.container(horizontal=True):
        training["epochs"] = field_number(
            TrainingConfig,
            "epochs",
            "Epochs",
            value=start["epochs"],
            key=f"train-epochs-{name}",
            help="Passes over the training data.",
        )
        training["seed"] = field_number(
            TrainingConfig,
            "seed",
            "Seed",
            key=f"train-seed-{name}",
            help="The same seed gives the same weights.",
        )
    if st.toggle("More training settings", key="train-more"):
        skip = ("strategy", "strategy_config", "epochs", "seed")
        # What a strategy suggests is where its own form starts, and no other one's.
        key = f"train-set-{name}-{strategy}" if suggested else f"train-set-{name}"
        training |= config_form(TrainingConfig, key, skip=skip, start={**start, **suggested})
        training["augmentation"] = config_form(
            FAMILIES.get(preset["family"]).task.Augmentation,
            f"train-set-{name}",
            start=start.get("augmentation"),
        )
        training["strategy_config"] = config_form(
            STRATEGIES.get(strategy).Config, f"train-strategy-set-{strategy}", columns=1
        )
    family, config = preset["family"], dict(preset["config"])
    if "written" in FAMILIES.info(family).facts:
        st.caption("Its space is a text, which the tab Write a space shows and lets you change.")
    elif st.toggle(
        "Change the search space",
        key="train-space",
        help="Which widths, depths and kernels the supernet offers.",
    ):
        family, config = _space(family, config, name)
    params = {
        "title": title,
        "family": family,
        "config": config,
        "data": data,
        "training": training,
    }
    if data is not None:
        show_forecast(params)
    if form.start(
        "Start the training",
        key="train-start",
        type="primary",
        icon=":material/play_arrow:",
        width="stretch",
        disabled=data is None,
    ):
        begin(params)


def preset_choice(label: str, key: str) -> tuple[str, dict[str, Any]]:
    """A ready-made training to start from: its name, and what it says."""
    presets = {name: p for name, p in PRESETS.items() if p["family"] in FAMILIES.names()}
    about = "\n\n".join(f"**{n}**: {p['summary']}" for n, p in presets.items())
    name = st.selectbox(label, list(presets), key=key, help=about)
    return name, presets[name]


def show_forecast(params: dict[str, Any], key: str = "train-forecast") -> None:
    """How long the training will take; nothing where the form is not complete, which Start will say."""
    try:
        request = train_supernet.Request.model_validate(params)
    except (ValidationError, CoreError):
        return
    epochs = request.training.epochs
    forecast(KIND, request.model_dump(mode="json"), lambda trial: of_training(trial, epochs), key=key)


def data_choice(preset: dict[str, Any], key: str) -> dict[str, Any] | None:
    """The data set to train on; None while a set of one's own is not chosen."""
    kind = DATASETS.get(preset["name"]).task
    sets = {
        info.name: info
        for info in DATASETS.describe()
        if DATASETS.get(info.name).task == kind and DATASETS.get(info.name).for_training
    }
    name = st.selectbox(
        "Data",
        list(sets),
        index=list(sets).index(preset["name"]),
        format_func=lambda n: sets[n].label,
        key=key,
        help="\n\n".join(f"**{i.label}**: {i.summary} {i.source}" for i in sets.values()),
    )
    if name == preset["name"]:
        return preset
    return OWN[name]({}) if name in OWN else {"name": name, "seed": 0, "config": {}}


def _space(family: str, config: dict[str, Any], preset: str) -> tuple[str, dict[str, Any]]:
    task = FAMILIES.get(family).task
    # What is made from a given network has no settings to start from, and what is written has no form.
    families = {
        info.name: info
        for info in FAMILIES.describe()
        if info.facts.get("task_name") == task.name and not {"made_from", "written"} & set(info.facts)
    }
    chosen = st.selectbox(
        "Family",
        list(families),
        index=list(families).index(family),
        format_func=lambda n: families[n].label,
        key=f"train-family-{preset}",
        help="\n\n".join(f"**{i.label}**: {i.summary} {i.source}" for i in families.values()),
    )
    start = config if chosen == family else {}
    return chosen, config_form(
        FAMILIES.get(chosen).Config,
        f"train-space-{preset}-{chosen}",
        skip=tuple(task.Inputs.model_fields),
        start=start,
        columns=1,
    )


def begin(params: dict[str, Any]) -> None:
    """Start the training, or say why it cannot be started."""
    try:
        request = train_supernet.Request.model_validate(params)
    except ValidationError as error:
        st.error(for_markdown(complaint(error), 600), icon=":material/error:")
        return
    except CoreError as error:
        st.error(for_markdown(error, 600), icon=":material/error:")
        return
    run_id = submit(
        KIND, request.model_dump(mode="json"), title=display_name(request.title), seed=request.training.seed
    )
    if run_id:
        st.session_state["pick-training"] = run_id


def training_progress() -> None:
    """The chosen training: progress and curves, live."""
    runs = {run.run_id: run for run in all_runs([KIND])}
    if not runs:
        st.info(
            "No training yet. Start one with the form: how long it takes is said above its button.",
            icon=":material/model_training:",
        )
        return
    state.keep("pick-training", runs, next(iter(runs)))
    chosen = st.selectbox(
        "Training", list(runs), format_func=lambda i: display_name(runs[i].title), key="pick-training"
    )

    def now() -> Run:
        return resources.jobs().run(chosen)

    def show() -> None:
        with st.container(key="job-progress"):
            job_row(now())
            watching.actions(now())
        watching.draw(now())

    watch(show, lambda: active([now()]))
    if now().state is RunState.DONE:
        st.caption(
            f"{for_markdown(runs[chosen].title)} is in the gallery above. Measure every subnet there to see its exact front."
        )
