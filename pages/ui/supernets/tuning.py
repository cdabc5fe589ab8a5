"""Training a supernet of the library further, from its weights: on the data it is for, or on others that fit it."""

from __future__ import annotations

from typing import Any

import streamlit as st
from pydantic import ValidationError

from core.datasets import DATASETS
from core.errors import CoreError
from core.jobs.forecast import of_training
from core.library.supernets import SupernetEntry
from core.records import Run, RunState
from core.text import display_name, for_markdown
from core.training.config import TrainingConfig
from core.workflows import train_supernet
from pages.ui import checked, terms
from pages.ui.forecast import forecast
from pages.ui.forms import complaint, config_form
from pages.ui.progress import active, all_runs, job_row, submit, watch
from pages.ui.supernets import own_images, own_sounds
from pages.ui.supernets.training import curves

_KIND = "train_supernet"
_ASKED = ("epochs", "learning_rate")
_OWN = {own_images.NAME: own_images.own_images, own_sounds.NAME: own_sounds.own_sounds}


def draw(entry: SupernetEntry) -> None:
    """A button that opens the form; nothing is drawn for a family that is not known here."""
    if not entry.task:
        return
    if not st.toggle(
        "Tune it",
        key=f"tune-{entry.supernet_id}",
        help="Train it further from its weights, a few epochs at a low rate. The result is another supernet; this one stays.",
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
    title = checked.name_field("Name", value=f"{display_name(entry.title)}, tuned", key=f"tune-title-{key}")
    data = _data(entry)
    asked = config_form(
        TrainingConfig,
        f"tune-set-{key}",
        skip=tuple(name for name in TrainingConfig.model_fields if name not in _ASKED),
        start=train_supernet.TUNING,
    )
    params = None if data is None else _params(entry, title, data, asked)
    if params is not None:
        forecast(_KIND, params, lambda trial: of_training(trial, int(asked["epochs"])), key="tune-forecast")
    if (
        form.start(
            "Start tuning",
            key="tune-start",
            type="primary",
            icon=":material/tune:",
            disabled=params is None,
        )
        and params is not None
    ):
        submit(_KIND, params, title=str(params["title"]), seed=0)


def _progress(entry: SupernetEntry) -> None:
    """The newest tuning of this supernet, live."""

    def newest() -> list[Run]:
        return [run for run in all_runs([_KIND]) if run.params.get("start") == entry.supernet_id][:1]

    if not newest():
        terms.caption(
            "Every step trains the largest subnet, the smallest and two random ones. A network without BatchNorm (exporters fold "
            "it away) gets it back first, set by the calibration samples."
        )
        return

    def show() -> None:
        for run in newest():
            with st.container(key="tune-progress"):
                job_row(run)
            if run.state in (RunState.RUNNING, RunState.DONE):
                curves(run.run_id)

    watch(show, lambda: active(newest()))
    for run in newest():
        if run.state is RunState.DONE:
            st.page_link(
                "pages/front.py",
                label="Its front",
                icon=":material/show_chart:",
                query_params={"supernet": run.run_id},
            )


def _data(entry: SupernetEntry) -> dict[str, Any] | None:
    """What to train on: what its card names first."""
    named = entry.card.data
    sets = {info.name: info for info in DATASETS.describe() if _fits(entry, info.name)}
    known = named is not None and named.name in sets
    # What the card names, then sets of the right size, then files of one's own.
    names = sorted(sets, key=lambda name: (named is None or name != named.name, name in _OWN, name))
    chosen = st.selectbox(
        "Data",
        names,
        format_func=lambda name: sets[name].label,
        key=f"tune-data-{entry.supernet_id}",
        help="Data of the same shape and number of classes as the supernet's.",
    )
    if known and named is not None and chosen == named.name:
        return {"name": named.name, "seed": named.seed, "config": named.config}
    return _OWN[chosen]() if chosen in _OWN else {"name": chosen, "seed": 0, "config": {}}


def _fits(entry: SupernetEntry, name: str) -> bool:
    """Whether a data set may fit: of the supernet's kind and, where its images have one size, of that size."""
    kind = DATASETS.get(name)
    shape, wanted = getattr(kind, "shape", None), entry.header["config"].get("input_shape")
    alike = shape is None or not isinstance(wanted, list) or list(shape) == wanted
    return kind.task == entry.task and alike and kind.for_training


def _params(
    entry: SupernetEntry, title: str, data: dict[str, Any], training: dict[str, Any]
) -> dict[str, Any] | None:
    """The request; None where it does not fit, which is said here."""
    try:
        asked = train_supernet.tune_request(entry, entry.supernet_id, data)
        asked = train_supernet.with_settings(asked, training)
        request = train_supernet.Request.model_validate({**asked, "title": title or asked["title"]})
    except ValidationError as error:
        st.error(for_markdown(complaint(error), 600), icon=":material/error:")
        return None
    except CoreError as error:
        st.error(for_markdown(error, 600), icon=":material/error:")
        return None
    return request.model_dump(mode="json")
