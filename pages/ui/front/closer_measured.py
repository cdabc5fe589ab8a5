"""Measure the front's neighborhood on more samples: the button, the job, and what came out."""

from __future__ import annotations

import streamlit as st

from core.errors import CoreError
from core.library import closer
from core.library.chance import FrontChance
from core.library.supernets import SupernetEntry
from core.people import Action
from core.records import Run
from core.text import display_name, for_markdown
from core.views.closer_measured import closer_view
from core.words import count_of
from pages.ui import resources
from pages.ui.people import door
from pages.ui.progress import active, all_runs, job_row, submit, watch
from pages.ui.tables import html_table


def panel(entry: SupernetEntry, chance: FrontChance, word: str) -> None:
    """Nothing where the data set is known to have no more samples."""
    if not closer.may_have_more(entry):
        return
    near = closer.neighborhood(chance)
    # Not as a callback: those of a fragment cannot say what goes wrong.
    if st.button(
        f"Measure these and their neighborhood on more {word}",
        key="measure-closer",
        icon=":material/zoom_in:",
        **door.lock(
            Action.START,
            disabled=active(_runs(entry)),
            help=f"{count_of(len(near), 'subnet')}: the members, and who is on the front of a resample in 5 % of cases. "
            f"The validation {word} that were left out when it was chosen are taken, too; none of them was trained on.",
        ),
    ):
        title = f"Front of {display_name(entry.title)}, closer"
        submit(closer.KIND, {"supernet": entry.supernet_id, "archs": near}, title=title, seed=0)

    def show() -> None:
        """Progress of the newest job, and the newest result."""
        for run in _runs(entry)[:1]:
            job_row(run)
        _result(entry, chance, word)

    watch(show, lambda: active(_runs(entry)))


def _runs(entry: SupernetEntry) -> list[Run]:
    return [run for run in all_runs([closer.KIND]) if run.params.get("supernet") == entry.supernet_id]


def _result(entry: SupernetEntry, chance: FrontChance, word: str) -> None:
    found = closer.newest(resources.store_or_none(), entry)
    if found is None:
        return
    try:
        view = closer_view(entry, found, chance, word)
    except CoreError as error:
        st.warning(for_markdown(error, 600))
        return
    st.markdown(for_markdown(view.sentence, 600))
    html_table(view.rows, f"The front on more {word}")
