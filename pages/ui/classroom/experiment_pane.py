"""The shared experiment: what it found so far, and for a student the network to train."""

from __future__ import annotations

import streamlit as st

from core.classes import experiment
from core.classes.experiment import Experiment
from core.errors import CoreError
from core.lessons.base import SUPERNET
from core.library import supernets
from core.plots.lessons import draw as draw_chart
from core.records import RunState
from core.store.class_rows import Deal, Room
from core.store.class_work import MOST_DEALS
from core.text import for_markdown
from core.words import format_share
from pages.ui import resources
from pages.ui.classroom import collecting, follow
from pages.ui.classroom.member import Member
from pages.ui.home_store import home_store
from pages.ui.progress import job_row

_SAID = "class-experiment-said"


@st.cache_resource(show_spinner=False, max_entries=32)
def _found(code: str, results: tuple[tuple[int, int], ...], seed: int, _deals: list[Deal]) -> Experiment:
    return experiment.experiment(supernets.find(None, SUPERNET), _deals, seed)


def _now(room: Room) -> Experiment:
    """What is found so far; made once for all who look at it."""
    deals = home_store().class_work.deals(room.code)
    results = tuple((deal.number, deal.finished) for deal in deals if deal.finished is not None)
    return _found(room.code, results, room.seed, deals)


def draw(room: Room, *, teacher: bool, member: Member | None = None) -> None:
    """The question, the figures, and what one can do."""
    st.markdown(
        f"**Does the supernet rank its subnets rightly?** Everybody trains a network alone, from scratch. The class covers "
        f"{experiment.NETWORKS} subnets of `{SUPERNET}`, then trains them again with other seeds; the rank correlation and "
        "its interval follow."
    )
    if teacher:
        _start_or_stop(room)
    elif member:
        # Within the part that follows the class, so that one's own job is seen to go on.
        follow.everything(room.code, lambda: _mine(member))
    found = _now(room)
    st.markdown(for_markdown(experiment.said(found), 400))
    if not found.arch_ids:
        return
    with st.container(key="class-figures"):
        left, right = st.columns(2, gap="medium")
    common = {"width": "stretch", "config": {"displayModeBar": False}}
    with left:
        st.subheader("Ranks", anchor=False)
        st.plotly_chart(
            draw_chart(experiment.slopes(found)),
            key="class-slopes",
            alt="Ranks of subnets in the supernet and trained alone",
            **common,
        )
    with right:
        st.subheader("Kendall's tau", anchor=False)
        if found.now.tau is None:
            st.caption(f"Comes with the result of the {experiment.LEAST}th subnet.")
        else:
            st.plotly_chart(
                draw_chart(experiment.history(found)),
                key="class-tau",
                alt="Kendall's tau against the number of networks trained",
                **common,
            )
            st.caption(
                "The band holds the middle 95 % of tau when the subnets are drawn anew with replacement: it tightens as "
                "subnets come in, and of a few it says little. Differences that seeds make pull tau down, too."
            )


def _start_or_stop(room: Room) -> None:
    opened = room.rules.experiment
    st.button(
        "Close the experiment" if opened else "Open the experiment",
        key="class-experiment",
        type="secondary" if opened else "primary",
        disabled=room.rules.ended,
        on_click=_open,
        args=(room.code, not opened),
    )
    deals = home_store().class_work.deals(room.code)
    done = sum(each.finished is not None for each in deals)
    if deals:
        st.progress(done / len(deals), text=f"{done} of {len(deals)} networks that were dealt are trained")
    elif opened:
        st.caption("Students find a button on this page that deals them a network and trains it.")


def _open(code: str, opened: bool) -> None:
    try:
        home_store().classes.set_rules(
            code, lambda rules, at: rules.model_copy(update={"experiment": opened})
        )
    except CoreError as error:
        st.session_state[_SAID] = str(error)


def _mine(member: Member) -> None:
    """A student's own networks: what came of them, and the button for the next."""
    collecting.fetch(home_store(), resources.sandboxes(), member.student.code, member.student.student_id)
    if said := st.session_state.pop(_SAID, ""):
        st.warning(for_markdown(said, 600), icon=":material/error:")
    mine = [
        each
        for each in home_store().class_work.deals(member.student.code)
        if each.student_id == member.student.student_id
    ]
    for deal in mine:
        _my_network(member, deal)
    if not member.rules.experiment:
        st.caption("The teacher has not opened the experiment, or has closed it.")
        return
    waiting = any(each.finished is None for each in mine)
    if len(mine) < MOST_DEALS or any(not each.run_id for each in mine):
        st.button(
            "Train my network" if not mine else "Train a second one",
            key="class-train",
            type="primary",
            icon=":material/play_arrow:",
            disabled=waiting and bool(mine) and bool(mine[-1].run_id),
            on_click=_train,
            args=(member,),
            help="The class deals you a subnet; it is trained in the background and takes a few seconds once it is its turn.",
        )


def _my_network(member: Member, deal: Deal) -> None:
    name = f"Subnet `{deal.arch_id}`, seed {deal.seed}"
    if deal.finished is not None:
        inside = _inside(deal.arch_id)
        st.markdown(
            f"{name}: **{format_share(deal.test_accuracy or 0.0, 1)}** alone, {format_share(inside, 1)} in the supernet."
        )
        return
    if not deal.run_id:
        return
    try:
        run = resources.store().get_run(deal.run_id)
    except CoreError:
        run = None
    if run is not None and not run.state.is_final:
        job_row(run)
    elif run is not None and run.state is RunState.DONE:
        st.caption(f"{name} is trained; the class fetches it.")
    else:
        st.markdown(f"{name} was stopped before it was trained.")
        st.button("Train it again", key=f"class-again-{deal.number}", on_click=_queue, args=(member, deal))


def _inside(arch_id: str) -> float:
    rows = supernets.table(supernets.find(None, SUPERNET))
    assert rows is not None
    return float(rows.loc[rows["arch_id"] == arch_id, "test_accuracy"].iloc[0])


def _train(member: Member) -> None:
    entry = supernets.find(None, SUPERNET)
    try:
        deal = home_store().class_work.deal(
            member.student, lambda number: experiment.dealt(entry, member.room.seed, number)
        )
    except CoreError as error:
        st.session_state[_SAID] = str(error)
        return
    _queue(member, deal)


def _queue(member: Member, deal: Deal) -> None:
    kind, params, title = experiment.request(deal)
    try:
        run_id = resources.jobs().submit(kind, params, title=title, seed=deal.seed)
        home_store().class_work.queued(member.student.code, deal.number, run_id)
    except CoreError as error:
        st.session_state[_SAID] = str(error)
