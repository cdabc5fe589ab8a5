"""Training a supernet of the library further, from its weights: on the data it is for, or on others that fit it."""

from __future__ import annotations

from typing import Any

import streamlit as st
from pydantic import ValidationError

from core.config import Settings
from core.datasets import DATASETS
from core.errors import CoreError
from core.jobs.forecast import of_training
from core.library.supernets import SupernetEntry
from core.library.text_settings import text_settings
from core.records import Run
from core.text import display_name, for_markdown
from core.training.config import TrainingConfig
from core.training.strategies import STRATEGIES
from core.workflows import train_supernet
from pages.ui import checked, terms
from pages.ui.forecast import forecast
from pages.ui.forms import complaint, config_form
from pages.ui.progress import active, all_runs, job_row, submit, watch
from pages.ui.supernets import watching
from pages.ui.supernets.own_data import OWN

_KIND = "train_supernet"
_ASKED = ("epochs", "learning_rate", "seed")
_TUNED = "A few epochs at a low rate"


def draw(entry: SupernetEntry) -> None:
    """A button that opens the form; nothing is drawn for a family that is not known here."""
    if not entry.task:
        return
    if not st.toggle(
        "Train it further",
        key=f"tune-{entry.supernet_id}",
        help="From its weights: a few epochs at a low rate, longer with its own settings, or with another strategy. The result "
        "is another supernet; this one stays.",
    ):
        return
    with st.container(border=True, key="tune-form"):
        left, right = st.columns([2, 3], gap="medium")
        with left, checked.form() as form:
            _form(entry, form)
        with right:
            _progress(entry)


def _form(entry: SupernetEntry, form: checked.Form) -> None:
    key = entry.supernet_id
    before = train_supernet.settings_before(entry)
    longer = bool(before) and (
        st.radio(
            "How",
            [_TUNED, watching.LONGER],
            key=f"tune-how-{key}",
            help="Longer: with the strategy, rate and other settings that its card names, from its weights; the rate rises and falls "
            "again. With another strategy or rate it is a fork.",
        )
        == watching.LONGER
    )
    kind = "longer" if longer else "tuned"
    title = checked.name_field(
        "Name", value=f"{display_name(entry.title)}, {kind}", key=f"tune-title-{kind}-{key}"
    )
    data = choose_data(entry)
    strategy = _strategy(
        entry, str(before["strategy"]) if longer else "sandwich", f"tune-strategy-{kind}-{key}"
    )
    start = _start(before) if longer else train_supernet.TUNING
    asked = config_form(
        TrainingConfig,
        f"tune-set-{kind}-{key}",
        skip=tuple(name for name in TrainingConfig.model_fields if name not in _ASKED),
        start={**start, "seed": int(before.get("seed", -1)) + 1},
    )
    params = None
    if data is not None and strategy is not None:
        params = _params(entry, title, data, {**asked, "strategy": strategy}, as_before=longer)
    if params is not None:
        forecast(_KIND, params, lambda trial: of_training(trial, int(asked["epochs"])), key="tune-forecast")
    if (
        form.start(
            "Start training",
            key="tune-start",
            type="primary",
            icon=":material/tune:",
            disabled=params is None,
        )
        and params is not None
    ):
        submit(_KIND, params, title=str(params["title"]), seed=int(asked["seed"]))


def _start(before: Settings) -> dict[str, Any]:
    """What a longer training begins with: a third of the epochs, which is often enough, and all else as it was."""
    return {**before, "epochs": max(5, int(str(before["epochs"])) // 3)}


def _strategy(entry: SupernetEntry, usual: str, key: str) -> str | None:
    """Which strategy trains it; only those that can train its space are offered."""
    fitting = [info for info in STRATEGIES.describe() if _can_train(entry, info.name)]
    names = {info.name: info for info in fitting}
    if not names:
        st.warning("No strategy can train this space.", icon=":material/warning:")
        return None
    chosen = st.selectbox(
        "Which subnets a step trains",
        list(names),
        index=list(names).index(usual) if usual in names else 0,
        key=key,
        format_func=lambda name: names[name].label,
        help="\n\n".join(f"**{i.label}**: {i.summary} {i.source}" for i in fitting),
    )
    if len(STRATEGIES.create(chosen).phases(entry.space)) > 1:
        terms.caption(
            "This strategy trains in phases, which begin anew: the first ones may train few subnets alone."
        )
    return str(chosen)


def _can_train(entry: SupernetEntry, strategy: str) -> bool:
    try:
        STRATEGIES.create(strategy).check(entry.space)
    except CoreError:
        return False
    return True


def _progress(entry: SupernetEntry) -> None:
    """The newest tuning of this supernet, live."""

    def newest() -> list[Run]:
        return [run for run in all_runs([_KIND]) if run.params.get("start") == entry.supernet_id][:1]

    if not newest():
        terms.caption(
            "A training goes on from the weights; what made them stays as it is. A network without BatchNorm (exporters fold it away) "
            "gets it back first, set by the calibration samples."
        )
        return

    def show() -> None:
        for run in newest():
            with st.container(key="tune-progress"):
                job_row(run)
                watching.actions(run)
            watching.draw(run)

    watch(show, lambda: active(newest()))


def choose_data(entry: SupernetEntry) -> dict[str, Any] | None:
    """What to train on: what its card names first."""
    named = entry.card.data
    sets = {info.name: info for info in DATASETS.describe() if _fits(entry, info.name)}
    known = named is not None and named.name in sets
    # What the card names, then sets of the right size (texts that any tokenizer splits first), then files of one's own.
    names = sorted(
        sets,
        key=lambda name: (
            named is None or name != named.name,
            name in OWN,
            "tokenizer" not in DATASETS.get(name).Config.model_fields,
            name,
        ),
    )
    chosen = st.selectbox(
        "Data",
        names,
        format_func=lambda name: sets[name].label,
        key=f"tune-data-{entry.supernet_id}",
        help="Data of the same shape and number of classes as the supernet's.",
    )
    if known and named is not None and chosen == named.name:
        return {"name": named.name, "seed": named.seed, "config": named.config}
    try:
        fixed = text_settings(entry, chosen)
    except CoreError as error:
        st.error(for_markdown(error, 600), icon=":material/error:")
        return None
    return OWN[chosen](fixed) if chosen in OWN else {"name": chosen, "seed": 0, "config": fixed}


def _fits(entry: SupernetEntry, name: str) -> bool:
    """Whether a data set may fit: of the supernet's kind and, where its images have one size, of that size."""
    kind = DATASETS.get(name)
    shape, wanted = getattr(kind, "shape", None), entry.header["config"].get("input_shape")
    alike = shape is None or not isinstance(wanted, list) or list(shape) == wanted
    return kind.task == entry.task and alike and kind.for_training


def _params(
    entry: SupernetEntry, title: str, data: dict[str, Any], asked: dict[str, Any], *, as_before: bool
) -> dict[str, Any] | None:
    """The request; None where it does not fit, which is said here."""
    try:
        made = train_supernet.tune_request(
            entry,
            entry.supernet_id,
            data,
            epochs=int(asked["epochs"]),
            method=str(asked["strategy"]),
            seed=int(asked["seed"]),
            as_before=as_before,
        )
        made = train_supernet.with_settings(made, {"learning_rate": asked["learning_rate"]})
        request = train_supernet.Request.model_validate({**made, "title": title or made["title"]})
    except ValidationError as error:
        st.error(for_markdown(complaint(error), 600), icon=":material/error:")
        return None
    except CoreError as error:
        st.error(for_markdown(error, 600), icon=":material/error:")
        return None
    return request.model_dump(mode="json")
