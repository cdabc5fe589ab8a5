"""What the Tables page hands out: the front and all rows that count as files, a figure for a paper."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from core.library.imported_tables import front_table, rows_written
from core.papers.base import Layout, PaperFigure
from core.papers.front import front_paper
from core.reports.captions import limits_text
from core.reports.front_files import FORMATS, MOST_LATEX_ROWS, table_file
from core.text import display_name, for_markdown
from core.words import count_of, format_count
from pages.ui import paper_figure
from pages.ui.table import state
from pages.ui.table.chart import title_of
from pages.ui.table.scene import Scene

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Files:
    """What the files are made of; holds nothing of Streamlit's."""

    scene: Scene

    @property
    def names(self) -> list[str]:
        return [self.scene.y.name, self.scene.x.name]

    @property
    def stem(self) -> str:
        plain = "".join(
            c if c.isascii() and c.isalnum() else "-" for c in display_name(self.scene.table.name).lower()
        )
        return "-".join(filter(None, plain.split("-")))[:40] or "table"

    def caption(self) -> str:
        """What the front was made of, as sentences."""
        scene = self.scene
        about = (
            f"{display_name(scene.table.name)}: {format_count(scene.found.n_kept)} of {count_of(len(scene.rows), 'row')} of an "
            f"imported table ({scene.about.format}, SHA-256 {scene.table.source_sha256[:12]})."
        )
        how = " ".join(f"{display_name(g.label)}: {g.how}." for g in (scene.y, scene.x))
        left = " ".join(scene.rows.told(self.names))
        limits = limits_text(scene.view.limits, scene.rows.goals, "rows")
        return " ".join(filter(None, (about, how, left, limits)))

    def front(self, format_name: str) -> bytes:
        """The front's rows, in order of the horizontal axis."""
        return self._file(
            rows_written(self.scene.rows, self.scene.found.at, self._on_front(), self.names), format_name
        )

    def rows(self, format_name: str, numbers: Sequence[str]) -> bytes:
        """Rows by their numbers."""
        at = [int(number) - 1 for number in numbers]
        return self._file(rows_written(self.scene.rows, at, self._on_front(), self.names), format_name)

    def everything(self, format_name: str) -> bytes:
        """All rows that count, whatever the limits, as the command line writes them."""
        return self._file(front_table(self.scene.rows, self.names), format_name)

    def _on_front(self) -> list[int]:
        found: list[int] = self.scene.found.at.tolist()
        return found

    def _file(self, table: pd.DataFrame, format_name: str) -> bytes:
        if format_name == "latex":  # a page is as wide as the name and both objectives
            table = table[list(table.columns)[:3]]
        goals = {goal.name: goal for goal in self.scene.rows.goals}
        return table_file(table, format_name, goals=goals, caption=self.caption(), label=f"front-{self.stem}")

    def figure(self, layout: Layout, marked: dict[str, str]) -> PaperFigure:
        """The chart for a paper."""
        scene = self.scene
        return front_paper(
            scene.found.front.table,
            scene.x,
            scene.y,
            layout,
            caption=self.caption(),
            title=title_of(scene),
            log_x=scene.log_x,
            log_y=scene.log_y,
            marked=marked,
            one="row",
        )


def buttons(files: Files) -> None:
    """A chooser of the format, and buttons for the front and for all rows that count."""
    scene = files.scene
    members = len(scene.found.at)
    with st.container(horizontal=True, vertical_alignment="bottom", key="tb-files"):
        chosen = choose_format("tb-format")
        _button(
            f"Front ({count_of(members, 'row')})",
            f"front-{files.stem}",
            "tb-file-front",
            chosen,
            lambda: files.front(chosen),
            members,
        )
        n = len(scene.rows) - scene.found.n_off
        _button(
            f"All that count ({count_of(n, 'row')})",
            f"front-{files.stem}-all",
            "tb-file-all",
            chosen,
            lambda: files.everything(chosen),
            n,
            help=None if scene.view.limits else f"The same as: {_command(scene)}",
        )


def kept_button(files: Files, kept: tuple[str, ...]) -> None:
    """The rows put side by side as a file."""
    with st.container(horizontal=True, vertical_alignment="bottom", key="tb-kept-files"):
        chosen = choose_format("tb-kept-format")
        _button(
            count_of(len(kept), "kept row"),
            f"rows-{files.stem}",
            "tb-file-kept",
            chosen,
            lambda: files.rows(chosen, kept),
            len(kept),
        )


def figure(files: Files, row: str) -> None:
    """The chart for a paper, with the selected row and those put side by side marked."""
    rows = list(dict.fromkeys([row, *state.kept_rows()]))[:8]
    marked = {each: display_name(files.scene.title_of(each), 24) for each in rows}
    paper_figure.popover("table", f"front-{files.stem}", lambda layout: files.figure(layout, marked))


def choose_format(key: str) -> str:
    """The format of a file."""
    return str(
        st.selectbox(
            "Format", list(FORMATS), format_func=lambda name: FORMATS[name].label, key=key, width=130
        )
    )


def _button(
    label: str,
    stem: str,
    key: str,
    format_name: str,
    make: Callable[[], bytes],
    n: int,
    *,
    help: str | None = None,
) -> None:
    too_many = format_name == "latex" and n > MOST_LATEX_ROWS
    st.download_button(
        label,
        data=make,
        file_name=f"{stem}.{FORMATS[format_name].suffix}",
        mime=FORMATS[format_name].media_type,
        key=key,
        on_click="ignore",
        icon=":material/table:",
        help=f"A table for LaTeX has at most {MOST_LATEX_ROWS:,} rows." if too_many else help,
        disabled=too_many or not n,
    )


def _command(scene: Scene) -> str:
    wanted = ",".join(f"{g.name}:{'max' if g.maximize else 'min'}" for g in (scene.y, scene.x))
    return for_markdown(
        shlex.join(["python", "-m", "core", "import-table", "FILE", "--objectives", wanted]), 300
    )
