"""The form of the Search page: what for, by which algorithm, over which seeds; one search, or a race of several."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st
from pydantic import ValidationError

from core.errors import CoreError
from core.jobs.forecast import of_race
from core.library.supernets import SupernetEntry
from core.over_seeds import fewest_seeds
from core.records import Run
from core.registry import PluginInfo
from core.search import ALGORITHMS
from core.text import display_name, for_markdown
from core.words import format_about
from core.workflows import search_front
from pages.ui import checked, state
from pages.ui.forecast import forecast_all
from pages.ui.forms import config_form, field_number, number
from pages.ui.progress import submit
from pages.ui.search import wanted

KIND = "search_front"
MOST_REPEATS = 10
MOST_SEEDS = 30
_USUAL, _BASELINE = "nsga2", "random_search"
_AGAINST = "race-algorithms"


def search_form(entry: SupernetEntry, runs: Sequence[Run]) -> list[str]:
    """Choose and start; returns the ids of what was started by this click.

    Args:
        entry: the supernet.
        runs: earlier searches of it, newest first.
    """
    infos = {info.name: info for info in ALGORITHMS.describe()}
    with checked.form() as form:
        params = wanted.ask(entry)
        name = _algorithm(infos)
        with st.expander("More settings", key="search-settings"):
            config = config_form(ALGORITHMS.get(name).Config, f"search-{name}", columns=1)
            params |= {"algorithm": name, "config": config}
            params |= wanted.sources(entry, runs, params["objectives"])
            looked_up = params["use_table"] and entry.read_table is not None
            params |= wanted.on_cluster(infos[name], use_table=looked_up)
        seed, repeats = _seeds()
        if not form.complaints:
            _forecast([params], repeats, key="search-forecast")
        started = _start_one(form, entry, params, infos[name], range(seed, seed + repeats))
        with st.container(border=True, key="race-box"):
            return _race(form, entry, params, infos, seed) or started


def _algorithm(infos: Mapping[str, PluginInfo]) -> str:
    name = st.selectbox(
        "Algorithm",
        list(infos),
        index=list(infos).index(_USUAL) if _USUAL in infos else 0,
        format_func=lambda n: infos[n].label,
        key="search-algorithm",
        help="\n\n".join(f"**{i.label}**: {i.summary} {i.source}" for i in infos.values()),
    )
    st.caption(for_markdown(_told(infos[name]), 600))
    return str(name)


def _told(info: PluginInfo) -> str:
    """What an algorithm does, and what was measured of it."""
    return " ".join(filter(None, (info.summary, info.facts.get("measured", ""))))


def _seeds() -> tuple[int, int]:
    with st.container(horizontal=True):
        seed = field_number(
            search_front.Request,
            "seed",
            "First seed",
            key="search-seed",
            help="Decides every draw; the same seed gives the same search.",
        )
        repeats = number(
            "Repeats",
            (1, MOST_REPEATS),
            value=1,
            key="search-repeats",
            help="Runs with this seed, the next one, and so on, to see the spread.",
        )
    return int(seed), int(repeats)


def _start_one(
    form: checked.Form, entry: SupernetEntry, params: dict[str, Any], info: PluginInfo, seeds: range
) -> list[str]:
    if not form.start(
        "Start the search", key="search-start", type="primary", icon=":material/play_arrow:", width="stretch"
    ):
        return []
    return _started(entry, [(info, params)], seeds)


def _race(
    form: checked.Form,
    entry: SupernetEntry,
    params: dict[str, Any],
    infos: Mapping[str, PluginInfo],
    seed: int,
) -> list[str]:
    """The algorithm above against others, each over the same seeds."""
    first = str(params["algorithm"])
    others = [n for n in infos if n != first]
    state.start(_AGAINST, [_BASELINE if first != _BASELINE else _USUAL])
    st.session_state[_AGAINST] = [n for n in st.session_state[_AGAINST] if n in others]
    with checked.form() as own:
        against = st.multiselect(
            f"Race {infos[first].label} against",
            others,
            format_func=lambda n: infos[n].label,
            key=_AGAINST,
            help="All of them search for what is set above, with the same budget and the same seeds. Random search is "
            "the yardstick that every algorithm has to beat.",
        )
        settings = [params]
        for name in against:
            with st.expander(f"{infos[name].label}: settings", key=f"race-settings-{name}"):
                st.caption(for_markdown(_told(infos[name]), 600))
                config = config_form(ALGORITHMS.get(name).Config, f"search-{name}", columns=1)
            settings.append({**params, "algorithm": name, "config": config})
        needed = fewest_seeds(len(settings))
        seeds = number(
            "Seeds each",
            (1, MOST_SEEDS),
            value=fewest_seeds(2),
            key="race-seeds",
            help="The seeds from the first one on. Equal seeds are pairs, and pairs are what the test compares.",
        )
        total = len(settings) * int(seeds)
        _complain_of_room(total)
        if against:
            st.caption(_plan(len(settings), int(seeds), seed, needed))
        else:
            st.caption("Choose one more algorithm to race against.")
        if against and not form.complaints and not own.complaints:
            _forecast(settings, int(seeds), key="race-forecast")
        pressed = own.start(
            "Start the race",
            key="race-start",
            disabled=not against or bool(form.complaints),
            icon=":material/speed:",
            width="stretch",
        )
    if not pressed:
        return []
    return _started(
        entry, [(infos[str(s["algorithm"])], s) for s in settings], range(seed, seed + int(seeds))
    )


def _plan(settings: int, seeds: int, seed: int, needed: int) -> str:
    which = f"seed {seed}" if seeds == 1 else f"seeds {seed} to {seed + seeds - 1}"
    told = (
        f"{settings} algorithms, {which}: **{settings * seeds} searches**, one after another, seed by seed."
    )
    few = f" With fewer than {needed} seeds each no test can say who won." if seeds < needed else ""
    return told + few


def _complain_of_room(total: int) -> None:
    from core.jobs.manager import MAX_QUEUED

    if total > MAX_QUEUED:
        checked.complain(
            f"{total} searches are more than the {MAX_QUEUED} that may wait at a time: take fewer seeds or algorithms."
        )


def _started(
    entry: SupernetEntry, settings: Sequence[tuple[PluginInfo, dict[str, Any]]], seeds: range
) -> list[str]:
    """Queue all of it, seed by seed, so that pairs of equal seeds are complete early."""
    started = []
    for seed in seeds:
        for info, params in settings:
            title = f"{info.label} on {display_name(entry.title)}, seed {seed}"
            run_id = submit(KIND, params | {"seed": seed}, title=title, seed=seed)
            if run_id is None:
                return started
            started.append(run_id)
    return started


def _forecast(settings: Sequence[dict[str, Any]], seeds: int, *, key: str) -> None:
    """How long the searches will take; nothing where a number is out of bounds, which the form says."""
    try:
        for params in settings:
            search_front.Request.model_validate(params)
    except (ValidationError, CoreError):
        return
    seconds = settings[0].get("seconds")
    if seconds is not None:
        with st.container(key=key):
            longest = float(seconds) * seeds * len(settings)
            st.caption(
                f":material/timer: Will take at most **{format_about(longest)}**, and a moment to start each."
            )
        return
    forecast_all(KIND, settings, lambda trials: of_race(trials, seeds), key=key)
