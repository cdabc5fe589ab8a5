"""What the Front page hands out of its chart and table: CSV with its description, LaTeX, a figure for a paper."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import streamlit as st

from core.library.fronts import Front
from core.library.library import Library
from core.library.measuring import FROM_TABLE
from core.library.supernets import SupernetEntry
from core.objectives.base import choosable_names, objective
from core.records import Objective, Obtained, Run, Source
from core.reports.captions import front_caption, limits_text
from core.reports.document import Table
from core.reports.latex import latex_table
from core.text import display_name
from core.words import format_count, format_interval, format_share, format_value
from pages.ui import baskets, paper_figure
from pages.ui.front.state import View

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    from core.papers.base import Layout, PaperFigure
    from core.store import RunStore


@dataclass(frozen=True)
class Files:
    """What the files are made of; holds nothing of Streamlit's.

    Attributes:
        entry: the supernet.
        front: with the limits of the page.
        x, y: objectives of the axes.
        goals: all objectives of the table, the axes among them.
        view: of the page.
        store: the visitor's, where a run is looked up; the files are made outside the page's script, where nobody knows whose.
    """

    entry: SupernetEntry
    front: Front
    x: Objective
    y: Objective
    goals: tuple[Objective, ...]
    view: View
    store: RunStore | None = None

    @property
    def pair(self) -> tuple[str, str]:
        """The axes as a command line names them: what goes up first."""
        return self.y.name, self.x.name

    @property
    def also(self) -> list[str]:
        return [g.name for g in self.goals if g.name not in self.pair]

    @property
    def partial(self) -> bool:
        """Whether these are some subnets of a space, from searches and samples."""
        return bool(self.view.run) or self.entry.read_table is None

    @property
    def usual(self) -> Obtained:
        return Obtained(Source.MEASURED) if self.partial else FROM_TABLE

    @property
    def knows_share(self) -> bool:
        """Whether it is known how often each row is on the front when the samples are drawn anew."""
        from core.library.chance import quality_and_cost
        from core.library.correct import known_bits

        pair = quality_and_cost(choosable_names(self.pair))
        if pair is None or self.partial:
            return False
        return known_bits(self.entry).by_split.get(objective(pair[0]).split) is not None

    def beside(self, rows: pd.DataFrame) -> dict[str, NDArray[np.float64]]:
        """Intervals of accuracies, and `front_share` where it is known; see `core.library.chance_columns`."""
        at = self.front.table.index.get_indexer(rows.index)
        return {name: values[at] for name, values in self._of_all.items()}

    @cached_property
    def _of_all(self) -> dict[str, NDArray[np.float64]]:
        from core.library.chance_columns import chance_columns, interval_columns

        if self.knows_share:
            return chance_columns(self.entry, self.front.table, self.pair, self.also)
        return interval_columns(self.front.table, [*self.pair, *self.also])

    def written(self, rows: pd.DataFrame, format_name: str = "csv") -> bytes:
        """These rows, with all objectives; as CSV the same bytes as from the command line."""
        from core.library.csv_tables import front_rows
        from core.reports.front_files import table_file

        table = front_rows(self.entry, rows, self.pair, self.usual, self.also, self.beside(rows))
        goals = {goal.name: goal for goal in self.goals}
        label = f"front-{self.entry.supernet_id}"
        return table_file(table, format_name, goals=goals, caption=self.caption(), label=label)

    def csv(self, rows: pd.DataFrame) -> bytes:
        """These rows as CSV."""
        return self.written(rows)

    def about(self) -> bytes:
        """What the columns are, and where the rows come from."""
        from core.library.chance_columns import SHARE, interval_columns
        from core.library.csv_tables import about_table
        from core.library.gathered import measuring_runs, on_own_data

        columns = ["architecture", *self.pair, *self.also, "on_front", "source", "network"]
        columns += interval_columns(self.front.members, [*self.pair, *self.also])
        columns += [SHARE] * self.knows_share
        if not self.partial:
            return about_table(self.entry, columns, command=self.command())
        if not self.view.run:
            runs = on_own_data(measuring_runs(self.store, self.entry.supernet_id))
            return about_table(self.entry, columns, runs=runs)
        run = self._run()
        return about_table(self.entry, columns, search={**run.params, "seed": run.seed}, run_id=run.run_id)

    def _run(self) -> Run:
        return Library(self.store).require_store().get_run(self.view.run)

    def command(self) -> str:
        """The command line that writes all rows, "" where the page's limits leave some out."""
        from core.library.chance_columns import interval_columns

        sure = self.knows_share
        told = interval_columns(self.front.members, [*self.pair, *self.also])
        if self.partial or self.view.constraints or self.entry.origin == "file" or (told and not sure):
            return ""
        asked = ["--objectives", ",".join(self.pair), "--also", ",".join(self.also)]
        return shlex.join(
            [
                "python",
                "-m",
                "core",
                "front",
                self.entry.supernet_id,
                "--exact",
                *["--intervals"] * sure,
                *asked,
            ]
        )

    def caption(self) -> str:
        """What the front was measured with."""
        title = self._run().title if self.view.run else ""
        told = front_caption(self.entry, (self.y, self.x), self.front.n_total, search=title)
        return f"{told} {limits_text(self.view.constraints)}".strip()

    def latex(self) -> bytes:
        """The front's rows as a table."""
        from core.library.chance_columns import SHARE

        members, beside = self.front.members, self.beside(self.front.members)
        sure = [g for g in self.goals if f"{g.name}_low" in beside]
        columns = ["Subnet"]
        cells = [[str(arch_id) for arch_id in members["arch_id"]]]
        for goal in self.goals:
            columns.append(goal.label)
            cells.append([format_value(value, goal) for value in members[goal.name].astype(float).tolist()])
            if goal in sure:
                columns.append("95 % interval")
                ends = zip(
                    beside[f"{goal.name}_low"].tolist(), beside[f"{goal.name}_high"].tolist(), strict=True
                )
                cells.append([format_interval(low, high, goal) for low, high in ends])
        if SHARE in beside:
            columns.append("On the front in resamples")
            cells.append([format_share(share) for share in beside[SHARE].tolist()])
        rows = list(zip(*cells, strict=True))
        table = Table("", tuple(columns), rows, frozenset(range(1, len(columns))))
        return latex_table(table, caption=self.caption(), label=f"front-{self.entry.supernet_id}").encode()

    def figure(self, layout: Layout, marked: dict[str, str], log: tuple[bool, bool]) -> PaperFigure:
        """The chart for a paper."""
        from core.papers.front import front_paper

        return front_paper(
            self.front.table,
            self.x,
            self.y,
            layout,
            caption=self.caption(),
            title=f"Front of {display_name(self.entry.title)}",
            log_x=log[0],
            log_y=log[1],
            marked=marked,
        )


def buttons(files: Files) -> None:
    """CSV of what is shown, CSV of everything, their description, LaTeX."""
    from core.reports.front_files import FORMATS

    shown, everything = len(files.front.members), len(files.front.table)
    name = f"front-{files.entry.supernet_id}"
    with st.container(horizontal=True, vertical_alignment="bottom", key="front-files"):
        chosen = str(
            st.selectbox(
                "Format",
                ["csv", "parquet", "json"],
                format_func=lambda each: FORMATS[each].label,
                key="front-format",
                width=120,
                help="The same rows and columns; intervals of accuracies and the share of resamples are among them where they are known.",
            )
        )
        label, suffix = FORMATS[chosen].label, FORMATS[chosen].suffix
        _button(
            f"{label} of these {format_count(shown)}",
            f"{name}.{suffix}",
            "front-csv",
            lambda: files.written(files.front.members, chosen),
        )
        _button(
            f"{label} of all {format_count(everything)}",
            f"{name}-all.{suffix}",
            "front-csv-all",
            lambda: files.written(files.front.table, chosen),
            help=f"The same as: {files.command()}" if files.command() and chosen == "csv" else None,
        )
        _button(
            "About the columns",
            f"{name}.about.json",
            "front-about",
            files.about,
            icon=":material/info:",
            help="Units, how each column was obtained, algorithm, seed and hashes: a file to keep beside the CSV.",
        )
        _button(
            "Table for LaTeX",
            f"{name}.tex",
            "front-latex",
            files.latex,
            icon=":material/functions:",
            help="The front as a table; needs the booktabs package.",
        )


def comparison(rows: Sequence[Mapping[str, str]], here: str, there: str) -> None:
    """The comparison of two subnets as a table for LaTeX.

    Args:
        rows: as they are shown; the first column names the row.
        here, there: ids of both.
    """
    if not rows:
        return
    table = Table(
        "", tuple(rows[0]), [tuple(row.values()) for row in rows], frozenset(range(1, len(rows[0])))
    )
    caption = f"This: {here}; other: {there}. Choices that differ, then the numbers of both."
    _button(
        "Table for LaTeX",
        f"{here}-{there}.tex",
        "compare-latex",
        lambda: latex_table(table, caption=caption, label=f"{here}-{there}").encode(),
        icon=":material/functions:",
        help="This comparison as a table; needs the booktabs package.",
    )


def _button(
    label: str,
    file_name: str,
    key: str,
    make: Callable[[], bytes],
    *,
    icon: str = ":material/table:",
    help: str | None = None,
) -> None:
    st.download_button(
        label, data=make, file_name=file_name, key=key, on_click="ignore", icon=icon, help=help
    )


def figure(files: Files, arch_id: str, log: tuple[bool, bool]) -> None:
    """The chart for a paper, with the selected subnet and those in the basket marked."""
    marked = {i: i for i in [arch_id, *baskets.arch_ids(files.entry.supernet_id)][:8]}
    name = f"front-{files.entry.supernet_id}"
    paper_figure.popover("front", name, lambda layout: files.figure(layout, marked, log))
