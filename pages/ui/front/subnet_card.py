"""The card of the selected subnet: numbers and how each was obtained, drawing, download."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import streamlit as st

from core.errors import CoreError
from core.library import extract_subnet, supernets
from core.library.measure_files import measure_files
from core.library.networks import MOST_MODELS, subnet_id
from core.library.supernets import SupernetEntry
from core.objectives.base import NOISY, OBJECTIVES, FromFiles, is_for, names_of, objective
from core.plots.diagram import contribution_rows, diagram_parts
from core.plots.finished import unchecked
from core.plots.style import format_obtained
from core.records import Objective, Obtained
from core.spaces import Arch
from core.text import display_name, for_markdown
from core.words import format_value
from pages.ui import baskets, resources
from pages.ui.tables import html_table

if TYPE_CHECKING:
    import plotly.graph_objects as go

SUFFIXES = {
    "bundle": "zip",
    "network": "safetensors",
    "onnx": "onnx",
    "python_source": "py",
    "safetensors": "safetensors",
    "torch_export": "pt2",
    "transformers_folder": "zip",
}
"""File endings, known without importing the exporters (which import torch); a test compares."""


def headline(arch_id: str, values: Mapping[str, float], x: Objective, y: Objective) -> None:
    """The two numbers of the axes, large, and the subnet's id."""
    parts = [
        f"<div><b>{format_value(values.get(o.name), o)}</b><span>{html.escape(o.label)}</span></div>"
        for o in (y, x)
    ]
    parts.append(f"<div><code>{html.escape(arch_id)}</code><span>Subnet</span></div>")
    heading = '<h2 class="ps-unseen">The selected subnet</h2>'
    st.html(f'{heading}<div class="ps-headline">{"".join(parts)}</div>')


def metrics(
    values: Mapping[str, float],
    goals: Sequence[Objective],
    obtained: Mapping[str, Obtained],
    intervals: Mapping[str, str] | None = None,
    lines: Sequence[str] = (),
) -> None:
    """Every objective with its value, where it may lie, and how it was obtained; below, sentences about them."""
    known = {name for name, value in values.items() if not math.isnan(value)}
    ranges = {name: f"<small>{html.escape(text)}</small>" for name, text in (intervals or {}).items()}
    rows = "".join(
        f"<tr title='{html.escape(goal.summary, quote=True)}'><th scope='row'>{html.escape(goal.label)}</th>"
        f"<td class='value'>{format_value(values.get(goal.name), goal)}{ranges.get(goal.name, '')}</td>"
        f"<td class='how'>{html.escape(format_obtained(goal, obtained[goal.name]) if goal.name in known else '')}</td></tr>"
        for goal in goals
    )
    caption = '<caption class="ps-unseen">Objectives of the subnet, and how each was obtained</caption>'
    notes = "".join(f'<p class="ps-note">{html.escape(line)}</p>' for line in lines)
    st.html(f'<table class="ps-metrics">{caption}<tbody>{rows}</tbody></table>{notes}')


def readings(entry: SupernetEntry, arch: Arch) -> None:
    """Measure the subnet as a file on this machine, on request, against the largest one."""
    known = st.session_state.setdefault("readings", {})
    for name in (each for each in names_of(FromFiles) if is_for(each, entry.task)):
        instrument, goal, key = OBJECTIVES.get(name), objective(name), (entry.sha256, tuple(arch), name)
        pressed = st.button(
            instrument.invitation,
            key=f"measure-{goal.label.lower().replace(' ', '-')}",
            icon=":material/timer:",
            help=instrument.protocol,
        )
        if pressed:
            try:
                with st.spinner("Measuring..."):
                    known[key] = measure_files(entry, [arch, entry.reference], name)
            except CoreError as error:
                st.warning(for_markdown(str(error)))
        if key in known:
            here, largest = (format_value(r.value, goal, spread=r.spread) for r in known[key])
            noisy = any(r.obtained.detail == NOISY for r in known[key])
            again = " The machine was busy: repeats disagree, measure again." if noisy else ""
            st.caption(f"**{here}** for one sample; the largest subnet {largest}.{again}")


def diagram(entry: SupernetEntry, arch: Arch, *, key: str = "subnet-diagram") -> None:
    """The subnet's stages, the whole supernet in outline behind."""
    st.plotly_chart(
        _diagram(f"{entry.sha256}/{entry.space.arch_id(arch)}", arch, entry),
        key=key,
        width="stretch",
        config={"displayModeBar": False},
        alt="Drawing of the subnet: stages from left to right, as tall as they have channels, in front of the supernet's outline.",
    )


@st.cache_resource(show_spinner=False, max_entries=256)
def _diagram(key: str, _arch: Arch, _entry: SupernetEntry) -> go.Figure:
    return unchecked(
        diagram_parts(supernets.stage_rows(_entry, _arch), supernets.stage_rows(_entry, _entry.reference))
    )


def stage_table(entry: SupernetEntry, arch: Arch) -> None:
    """The drawing's numbers as a table."""
    html_table(contribution_rows(supernets.stage_rows(entry, arch)), "Stages of the subnet")


def download(entry: SupernetEntry, arch: Arch) -> None:
    """The button that makes and hands over the subnet, and the choice of format."""
    formats = {info.name: info for info in extract_subnet.formats(entry.family)}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.selectbox(
            "Format",
            list(formats),
            format_func=lambda name: formats[name].label,
            key="download-format",
            help="The subnet is cut out, calibrated, checked against the supernet and written when you click; "
            "that takes a few seconds the first time.\n\n"
            + "\n\n".join(f"**{i.label}**: {i.summary}" for i in formats.values()),
        )
        arch_id, suffix = entry.space.arch_id(arch), SUFFIXES.get(chosen, "bin")
        st.download_button(
            f"Download .{suffix}",  # tells whether the format that was chosen a moment ago is the button's already
            data=resources.downloader(entry, arch, chosen),
            file_name=f"paretoscope-{display_name(entry.title).lower().replace(' ', '-')[:40]}-{arch_id}.{suffix}",
            mime="application/octet-stream",
            key="download-bundle",
            on_click="ignore",
            type="primary",
            icon=":material/download:",
        )


def basket_button(entry: SupernetEntry, arch_id: str) -> None:
    """Put the subnet aside for later."""
    baskets.button(subnet_id(entry, arch_id), f"{entry.title} {arch_id}")


def representations_button(entry: SupernetEntry, arch_id: str) -> None:
    """Open the Similarity page with this subnet and the basket; with the largest subnet if the basket is empty."""
    others = [i for i in baskets.arch_ids(entry.supernet_id) if i != arch_id] or [
        entry.space.arch_id(entry.reference)
    ]
    models = [subnet_id(entry, i) for i in dict.fromkeys([arch_id, *others])][:MOST_MODELS]
    if st.button(
        "Compare representations",
        key="compare-representations",
        icon=":material/compare:",
        help="What this subnet and those in the basket have learned, layer by layer. "
        "With an empty basket the largest subnet stands beside it.",
    ):
        link = {"models": ",".join(models), "a": models[0], "b": models[min(1, len(models) - 1)]}
        st.switch_page("pages/similarity.py", query_params=link)


def prune_button(entry: SupernetEntry, arch_id: str) -> None:
    """Open the Pruning page with this subnet."""
    if st.button(
        "Prune it",
        key="prune-subnet",
        icon=":material/content_cut:",
        help="Remove weights of this subnet in many ways and see what that does to it.",
    ):
        st.switch_page("pages/pruning.py", query_params={"parent": subnet_id(entry, arch_id)})


def deltas(changes: Mapping[str, float], why: str = "") -> str:
    """Signed differences in one line, as HTML; in brackets what else is to be said of them."""
    parts = [
        f"{html.escape(objective(n).label)} <b>{format_value(v, objective(n), signed=True)}</b>"
        for n, v in changes.items()
    ]
    told = f" ({html.escape(why)})" if why else ""
    return f'<p class="ps-deltas">{" &nbsp; ".join(parts)}{told}</p>'
