"""What was understood of a file, drawn before anything starts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from core.objectives.base import objective
from core.plots.diagram import diagram_parts
from core.plots.finished import unchecked
from core.supernets.loaders.understood import End, Understood
from core.supernets.stage_cost import StageCost
from core.text import for_markdown
from core.words import count_of, format_value
from pages.ui.tables import html_table

if TYPE_CHECKING:
    import plotly.graph_objects as go

_MOST_FIXED = 40


def draw(found: Understood) -> None:
    """What it is, how large its space, its ends with their costs and diagrams, facts, what stays fixed, which data it needs."""
    with st.container(border=True, key="understood"):
        shape = " x ".join(map(str, found.input_shape))
        st.markdown(
            f"**{for_markdown(found.label)}**: {for_markdown(found.family_label)}, **{count_of(found.size, 'subnet')}** from "
            f"{found.choices} choices. {format_value(found.params, objective('params'))} parameters in all; it takes inputs of "
            f"{shape} and tells {found.classes:,} classes apart."
        )
        ends = [(n, end) for n, end in (("Smallest", found.smallest), ("Largest", found.largest)) if end]
        if ends:
            for (name, end), column in zip(ends, st.columns(len(ends), gap="medium"), strict=True):
                with column:
                    _end(name, end, found)
        st.markdown("\n".join(f"- {for_markdown(fact, 400)}" for fact in found.facts))
        _fixed(found)
        st.markdown(_data(found))


def costs_text(stages: Sequence[StageCost]) -> str:
    """MACs and parameters of a subnet's stages."""
    totals = {name: sum(stage.counted.get(name, 0) for stage in stages) for name in ("macs", "params")}
    return ", ".join(
        f"{format_value(total, objective(name))} {word}"
        for (name, total), word in zip(totals.items(), ("MACs", "parameters"), strict=True)
    )


def _end(name: str, end: End, found: Understood) -> None:
    stages = end.costs()
    st.markdown(f"**{name}**: {costs_text(stages)}")
    outline = (found.largest or end).costs()
    st.plotly_chart(
        _diagram(f"{found.file_sha256}/{end.arch_id}", stages, outline),
        key=f"understood-{name}",
        width="stretch",
        config={"displayModeBar": False},
        alt=f"Drawing of the {name.lower()} subnet in front of the supernet's outline.",
    )


@st.cache_resource(show_spinner=False, max_entries=32)
def _diagram(key: str, _stages: list[StageCost], _outline: list[StageCost]) -> go.Figure:
    return unchecked(diagram_parts(_stages, _outline))


def _fixed(found: Understood) -> None:
    if not found.fixed:
        return
    one = len(found.fixed) == 1
    with st.expander(
        f"{len(found.fixed)} part{'' if one else 's'} that every subnet has as {'it is' if one else 'they are'}"
    ):
        rows = [{"part": each.part, "why": each.why} for each in found.fixed[:_MOST_FIXED]]
        html_table(rows, "What stays fixed, and why")
        if len(found.fixed) > _MOST_FIXED:
            st.caption(f"and {len(found.fixed) - _MOST_FIXED} more.")


def _data(found: Understood) -> str:
    if found.data:
        return f"Its subnets are measured on the data set **{for_markdown(found.data)}**."
    if found.needs_data:
        where = ", given below" if found.task == "image" else ", once it is added"
        return f"It names no data: its subnets can be measured on data of your own{where}."
    return "It needs no further data."
