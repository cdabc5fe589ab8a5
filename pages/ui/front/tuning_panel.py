"""The tab of the card that makes a product of the selected subnet: as shared, tuned, from scratch as long, and alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from core.errors import CoreError
from core.jobs.forecast import of_work
from core.library.networks import subnet_id
from core.library.supernets import SupernetEntry
from core.library.tuned import KIND, TunedNet, list_tuned, longest_alone
from core.records import Run
from core.text import display_name, for_markdown
from core.views import tuning as view
from core.workflows.tune_subnet import Request
from pages.ui import resources, terms
from pages.ui.checked import form as open_form
from pages.ui.forecast import forecast
from pages.ui.forms import field_number
from pages.ui.front.subnet_card import SUFFIXES
from pages.ui.progress import submit
from pages.ui.search import kept_runs
from pages.ui.setup import note
from pages.ui.tables import html_table


def draw(entry: SupernetEntry, arch_id: str) -> None:
    """What was found for this subnet, and the form."""
    if entry.card.data is None:
        st.caption("The supernet's card names no data to train on; bring some on its page.")
        return
    with st.container(key="tune-subnet"):
        runs = [run for run in kept_runs.of(KIND, entry) if run.params.get("arch") == arch_id]
        if not runs:
            terms.caption(
                "Train this subnet a few epochs further on its own. The same network is trained from scratch for as long beside "
                "it, which says how much of the gain is training that needs no supernet."
            )
            _form(entry, arch_id)
            return
        run_id = _chosen(runs)
        kept_runs.followed(run_id, lambda chosen: _results(entry, arch_id, chosen))
        with st.expander("Tune it again, with other settings"):
            _form(entry, arch_id)


def _chosen(runs: list[Run]) -> str:
    return kept_runs.choose(runs, f"pick-tuning-{runs[0].params.get('arch')}")


def _form(entry: SupernetEntry, arch_id: str) -> None:
    key = entry.supernet_id
    with open_form() as form:
        with st.container(horizontal=True, vertical_alignment="bottom"):
            epochs = field_number(Request, "epochs", "Epochs", key=f"tune-subnet-epochs-{key}", width=110)
            seeds = field_number(Request, "seeds", "Seeds", key=f"tune-subnet-seeds-{key}", width=110)
        teacher = st.toggle(
            "Learn from the largest subnet, too",
            key=f"tune-subnet-teacher-{key}",
            help="Half of the loss imitates what the largest subnet answers (distillation); from scratch as well, so that the "
            "start alone differs.",
        )
        params: dict[str, Any] = {
            "supernet": key,
            "arch": arch_id,
            "epochs": int(epochs),
            "seeds": int(seeds),
            "teacher": teacher,
        }
        st.caption(
            f"{2 * int(seeds)} short trainings: {seeds} from the supernet's weights, and as many from scratch, with the supernet's own settings."
        )
        if not form.complaints:
            forecast(KIND, params, of_work, key="tune-subnet-forecast")
        pressed = form.start(
            "Tune this subnet", key="tune-subnet-start", type="primary", icon=":material/tune:"
        )
    if pressed and submit(KIND, params, title=f"{display_name(entry.title)} {arch_id} tuned", seed=1):
        st.rerun()


def _results(entry: SupernetEntry, arch_id: str, run_id: str) -> None:
    store = resources.store()
    try:
        nets = [net for net in list_tuned(store, entry.supernet_id, arch_id) if net.run_id == run_id]
        if not nets:
            return
        found = view.told(nets, longest_alone(store, entry.sha256, arch_id))
    except CoreError as error:
        st.warning(for_markdown(error, 600), icon=":material/warning:")
        return
    told, home = st.container(), st.container()
    with told:
        _told(entry, arch_id, nets, found)
    if found.best:
        with home:
            _take(entry, nets, found.best)


def _told(entry: SupernetEntry, arch_id: str, nets: Sequence[TunedNet], found: view.Tuning) -> None:
    """The table, what it says, and the way to a training of full length."""
    html_table(
        view.rows(found), "Test accuracy of the subnet as shared, tuned, from scratch for as long, and alone"
    )
    st.markdown(for_markdown(view.sentence(found), 1000))
    if found.verdict:
        st.caption(for_markdown(found.verdict, 600))
    note(view.how_tuned(nets, found))
    if found.way(view.ALONE) is None and entry.task == "image":
        ours, other = subnet_id(entry, arch_id), subnet_id(entry, entry.space.arch_id(entry.reference))
        st.page_link(
            "pages/similarity.py",
            label="Train it alone at full length, too",
            icon=":material/compare:",
            query_params={"models": f"{ours},{other}", "a": ours, "b": other, "tab": "Shared or alone"},
        )


def _take(entry: SupernetEntry, nets: Sequence[TunedNet], best: str) -> None:
    """The tuned network of the best validation accuracy: downloaded, compared, pruned."""
    chosen = next(net for net in nets if net.model_id == best)
    name = f"paretoscope-{display_name(entry.title).lower().replace(' ', '-')[:40]}-{chosen.arch_id}-tuned.{SUFFIXES['bundle']}"
    with st.container(horizontal=True, vertical_alignment="center"):
        st.download_button(
            "Download the tuned one",
            data=_downloader(best),
            file_name=name,
            mime="application/octet-stream",
            key="download-tuned",
            on_click="ignore",
            type="primary",
            icon=":material/download:",
            help=f"As a bundle, of seed {chosen.seed}: the best validation accuracy of these.",
        )
        if entry.task != "image":
            return
        if st.button("Compare", key="compare-tuned", icon=":material/compare:", help=_COMPARE):
            ours = subnet_id(entry, chosen.arch_id)
            link = {"models": f"{ours},{best}", "a": ours, "b": best}
            st.switch_page("pages/similarity.py", query_params=link)
        if st.button(
            "Prune", key="prune-tuned", icon=":material/content_cut:", help="Prune the tuned network."
        ):
            st.switch_page("pages/pruning.py", query_params={"parent": best})


_COMPARE = "What tuning changed, layer by layer: the subnet as shared beside the tuned one."


def _downloader(model_id: str) -> Callable[[], bytes]:
    """Makes the file when the browser asks for it; it runs outside the page's script and holds what it needs."""
    store = resources.store()

    def make() -> bytes:
        from core.library.extract_trained import download

        return download(store, model_id).data

    return make
