"""Supernet against stand-alone: train the chosen architecture alone, then see whether it learned the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from core.errors import CoreError
from core.library import alone, supernets
from core.library.alone import KIND, AloneNet
from core.library.supernets import SupernetEntry
from core.library.trainings import training_of
from core.records import Run
from core.similarity.base import MEASURES
from core.text import display_name, for_markdown
from core.views.seed_groups import seed_groups
from core.workflows import train_alone
from pages.ui import checked, resources, state, terms
from pages.ui.forms import field_number
from pages.ui.progress import active, all_runs, job_row, submit, watch
from pages.ui.similarity.selection import DEFAULT_MEASURE, Compared

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from core.similarity.seed_spread import StageResult
    from core.store import RunStore


def panel(view: Compared) -> None:
    """Whether model A's architecture computes in its supernet what it learns alone."""
    try:
        _panel(view)
    except CoreError as error:
        st.warning(for_markdown(error, 600), icon=":material/warning:")


def _panel(view: Compared) -> None:
    store = resources.store_or_none()
    if store is None:
        return
    entry = supernets.find(store, view.a.supernet_id)
    arch_id = view.a.arch_id
    st.markdown(
        f"**Does {for_markdown(entry.title)} {for_markdown(arch_id)} compute inside the supernet what it learns alone?**"
    )
    nets = alone.list_alone(store, entry.supernet_id, arch_id)
    if not nets:
        terms.caption(
            "The same architecture is trained from scratch with several seeds, on the same data and with the supernet's own "
            "settings. How alike two of these are to each other is the ceiling that the subnet inside the supernet is held against."
        )
    _jobs(entry, arch_id)
    if nets:
        _result(view, store, _chosen(nets))
        with st.expander("Train it again with other settings"):
            _form(entry, arch_id)
    else:
        _form(entry, arch_id)


def _jobs(entry: SupernetEntry, arch_id: str) -> None:
    """What is being trained now; the page is drawn again when it ends."""
    if not (runs := _unfinished(entry, arch_id)):
        return
    ids = [run.run_id for run in runs]

    def now() -> list[Run]:
        return [resources.jobs().run(run_id) for run_id in ids]

    def show() -> None:
        for run in now():
            job_row(run)

    watch(show, lambda: active(now()))


def _unfinished(entry: SupernetEntry, arch_id: str) -> list[Run]:
    """Runs of this architecture that are active, and the newest if it was stopped: it can be resumed."""
    mine = [
        run
        for run in all_runs([KIND])
        if run.params.get("supernet") == entry.supernet_id and run.params.get("arch") == arch_id
    ]
    return [run for run in mine if not run.state.is_final or (run is mine[0] and run.state.is_resumable)]


def _form(entry: SupernetEntry, arch_id: str) -> None:
    asked = train_alone.Request(supernet=entry.supernet_id, arch=arch_id)
    config, from_card = training_of(entry)
    suffix = entry.supernet_id
    with checked.form() as form, st.container(horizontal=True, vertical_alignment="bottom"):
        seeds = field_number(
            train_alone.Request,
            "seeds",
            "Seeds",
            key=f"train-alone-seeds-{suffix}",
            help="Networks to train, each from weights of its own. Three are the fewest that show what a seed changes; six nearly halve the band.",
        )
        epochs = field_number(
            train_alone.Request,
            "epochs",
            "Epochs",
            value=config.epochs,
            key=f"train-alone-epochs-{suffix}",
            help="Passes over the training images; the supernet's own number to begin with."
            if from_card
            else "Passes over the training images; the supernet's card does not say how it was trained.",
        )
        seed = field_number(
            train_alone.Request,
            "seed",
            "First seed",
            key=f"train-alone-seed-{suffix}",
            help="Decides weights, order and augmentation; the other seeds follow it.",
        )
    pressed = form.start(
        "Train it alone", key="train-alone-start", type="primary", icon=":material/play_arrow:"
    )
    if pressed:
        params = asked.model_dump() | {"seeds": int(seeds), "epochs": int(epochs), "seed": int(seed)}
        title = f"{display_name(entry.title)} {arch_id} alone"
        if submit(KIND, params, title=title, seed=int(seed)):
            st.rerun()


def _chosen(nets: Sequence[AloneNet]) -> list[AloneNet]:
    """The networks of equal settings, one per seed: the newest of them unless a person chooses others."""
    of_run = {
        run.run_id: group.key
        for group in seed_groups(all_runs([KIND]))
        for run in (*group.runs, *group.again)
    }
    groups: dict[str, list[AloneNet]] = {}
    for net in nets:
        # The same settings on other weights of the supernet are another training.
        groups.setdefault(f"{of_run.get(net.run_id, net.run_id)}-{net.sha256}", []).append(net)
    # A group goes by its newest run, so that a choice stays when seeds join.
    by_run = {members[0].run_id: _one_per_seed(members) for members in groups.values()}
    if len(by_run) == 1:
        return next(iter(by_run.values()))
    names = {run_id: _settings(members) for run_id, members in by_run.items()}
    finished = [run_id for run_id, members in by_run.items() if any(net.finished for net in members)]
    state.keep("pick-alone", by_run, (finished or list(by_run))[0])
    picked = st.selectbox(
        "Training", list(by_run), format_func=lambda run_id: names[run_id], key="pick-alone"
    )
    return by_run[picked]


def _one_per_seed(nets: Sequence[AloneNet]) -> list[AloneNet]:
    """By seed; of equal seeds the newest: the same numbers once more are no further seed."""
    newest = {net.seed: net for net in reversed(nets)}
    return [newest[seed] for seed in sorted(newest)]


def _settings(nets: Sequence[AloneNet]) -> str:
    seeds = ", ".join(str(net.seed) for net in nets)
    asked = sum({net.run_id: net.of for net in nets}.values())
    missing = f" of {asked}" if len(nets) < asked and not all(net.finished for net in nets) else ""
    return f"seeds {seeds}{missing} (n = {len(nets)}) · {nets[0].epochs} epochs · learning rate {nets[0].learning_rate:g}"


def _result(view: Compared, store: RunStore, nets: Sequence[AloneNet]) -> None:
    from core.plots import shared_or_alone as plots
    from core.views.shared_or_alone import shared_or_alone

    measure = view.measure if MEASURES.get(view.measure).of == "activations" else DEFAULT_MEASURE
    answer = shared_or_alone(store, nets, measure, pooling=view.pooling, choice=view.probe)
    st.markdown(for_markdown(answer.sentence, 2000))
    apart = len(nets) > 1 and st.toggle(
        "Seeds apart",
        key="alone-apart",
        help="Every single value instead of bars from the smallest to the largest.",
    )
    key = f"{'/'.join(net.model_id for net in nets)}/{apart}/{measure}/{view.pooling}/{view.probe.model_dump_json()}"
    st.plotly_chart(
        _figure(key, apart, answer.stages, answer.measure),
        key="alone-figure",
        width="stretch",
        config={"displaylogo": False},
        alt="Similarity by stage: subnet inside the supernet against networks trained alone, these against each other, shuffled samples.",
    )
    st.caption(
        f"{for_markdown(answer.measure)}{', small is alike' if answer.distance else ''}, {answer.pooling} activations, {for_markdown(answer.probe)}; "
        f"mean, {'every single value' if apart else 'smallest and largest value'}; {for_markdown(_settings(nets), 200)}. A triangle marks a stage outside the band, where one more seed would lie 19 times in 20."
    )
    for reason in dict.fromkeys(stage.reason for stage in answer.stages if stage.reason):
        st.caption(for_markdown(reason, 600))
    st.markdown(plots.accuracy_table(answer))
    st.caption(f"Test accuracy inside the supernet against alone: {answer.accuracy}.")
    with st.expander("What they answer, and every value"):
        st.markdown(plots.values_table(answer.outputs, "outputs"))
        st.markdown(plots.values_table(answer.stages, "stage"))
        terms.caption(
            "Trained alone means: weights by torch's own initialization, labels as the only teacher, one cosine over all epochs, "
            "BatchNorm recalibrated as for a subnet. The supernet starts its blocks as the identity and may teach its subnets by "
            "its largest one, so sharing is not the only difference."
        )


@st.cache_resource(show_spinner=False, max_entries=64)
def _figure(key: str, apart: bool, _stages: Sequence[StageResult], measure: str) -> go.Figure:
    from core.plots.shared_or_alone import shared_or_alone_figure

    return shared_or_alone_figure(_stages, measure, apart=apart)
