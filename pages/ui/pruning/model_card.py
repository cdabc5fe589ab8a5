"""The card of the selected network: what pruning cost it, what it saved, and the download."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence

import streamlit as st

from core.library import extract_pruned, extract_subnet, supernets
from core.library.benchmarks import benchmark_label
from core.library.pruned import QUALITY, PrunedModel
from core.objectives.base import all_names, objective, objectives
from core.over_seeds import spread
from core.plots.over_seeds import in_words
from core.plots.style import usually_obtained
from core.text import display_name, for_markdown
from core.views.pruning import PruningView
from core.views.pruning_seeds import PrunedSeeds, group_of
from core.words import MINUS, format_count, format_value
from pages.ui import baskets, resources, terms
from pages.ui.front.subnet_card import SUFFIXES
from pages.ui.pruning import view_state
from pages.ui.pruning.table_view import row_label

_OWN = {
    "zero_shot": ("Before fine-tuning", "measured, validation"),
    "nonzero": ("Weights not zero", "counted"),
}
"""What is said of pruned networks alone; all else is an objective's."""


def selected_cell(
    view: PruningView, models: Sequence[PrunedModel], benchmarks: Sequence[str]
) -> tuple[PrunedModel, str]:
    """The selected network and benchmark, known before anything is drawn."""
    ids = {m.model_id: m for m in models}
    model_id, benchmark = view_state.selection.now()
    if model_id not in ids or benchmark not in benchmarks:
        # Before anything was clicked: the most pruned network that keeps within a point of its parent.
        model_id = model_id if model_id in ids else _worth_a_look(view, models).model_id
        benchmark = benchmark if benchmark in benchmarks else benchmarks[0]
        view_state.selection.select((model_id, benchmark))
    return ids[model_id], benchmark


def choose_cell(
    models: Sequence[PrunedModel], benchmarks: Sequence[str], model: PrunedModel, benchmark: str
) -> None:
    """The table's twin for the keyboard: `selected_cell` in two choosers."""
    ids = {m.model_id: m for m in models}
    st.session_state["pr-model"], st.session_state["pr-benchmark"] = model.model_id, benchmark
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.selectbox(
            "Network",
            list(ids),
            format_func=lambda i: display_name(row_label(ids[i])),
            key="pr-model",
            on_change=_chosen,
        )
        st.selectbox(
            "Samples", list(benchmarks), format_func=benchmark_label, key="pr-benchmark", on_change=_chosen
        )


def _worth_a_look(view: PruningView, models: Sequence[PrunedModel]) -> PrunedModel:
    enough = view.parent.numbers[QUALITY] - 0.01
    good = [m for m in models if m.numbers[QUALITY] >= enough]
    return max(good, key=lambda m: m.sparsity, default=view.parent)


def _chosen() -> None:
    view_state.selection.chosen((st.session_state["pr-model"], st.session_state["pr-benchmark"]))


def headline(view: PruningView, model: PrunedModel, benchmark: str) -> None:
    """Accuracy on the selected images and what is gone, large."""
    here, before = view.accuracy(model.model_id, benchmark), view.accuracy(view.parent.model_id, benchmark)
    points = 100 * (here - before)
    sign = "+" if points > 0 else MINUS if points < 0 else "±"
    change = "not pruned" if model.is_parent else f"{sign}{abs(points):.1f} points"
    parts = [
        (format_value(here, objective(QUALITY)), benchmark_label(benchmark)),
        (format_value(model.sparsity, objective(QUALITY)), "of the weights gone"),
        (change, "against the parent"),
    ]
    cells = "".join(f"<div><b>{html.escape(v)}</b><span>{html.escape(t)}</span></div>" for v, t in parts)
    heading = '<h2 class="ps-unseen">The selected network</h2>'
    st.html(f'{heading}<div class="ps-headline">{cells}</div>')


def over_its_seeds(
    view: PruningView, groups: Sequence[PrunedSeeds], model: PrunedModel, benchmark: str
) -> None:
    """Where the selected network is one of several seeds: what they say together, and which one this is."""
    group = group_of(groups, model.model_id)
    if group is None or group.n < 2:
        return
    found = spread([view.accuracy(m.model_id, benchmark) for m in group.models])
    if found.n > 1:
        st.caption(
            f"This is seed {model.seed}. Over seeds {', '.join(str(s) for s in group.seeds)}: mean "
            f"{in_words(found, factor=100.0, unit=' %')}, {found.band}."
        )


def numbers(view: PruningView, model: PrunedModel) -> None:
    """What was measured and counted, beside the parent's."""
    rows = []
    for name, (label, how) in _named(model).items():
        mine, parents = (m.objective_value(name) for m in (model, view.parent))
        rows.append(
            f"<tr><th scope='row'>{label}</th><td class='value'>{_text(name, mine)}</td>"
            f"<td class='value'>{_text(name, parents) if name != 'zero_shot' else ''}</td><td class='how'>{how}</td></tr>"
        )
    head = (
        "<tr><td></td><th scope='col' class='value'>here</th><th scope='col' class='value'>parent</th>"
        "<th scope='col'><span class='ps-unseen'>how obtained</span></th></tr>"
    )
    caption = '<caption class="ps-unseen">Numbers of the network, beside its parent</caption>'
    st.html(f'<table class="ps-metrics">{caption}<thead>{head}</thead><tbody>{"".join(rows)}</tbody></table>')
    if model.note:
        st.caption(f":material/info: {for_markdown(model.note, 400)}")
    if model.removes == "weights":
        terms.caption("Single weights at zero save neither time nor space here: the layers keep their sizes.")
    elif model.tuning_epochs == 0 and not model.is_parent and "zero_shot" not in model.numbers:
        st.caption("Trained from scratch by the method itself.")


def _named(model: PrunedModel) -> dict[str, tuple[str, str]]:
    """Label and origin of what is known of a network besides the large numbers above, in the order of the rows."""
    known = [
        o for o in objectives(all_names()) if o.name != QUALITY and model.objective_value(o.name) is not None
    ]
    rows = {o.name: (o.label, usually_obtained(o)) for o in known}
    return {name: said for name, said in _OWN.items() if name in model.numbers} | rows


def _text(name: str, value: float | None) -> str:
    if value is None:
        return ""
    if name == "nonzero":
        return format_count(int(value))
    return format_value(value, objective(QUALITY if name == "zero_shot" else name))


def download(model: PrunedModel) -> None:
    """The pruned network as a file: format, form, button."""
    if model.is_parent:
        terms.caption("This is the network before pruning; download it on the Front page.")
        return
    family = supernets.find(resources.store(), model.supernet_id).family
    formats = {info.name: info for info in extract_subnet.formats(family)}
    forms = extract_pruned.forms(model)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if len(forms) > 1:
            form = st.selectbox(
                "Form",
                list(forms),
                format_func=str.capitalize,
                key="pr-form",
                help="\n\n".join(forms.values()),
                width=120,
            )
        else:
            form = next(iter(forms))
        chosen = st.selectbox(
            "Format",
            list(formats),
            format_func=lambda name: formats[name].label,
            key="pr-format",
            help="The network is cut, measured, written and read back when you click; that takes a few seconds.\n\n"
            + "\n\n".join(f"**{i.label}**: {i.summary}" for i in formats.values()),
        )
        name = f"paretoscope-{model.arch_id}-{model.method}-{model.asked * 100:.0f}-{form}"
        suffix = SUFFIXES.get(chosen, "bin")
        st.download_button(
            f"Download .{suffix}",
            data=_maker(model, chosen, form),
            file_name=f"{name}.{suffix}",
            mime="application/octet-stream",
            key="prune-download",
            on_click="ignore",
            type="primary",
            icon=":material/download:",
        )


def _maker(model: PrunedModel, format_name: str, form: str) -> Callable[[], bytes]:
    """Makes the file when the browser asks for it; runs outside the page's script."""
    store = resources.store()

    def make() -> bytes:
        return extract_pruned.download(store, model, format_name, form).data

    return make


def elsewhere(view: PruningView, model: PrunedModel, compare: PrunedModel) -> None:
    """Take the network to the Similarity page or to the Front page."""
    with st.container(horizontal=True):
        baskets.button(model.model_id, f"{model.arch_id}: {model.title}")
        ids = list(dict.fromkeys([compare.model_id, model.model_id]))
        if st.button(
            "Compare representations",
            key="prune-similarity",
            icon=":material/compare:",
            help="What this network and the one it is compared with have learned, layer by layer.",
        ):
            link = {"models": ",".join(ids), "a": ids[0], "b": ids[-1]}
            st.switch_page("pages/similarity.py", query_params=link)
        if model.removes in ("units", "blocks") and st.button(
            "Prune it further",
            key="prune-further",
            icon=":material/content_cut:",
            help="Makes this network the one that is pruned.",
        ):
            st.switch_page("pages/pruning.py", query_params={"parent": model.model_id})
        if st.button(
            "Show on the front",
            key="prune-front",
            icon=":material/show_chart:",
            help="All pruned networks of this parent as points beside the supernet's front.",
        ):
            link = {"supernet": view.entry.supernet_id, "pruned": view.parent.model_id}
            st.switch_page("pages/front.py", query_params=link)
