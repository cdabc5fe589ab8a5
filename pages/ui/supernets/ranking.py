"""Whether to believe a supernet's order: the ranking check on its page, started, followed and read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from core.errors import CoreError
from core.jobs.forecast import of_work
from core.library.kept_tables import TableAbout
from core.library.ranking_check import KIND, WAYS, RankingRecord
from core.library.supernets import SupernetEntry
from core.library.trainings import training_of
from core.plots.finished import finished
from core.text import display_name, for_markdown
from core.views import ranking as view
from core.views import ranking_told as told
from core.words import count_of
from core.workflows.check_ranking import Request
from pages.ui import baskets, checked, resources, terms
from pages.ui.forecast import forecast
from pages.ui.forms import field_number
from pages.ui.progress import submit
from pages.ui.search import kept_runs
from pages.ui.setup import note
from pages.ui.tables import html_table

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from core.store.imported import ImportedTable

_BY_HAND, _TABLE = "hand", "table"
_WAYS = {**WAYS, _BY_HAND: "By hand"}
_AXES = {"accuracies": "Accuracies", "ranks": "Ranks"}


def draw(entry: SupernetEntry) -> None:
    """The section: what was found, or what there is to find, and the form."""
    if not entry.task or entry.card.data is None:
        return
    st.subheader("Whether to believe its order", anchor=False)
    with st.container(key="ranking-check"):
        runs = kept_runs.of(KIND, entry)
        if not runs:
            terms.caption(
                "A search believes the supernet: it takes the subnet that answers best with shared weights. Is that the one that "
                "would be best if each were trained alone? Train some of them alone and see. Nothing was checked yet."
            )
        else:
            run_id = kept_runs.choose(runs, f"pick-ranking-{entry.supernet_id}")
            kept_runs.followed(run_id, lambda chosen: _results(entry, chosen))
        with st.expander("Check again, with other settings" if runs else "Check its order"):
            _form(entry)


def _form(entry: SupernetEntry) -> None:
    key = entry.supernet_id
    config, from_card = training_of(entry)
    tables = _tables()
    with checked.form() as form:
        against = _against(key) if tables else "alone"
        way = str(
            st.segmented_control(
                "Subnets",
                list(_WAYS),
                format_func=_WAYS.__getitem__,
                default="spread",
                required=True,
                key=f"ranking-way-{key}",
                help="**Spread over cost** asks whether cheap and dear ones are told apart, which is easy. **On the front** and "
                "**near the front** (the tenth of the measured subnets least far below it) ask where a search would pick, which "
                "is hard: there subnets differ by little.",
            )
        )
        ids = _by_hand(entry) if way == _BY_HAND else ()
        with st.container(horizontal=True, vertical_alignment="bottom"):
            subnets = len(ids)
            if way != _BY_HAND:
                subnets = field_number(
                    Request,
                    "subnets",
                    "How many",
                    key=f"ranking-subnets-{key}",
                    help=f"Below {view.FEWEST} nothing is said; 12 tell a good order from none; 24 and more tell a good one from a fair one.",
                )
            asked = (
                _alone_fields(key, config.epochs, from_card)
                if against == "alone"
                else _table_fields(tables, key)
            )
        params: dict[str, Any] = {"supernet": key, "subnets": subnets, "ids": list(ids), **asked}
        if way != _BY_HAND:
            params["chosen"] = way
        if against == "alone":
            _budget(params, from_card, ready=not form.complaints)
        pressed = form.start(
            "Check its order",
            key="ranking-start",
            type="primary",
            icon=":material/play_arrow:",
            disabled=way == _BY_HAND and len(ids) < 3,
        )
    if pressed:
        title = f"Ranking check of {display_name(entry.title)}, {count_of(subnets, 'subnet')}"
        if submit(KIND, {**params, "subnets": max(subnets, 3)}, title=title, seed=int(asked.get("seed", 1))):
            st.rerun()


def _against(key: str) -> str:
    return str(
        st.segmented_control(
            "Against",
            ["alone", _TABLE],
            format_func={"alone": "Training alone", _TABLE: "A published table"}.__getitem__,
            default="alone",
            required=True,
            key=f"ranking-against-{key}",
            help="An imported table whose rows are architectures of this space (a column of the benchmark's names, or our own "
            "JSON) stands in for trainings. It may be of other data; then tau says how far the order carries over.",
        )
    )


def _alone_fields(key: str, epochs: int, from_card: bool) -> dict[str, Any]:
    seeds = field_number(
        Request,
        "seeds",
        "Seeds",
        key=f"ranking-seeds-{key}",
        help="Trainings of each subnet. One has no ceiling to hold tau against; two have.",
    )
    length = field_number(
        Request,
        "epochs",
        "Epochs",
        value=epochs,
        key=f"ranking-epochs-{key}",
        help="Of each training; the supernet's own number to begin with. Fewer are a cheaper and a rougher truth."
        if from_card
        else "Of each training; the supernet's card does not say how it was trained.",
    )
    first = field_number(Request, "seed", "First seed", key=f"ranking-seed-{key}")
    return {"seeds": int(seeds), "epochs": int(length), "seed": int(first)}


def _tables() -> list[ImportedTable]:
    store = resources.quiet_store()
    return [table for table in store.tables.list() if not table.damaged] if store else []


def _table_fields(tables: list[ImportedTable], key: str) -> dict[str, Any]:
    by_id = {table.table_id: table for table in tables}
    picked = st.selectbox(
        "Table",
        list(by_id),
        format_func=lambda i: display_name(by_id[i].name),
        key=f"ranking-table-{key}",
        help="Tables are imported on the Tables page.",
    )
    try:
        mapping = TableAbout.decode(by_id[picked].about).mapping
    except CoreError as error:
        checked.complain(str(error))
        return {}
    names = [each.column for each in mapping.objectives if each.maximize]
    columns = st.multiselect(
        "Columns of accuracies",
        names,
        default=names[:1],
        key=f"ranking-columns-{key}-{picked}",
        help="Each counts like a seed; with two or more there is a ceiling.",
    )
    if not columns:
        checked.complain("Choose a column of accuracies.")
    return {"table": picked, "columns": list(columns), "seed": 1}


def _by_hand(entry: SupernetEntry) -> tuple[str, ...]:
    here = baskets.arch_ids(entry.supernet_id)
    typed = st.text_input(
        "Ids",
        value=", ".join(here),
        key=f"ranking-ids-{entry.supernet_id}",
        placeholder="ids of at least three subnets, with commas between",
        help="Short ids, as the cards and tables show them; those of the basket to begin with.",
    )
    ids = tuple(dict.fromkeys(part.strip() for part in typed.split(",") if part.strip()))
    for arch_id in ids:
        try:
            known = entry.space.arch_id(entry.space.from_id(arch_id)) == arch_id
        except CoreError:
            known = False
        if not known:
            checked.complain(f"{arch_id[:40]} is not the id of a subnet of {entry.title}.")
    if len(ids) < 3:
        checked.complain("An order needs at least three subnets.")
    return ids


def _budget(params: dict[str, Any], from_card: bool, *, ready: bool) -> None:
    nets = int(params["subnets"]) * int(params["seeds"])
    as_it = "with the supernet's own settings" if from_card else "with the usual settings"
    st.caption(
        f"{count_of(nets, 'network')} are trained from scratch, {count_of(params['epochs'], 'epoch')} each, {as_it}, labels as the only teacher. "
        "They are trained one after the other in the background, every subnet once before any is trained again; what is there "
        "is shown as it comes, a stop loses nothing, and what was trained alone before counts."
    )
    if ready:
        forecast(KIND, params, of_work, key="ranking-forecast")


def _results(entry: SupernetEntry, run_id: str) -> None:
    try:
        record = RankingRecord.so_far(resources.store().ledger(run_id))
    except CoreError as error:
        st.warning(for_markdown(error, 600), icon=":material/warning:")
        return
    if record is None or not record.nets:
        return
    key = f"{run_id}-{len(record.nets)}"
    found = _found(key, record)
    st.markdown(f"**{for_markdown(found.verdict.headline, 400)}** {for_markdown(found.verdict.why, 600)}")
    with st.container(key="ranking-columns"):
        left, right = st.columns(2, gap="medium")
    with left:
        axes = st.segmented_control(
            "Axes",
            list(_AXES),
            format_func=_AXES.__getitem__,
            default="accuracies",
            required=True,
            key="ranking-axes",
            label_visibility="collapsed",
        )
        st.plotly_chart(
            _figure(f"{key}-{axes}", axes == "ranks", found, record),
            key="ranking-figure",
            width="stretch",
            config={"displaylogo": False},
            alt="Every checked subnet: what it does in the supernet across, what it learned alone upwards.",
        )
    with right:
        html_table(told.taus(found), "Kendall's tau of the supernet's order and that of training alone")
        if found.regrets:
            html_table(told.regret_rows(found), "What believing the supernet costs")
        note(told.WHAT)
    note(told.how_checked(record, found))
    note(view.RULE)
    st.download_button(
        "Every subnet as CSV",
        lambda: told.csv(record, entry.space, found),
        f"ranking-check-{entry.supernet_id}.csv",
        "text/csv",
        key="ranking-csv",
        on_click="ignore",
        icon=":material/table:",
    )


@st.cache_resource(show_spinner=False, max_entries=32)
def _found(key: str, _record: RankingRecord) -> view.RankingCheck:
    return view.ranking_check(_record)


@st.cache_resource(show_spinner=False, max_entries=32)
def _figure(key: str, ranks: bool, _found: view.RankingCheck, _record: RankingRecord) -> go.Figure:
    from core.plots.ranking import ranking_figure

    truth = _record.truth or "alone"
    return finished(ranking_figure(_found.points, _record.samples[0], ranks=ranks, truth=truth))
