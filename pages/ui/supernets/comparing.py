"""The tab that compares trainings: a form of what to train in which ways, and beside it what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st
from pydantic import ValidationError

from core.errors import CoreError
from core.jobs.forecast import TRAINING, Forecast, Trial, epochs_of_methods, of_comparison
from core.library.compared_methods import asked_of, labels
from core.library.comparisons import KIND
from core.records import Run
from core.text import display_name, for_markdown
from core.training.config import TrainingConfig
from core.training.strategies import STRATEGIES
from core.workflows import train_supernet
from core.workflows.compare_trainings import Request
from pages.ui import checked, resources, state, terms
from pages.ui.forecast import forecast_all
from pages.ui.forms import complaint, config_form, field_number
from pages.ui.progress import active, all_runs, job_row, submit, watch
from pages.ui.supernets import compared
from pages.ui.supernets.state import PICK
from pages.ui.supernets.training import data_choice, preset_choice

_FIRST = ("sandwich", "uniform")
_EPOCHS = 30
"""Of the first method, unless the preset has fewer: long enough to part methods on small data, short enough to wait."""
_BUDGETS = {"steps": "Steps", "passes": "Forward passes"}
_WHAT = (
    "Which way of training gives better subnets? The same search space is trained in several ways, several times each, "
    "and the same subnets of every supernet are measured. What chance alone would do is part of the answer."
)


def draw(asked: str) -> str:
    """The whole tab; returns the id of the comparison that is shown, "" for none.

    Args:
        asked: id of the one that a link is about, "" for none.
    """
    terms.caption(_WHAT)
    with st.container(key="compare-columns"):
        form, results = st.columns([1, 2], gap="medium")
    with form, checked.form() as fields:
        _form(fields)
    with results:
        return _results(asked)


def _form(form: checked.Form) -> None:
    name, preset = preset_choice("Search space and training", "compare-preset")
    data = data_choice(preset["data"], f"compare-data-{name}")
    chosen = _methods()
    with st.container(horizontal=True):
        seeds = field_number(
            Request,
            "seeds",
            "Seeds",
            key="compare-seeds",
            help="Trainings of each method. One says nothing of chance, two have no verdict; from six on the test assumes nothing.",
        )
        epochs = _epochs(preset["training"]["epochs"], name)
    budget = st.segmented_control(
        "Equal for all",
        list(_BUDGETS),
        format_func=lambda b: _BUDGETS[b],
        default="steps",
        required=True,
        key="compare-budget",
        help="**Steps**: all methods train for the same epochs; a step of one may train four subnets, of another one. "
        "**Forward passes**: the first method trains for these epochs, every other for as many as cost the same passes "
        "with a gradient.",
    )
    settings = _more(chosen)
    subnets = int(settings.pop("subnets"))
    params = None
    if data is not None:
        params = _params(
            name, data, chosen, settings, epochs=epochs, seeds=seeds, budget=str(budget), subnets=subnets
        )
    if params is not None:
        _forecast(params)
    if (
        form.start(
            "Compare them",
            key="compare-start",
            type="primary",
            icon=":material/compare:",
            width="stretch",
            disabled=params is None,
        )
        and params is not None
    ):
        run_id = submit(KIND, params, title=str(params["title"]), seed=int(params["seed"]))
        if run_id:
            st.session_state[PICK] = run_id
            st.rerun()


def _methods() -> list[str]:
    strategies = {info.name: info for info in STRATEGIES.describe()}
    chosen = st.multiselect(
        "Ways to train",
        list(strategies),
        default=[n for n in _FIRST if n in strategies],
        format_func=lambda n: strategies[n].label,
        key="compare-methods",
        max_selections=8,
    )
    # Below the list: a help text with all of them would fill the screen.
    for name in chosen:
        st.caption(f"**{strategies[name].label}**: {strategies[name].summary}")
    if len(chosen) < 2:
        checked.complain("Ways to train: choose at least two to compare.")
    return list(chosen)


def _epochs(usual: int, name: str) -> int:
    return field_number(
        TrainingConfig,
        "epochs",
        "Epochs",
        value=min(usual, _EPOCHS),
        key=f"compare-epochs-{name}",
        help=f"Passes over the training data; the preset alone takes {usual}. More part methods that few cannot.",
    )


def _more(chosen: list[str]) -> dict[str, Any]:
    """Further settings: of the methods by name, and how many subnets are measured and from which seed on."""
    found: dict[str, Any] = {"subnets": Request.model_fields["subnets"].default, "seed": 0}
    if not st.toggle("More settings", key="compare-more"):
        return found
    with st.container(horizontal=True):
        found["subnets"] = field_number(
            Request, "subnets", "Subnets measured", key="compare-subnets", step=100
        )
        found["seed"] = field_number(Request, "seed", "First seed", key="compare-seed")
    for name in chosen:
        config = STRATEGIES.get(name).Config
        if config.model_fields:
            st.markdown(f"**{for_markdown(STRATEGIES.info(name).label)}**")
            found[name] = config_form(config, f"compare-set-{name}")
    return found


def _params(
    preset: str,
    data: dict[str, Any],
    chosen: list[str],
    settings: dict[str, Any],
    *,
    epochs: int,
    seeds: int,
    budget: str,
    subnets: int,
) -> dict[str, Any] | None:
    """The request; None where it does not fit, which is said here."""
    seed = settings.pop("seed")
    training = train_supernet.preset_request(preset, seed=int(seed))
    training = train_supernet.with_settings(training, {"epochs": epochs})
    changed = {n: s for n, s in settings.items() if s != STRATEGIES.get(n).Config().model_dump(mode="json")}
    try:
        asked = asked_of(
            {**training, "data": data},
            chosen,
            seeds=seeds,
            budget=budget,
            subnets=subnets,
            settings=changed,
            title=f"{' against '.join(STRATEGIES.info(n).label for n in chosen)} on {preset}"[:80],
        )
        return Request.model_validate(asked).model_dump(mode="json") if len(chosen) > 1 else None
    except ValidationError as error:
        st.error(for_markdown(complaint(error), 600), icon=":material/error:")
    except CoreError as error:
        st.error(for_markdown(error, 600), icon=":material/error:")
    return None


def _forecast(params: dict[str, Any]) -> None:
    """How long it will take, and how many epochs each method gets."""
    request = Request.model_validate(params)
    names = labels(request.methods)
    trained = [_training(params, method) for method in params["methods"]]

    def of(trials: Sequence[Trial]) -> Forecast:
        if request.budget == "passes":
            allowed = epochs_of_methods(trials, request.training.epochs, request.budget)
            told = (f"{n} {own.epochs} epochs" for n, own in zip(names, allowed, strict=True))
            st.caption(f"Epochs of equal passes: {for_markdown(', '.join(told))}.")
        return of_comparison(
            trials,
            request.training.epochs,
            budget=request.budget,
            seeds=request.seeds,
            subnets=request.subnets,
        )

    forecast_all(TRAINING, trained, of, key="compare-forecast")


def _training(params: dict[str, Any], method: dict[str, Any]) -> dict[str, Any]:
    """The training that one method is, as it is tried."""
    training = {
        **params["training"],
        **method["training"],
        "strategy": method["strategy"],
        "strategy_config": method["settings"],
    }
    asked = {n: params[n] for n in ("title", "family", "config", "data")}
    return train_supernet.Request.model_validate({**asked, "training": training}).model_dump(mode="json")


def _results(asked: str) -> str:
    """The comparison that is shown: how far it is, and what it says so far."""
    runs = {run.run_id: run for run in all_runs([KIND])}
    if not runs:
        st.info(
            "No comparison yet. Choose ways to train and start one: how long it takes is said above the button.",
            icon=":material/compare:",
        )
        return ""
    state.keep(PICK, runs, asked if asked in runs else next(iter(runs)))
    chosen = st.selectbox(
        "Comparison", list(runs), format_func=lambda i: display_name(runs[i].title), key=PICK
    )

    def now() -> Run:
        return resources.jobs().run(chosen)

    def show() -> None:
        run = now()
        if not run.state.is_final or run.state.is_resumable:
            with st.container(key="job-progress"):
                job_row(run)
        compared.draw(run)

    watch(show, lambda: active([now()]))
    return str(chosen)
