"""Making a network that came from a folder elastic: InstaTune on a person's data, and what the order of its units gained."""

from __future__ import annotations

from typing import Any

import streamlit as st
from pydantic import ValidationError

from core.errors import CoreError
from core.jobs.forecast import of_training
from core.library.loading import LOADED
from core.library.supernets import SupernetEntry
from core.people import Action
from core.records import Run, RunState
from core.text import display_name, for_markdown
from core.training.config import TrainingConfig
from core.training.strategies import STRATEGIES
from core.workflows import train_supernet
from pages.ui import checked, resources, terms
from pages.ui.forecast import forecast
from pages.ui.forms import complaint, config_form, field_number
from pages.ui.people import door
from pages.ui.progress import active, all_runs, job_row, submit, watch
from pages.ui.supernets import measuring, order_controls, tuning, watching
from pages.ui.supernets import state as page_state

STRATEGY = "insta_tune"
_KIND = "train_supernet"
_LOADER = "hugging_face"
_PLAIN = "largest_alone"


def offered(entry: SupernetEntry) -> bool:
    """Whether only the largest subnet of a supernet was ever trained: a transformer's folder as it came, or trained so here."""
    if entry.card.training and entry.card.training.get("strategy") == _PLAIN:
        return True
    store = resources.quiet_store()
    if entry.origin != "uploaded" or store is None:
        return False
    try:
        loaded = store.get_supernet(entry.supernet_id).card.get(LOADED)
    except CoreError:
        return False
    return isinstance(loaded, dict) and loaded.get("loader") == _LOADER


def draw(entry: SupernetEntry) -> None:
    """The form at the left, progress and result at the right."""
    with st.container(border=True, key="insta-tune"):
        st.subheader("Make it elastic by InstaTune", anchor=False)
        terms.caption(
            "Only its largest subnet was ever trained. InstaTune trains smaller ones within it while it is tuned on your "
            "data: units are put into an order of importance first, because subnets keep the first ones, and subnets imitate the "
            "network as it was. The result is another supernet; this one stays."
        )
        left, right = st.columns([2, 3], gap="medium")
        with left, checked.form() as form:
            asked = _form(entry, form)
        with right:
            _progress(entry)
        order_controls.draw(entry, asked)


def _form(entry: SupernetEntry, form: checked.Form) -> dict[str, Any] | None:
    """The form; returns the request that it holds, None while it is not complete."""
    key = entry.supernet_id
    title = checked.name_field(
        "Name", value=f"{display_name(entry.title)}, elastic", key=f"insta-title-{key}"
    )
    data = tuning.choose_data(entry)
    suggests = STRATEGIES.get(STRATEGY).suggests
    with st.container(horizontal=True):
        epochs = field_number(
            TrainingConfig,
            "epochs",
            "Epochs",
            value=5,
            key=f"insta-epochs-{key}",
            help="Passes over the training data.",
        )
        seed = field_number(
            TrainingConfig,
            "seed",
            "Seed",
            key=f"insta-seed-{key}",
            help="The same seed gives the same weights.",
        )
    with st.expander("How it is tuned", icon=":material/tune:"):
        own = config_form(STRATEGIES.get(STRATEGY).Config, f"insta-set-{key}", columns=1)
        rate = config_form(
            TrainingConfig,
            f"insta-set-{key}",
            skip=tuple(
                name for name in TrainingConfig.model_fields if name not in ("learning_rate", "batch_size")
            ),
            start=dict(suggests),
        )
    params = None
    if data is not None and not form.complaints:
        params = _params(
            entry, title, data, int(epochs), int(seed), {**suggests, **rate, "strategy_config": own}
        )
    if params is not None:
        forecast(_KIND, params, lambda trial: of_training(trial, int(epochs)), key="insta-forecast")
    if (
        form.start(
            "Start InstaTune",
            key="insta-start",
            type="primary",
            icon=":material/tune:",
            disabled=params is None,
        )
        and params is not None
    ):
        submit(_KIND, params, title=str(params["title"]), seed=int(seed))
    return params


def _params(
    entry: SupernetEntry, title: str, data: dict[str, Any], epochs: int, seed: int, settings: dict[str, Any]
) -> dict[str, Any] | None:
    """The request; None where it does not fit, which is said here."""
    try:
        made = train_supernet.tune_request(
            entry, entry.supernet_id, data, epochs=epochs, method=STRATEGY, seed=seed
        )
        made = train_supernet.with_settings(made, settings)
        request = train_supernet.Request.model_validate({**made, "title": title or made["title"]})
    except ValidationError as error:
        st.error(for_markdown(complaint(error), 600), icon=":material/error:")
        return None
    except CoreError as error:
        st.error(for_markdown(error, 600), icon=":material/error:")
        return None
    return request.model_dump(mode="json")


def runs(entry: SupernetEntry) -> list[Run]:
    """Its InstaTune trainings, newest first."""
    return [
        run
        for run in all_runs([_KIND])
        if run.params.get("start") == entry.supernet_id and _strategy(run) == STRATEGY
    ]


def _strategy(run: Run) -> object:
    training = run.params.get("training")
    return training.get("strategy") if isinstance(training, dict) else None


def _progress(entry: SupernetEntry) -> None:
    """The newest of its trainings, live, and what to do with the result."""
    if not runs(entry):
        st.info(
            "Nothing was tuned yet. Choose the data at the left: how long it takes is said above the button.",
            icon=":material/model_training:",
        )
        return

    def show() -> None:
        for run in runs(entry)[:1]:
            with st.container(key="insta-progress"):
                job_row(run)
                watching.actions(run)
            watching.draw(run)

    watch(show, lambda: active(runs(entry)[:1]))
    newest = runs(entry)[0]
    if newest.state is RunState.DONE:
        _result(newest)


def _result(run: Run) -> None:
    """The supernet that came out: measured, then its front."""
    made = next((each for each in resources.entries() if each.supernet_id == run.run_id), None)
    if made is None:
        return

    def show() -> None:
        for run in measuring.runs(made)[:1]:
            if active([run]):
                job_row(run)

    watch(show, lambda: active(measuring.runs(made)))
    measured = measuring.runs(made)
    working = active(measured)
    with st.container(horizontal=True, vertical_alignment="center", key="insta-result"):
        if made.read_table is None:
            st.button(
                "Measure a sample",
                key="insta-sample",
                on_click=measuring.sample,
                args=(made, measuring.USUAL_SAMPLE),
                type="secondary" if measured else "primary",
                icon=":material/insights:",
                **door.lock(
                    Action.START,
                    disabled=working,
                    help=f"{measuring.USUAL_SAMPLE} subnets spread over cost, in the background: the best of them are a first "
                    "front.",
                ),
            )
            st.button(
                "Measure every subnet",
                key="insta-measure",
                on_click=measuring.evaluate,
                args=(made,),
                icon=":material/calculate:",
                **door.lock(
                    Action.START,
                    disabled=working,
                    help="Runs in the background; afterwards its exact front is there. How long it takes stands above Start.",
                ),
            )
        if made.read_table is not None or any(run.state is RunState.DONE for run in measured):
            st.page_link(
                "pages/front.py",
                label="Open its front",
                icon=":material/show_chart:",
                query_params={"supernet": made.supernet_id},
            )
        st.button(
            "Open the tuned supernet",
            key="insta-open",
            on_click=page_state.show,
            args=(made.supernet_id,),
            icon=":material/folder_open:",
        )
