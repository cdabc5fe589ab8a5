"""How long something will take, said before it is started: from a trial of a second on this machine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from core.errors import CoreError
from core.jobs.forecast import Forecast, Part, Trial, busy
from core.people import Action
from core.text import for_markdown
from core.words import format_about, format_seconds
from pages.ui import resources, state
from pages.ui.people import door

_BUSY = 1.5


def forecast(kind: str, params: dict[str, Any], of: Callable[[Trial], Forecast], *, key: str) -> None:
    """A line that says how long a request will take; asks once a second while it is being tried.

    Args:
        kind: name of the workflow.
        params: its request.
        of: what follows from the trial.
        key: of the container.
    """
    forecast_all(kind, [params], lambda trials: of(trials[0]), key=key)


def forecast_all(
    kind: str, requests: Sequence[dict[str, Any]], of: Callable[[Sequence[Trial]], Forecast], *, key: str
) -> None:
    """A line that says how long several requests will take together; they are tried one after the other.

    Args:
        kind: name of the workflow.
        requests: at least one.
        of: what follows from their trials.
        key: of the container.
    """
    if not door.may(Action.START):  # trying costs what starting costs
        return

    def now() -> list[Trial] | str | None:
        found: list[Trial] = []
        for params in requests:
            answer = resources.trials().ask(kind, params, state.session_id(), store=resources.quiet_store())
            # A visitor has one question at a time: the next one is asked when this is answered.
            if answer is None or isinstance(answer, str):
                return answer
            found.append(answer)
        return found

    # Drawn with the page as it was known then: a rerun in the midst of a page would swallow the click it answers.
    first = [now()]
    pending = first[0] is None

    @st.fragment(run_every=resources.look_again_seconds() if pending else None)
    def line() -> None:
        found = first.pop() if first else now()
        with st.container(key=key):
            if found is None:
                st.caption(":material/timer: Trying it for a second, to say how long it will take.")
            elif isinstance(found, str):
                st.caption(f":material/timer: How long it takes is not known. {for_markdown(found, 300)}")
            else:
                _told(of, found)
        if pending and found is not None:
            st.rerun(scope="app")

    line()


def _told(of: Callable[[Sequence[Trial]], Forecast], trials: Sequence[Trial]) -> None:
    try:
        found = of(trials)
    except CoreError as error:
        st.caption(for_markdown(error, 300))
        return
    slower = busy()
    now = f" The machine is busy: now it may take {slower:.0f} times as long." if slower > _BUSY else ""
    st.markdown(f":material/timer: Will take **{format_about(found.seconds)}** on this machine.{now}")
    later = f" Afterwards, {_parts(found.later)}." if found.later else ""
    st.caption(f"{_parts(found.parts).capitalize()}.{later} Found by trying {found.tried} here.")


def _parts(parts: Sequence[Part]) -> str:
    return ", ".join(f"{part.what} {format_seconds(max(part.seconds, 1.0))}" for part in parts)
