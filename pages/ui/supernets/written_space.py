"""Writing a search space: a text beside what it means, judged at every change; then trained like any other.

Nothing is built until Start: sizes, costs and the two ends are asked of an outline.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import streamlit as st

from core.errors import Busy, CoreError
from core.library.presets import PRESETS
from core.plots.diagram import diagram_parts
from core.plots.finished import unchecked
from core.runtime import heavy_imports
from core.supernets.stage_cost import StageCost
from core.text import display_name, for_markdown
from core.training.config import TrainingConfig
from core.training.strategies import STRATEGIES
from pages.ui import checked, state, terms
from pages.ui.forms import field_number
from pages.ui.people import door
from pages.ui.supernets import training
from pages.ui.tables import html_table

if TYPE_CHECKING:
    from core.supernets.planned import Planned

_TEXT, _START, _READ, _KEPT = "space-text", "space-start", "space-upload-read", "space-kept"
_MOST_MB = 1
_HEIGHT = 460


def draw() -> None:
    """The whole tab."""
    heavy_imports()
    from core.views import written_space as view

    starts = {name: PRESETS[name]["summary"] for name in view.STARTS}
    # A field that is not drawn, as when another tab is open, forgets what it holds.
    state.start(_TEXT, st.session_state.get(_KEPT) or view.start_text(view.STARTS[-1]))
    terms.caption(
        "A chain of stages whose blocks are one of several options each, in a few lines of YAML. What it would become is "
        "said beside it at every change, and nothing is built until you start its training."
    )
    with st.container(key="space-columns"):
        write, read = st.columns([1, 1], gap="medium")
    with write:
        _take_start(starts)
        data = training.data_choice(PRESETS[view.STARTS[-1]]["data"], "space-data")
        if data is None:
            return
        inputs = _inputs(json.dumps(data, sort_keys=True))
        if isinstance(inputs, str):
            st.error(for_markdown(inputs, 600), icon=":material/block:")
            return
        _upload(inputs)
        text = st.text_area(
            "The space",
            key=_TEXT,
            height=_HEIGHT,
            help="It is read when you leave the field, or with Ctrl+Enter. Lines that begin with # are comments.",
        )
        st.session_state[_KEPT] = text
        st.download_button(
            "The text as a file",
            data=text,
            file_name="space.yaml",
            mime="application/yaml",
            key="space-download",
            on_click="ignore",
            icon=":material/download:",
        )
        with st.expander("Blocks to choose from", key="space-blocks"):
            html_table(view.option_rows(), "Kinds of blocks and their settings with defaults")
    with read, st.container(border=True, key="space-read"):
        found = _plan(text, json.dumps(inputs, sort_keys=True))
        if isinstance(found, str):
            st.error(for_markdown(found, 600), icon=":material/block:")
            st.caption("The sentence says where. Everything else is shown once the text can be read.")
            return
        _show(found)
    _train(found, data)


def _take_start(starts: dict[str, str]) -> None:
    """Choose a preset to start from; its text takes the place of what is there."""
    from core.views import written_space as view

    def take() -> None:
        chosen = st.session_state[_START]
        if chosen:
            st.session_state[_TEXT] = view.start_text(chosen)

    st.selectbox(
        "Start from",
        list(starts),
        index=len(starts) - 1,
        key=_START,
        on_change=take,
        help="Takes the place of the text below.\n\n"
        + "\n\n".join(f"**{n}**: {s}" for n, s in starts.items()),
    )


def _upload(inputs: dict[str, Any]) -> None:
    """A file of a space: read in a process with limits, and put into the field when it is one."""
    with st.expander("From a file"):
        file = door.uploader(
            "A space in YAML", type=["yaml", "yml"], key="space-upload", max_upload_size=_MOST_MB
        )
        if file is None:
            return
        known = st.session_state.get(_READ, ("", ""))
        if known[0] != file.file_id:
            known = (file.file_id, _taken(file.getvalue(), inputs))
            st.session_state[_READ] = known
        if known[1]:
            st.error(for_markdown(known[1], 600), icon=":material/block:")
        else:
            st.caption(f"{for_markdown(file.name)} stands in the field below.")


def _taken(data: bytes, inputs: dict[str, Any]) -> str:
    """Why a file is refused; "" once its text stands in the field."""
    from core.views import written_space as view

    try:
        with st.spinner("Reading the file."):
            st.session_state[_TEXT] = view.uploaded_text(data, inputs)
    except (CoreError, Busy) as error:
        return str(error)
    return ""


@st.cache_data(show_spinner=False, max_entries=16)
def _inputs(data: str) -> dict[str, Any] | str:
    """What a data set decides of the space, or why it cannot be used."""
    from core.views import written_space as view

    try:
        return dict(view.inputs_of(json.loads(data)))
    except CoreError as error:
        return str(error)


@st.cache_resource(show_spinner=False, max_entries=64)
def _plan(text: str, inputs: str) -> Planned | str:
    """What the text would become, or what is wrong with it."""
    from core.views import written_space as view

    try:
        return view.plan(text, json.loads(inputs))
    except CoreError as error:
        return str(error)


def _show(found: Planned) -> None:
    from core.views import written_space as view

    told = dict(view.facts(found))
    with st.container(horizontal=True, key="space-facts"):
        for name in ("Subnets", "MACs", "Parameters of the supernet"):
            st.metric(name, told.pop(name), width="content")
    st.caption(". ".join(f"{name}: {value}" for name, value in told.items()) + ".")
    html_table(view.block_rows(found), "Blocks of the space, the map each makes, and what there is to choose")
    channels, *sides = found.inputs
    s = "" if channels == 1 else "s"
    st.caption(f"Images are {' x '.join(map(str, sides))} with {channels} channel{s}.")
    for name, stages in (("smallest", found.smallest), ("largest", found.largest)):
        st.caption(f"The {name} subnet by counted cost")
        st.plotly_chart(
            unchecked(diagram_parts(list(stages), _outlines(found))),
            key=f"space-diagram-{name}",
            width="stretch",
            config={"displayModeBar": False},
            alt=f"Drawing of the {name} subnet: stages from left to right, as tall as they have channels.",
        )


def _outlines(found: Planned) -> Sequence[StageCost]:
    """The larger of the two ends' stages, for frames: an end may lack a block that is nothing there."""
    wide = {stage.label: stage for stage in found.smallest} | {stage.label: stage for stage in found.largest}
    order = ["stem", *(block.label for block in found.blocks), "head"]
    return [wide[label] for label in order if label in wide]


def _train(found: Planned, data: dict[str, Any]) -> None:
    """The form that trains the space as it stands."""
    like = PRESETS[str(st.session_state.get(_START) or "digits-simplenet")]["training"]
    strategies = {info.name: info for info in STRATEGIES.describe()}
    with checked.form() as form, st.container(border=True, key="space-train"):
        title = checked.name_field(
            "Name", value=display_name(found.title or "my space"), key=f"space-title-{found.title}"
        )
        with st.container(horizontal=True, vertical_alignment="bottom"):
            strategy = st.selectbox(
                "Which subnets a step trains",
                list(strategies),
                index=list(strategies).index("sandwich"),
                key="space-strategy",
                format_func=lambda n: strategies[n].label,
            )
            epochs = field_number(
                TrainingConfig, "epochs", "Epochs", value=like["epochs"], key="space-epochs"
            )
            seed = field_number(TrainingConfig, "seed", "Seed", key="space-seed")
        params = {
            "title": title,
            "family": "chain",
            "config": found.config,
            "data": data,
            "training": {**like, "strategy": strategy, "epochs": epochs, "seed": seed},
        }
        training.show_forecast(params, key="space-forecast")
        if form.start(
            "Train this space", key="space-train-start", type="primary", icon=":material/play_arrow:"
        ):
            training.begin(params)
            terms.caption("Its curves are in the tab Train a supernet, and the Runs page follows it.")
