"""`report` and `baskets`: what lies in a basket, written down as the Basket page writes it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from core.cli.driving import open_store
from core.cli.output import write, write_or_print
from core.errors import InvalidInput, StorageFailed

if TYPE_CHECKING:
    from core.store import RunStore

_SUFFIXES = {".html": "html", ".htm": "html", ".md": "markdown", ".tex": "latex"}


def report(
    networks: Annotated[
        list[str] | None,
        typer.Argument(help="subnet:SUPERNET:ARCHITECTURE, alone:RUN:NUMBER or pruned:RUN:NUMBER, ..."),
    ] = None,
    basket: Annotated[str | None, typer.Option(help="Name or id of a basket instead.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write the report here (.html, .md or .tex).")] = None,
    format_name: Annotated[
        str | None,
        typer.Option("--format", help="html, markdown or latex; by the file's ending if left out."),
    ] = None,
    title: Annotated[str | None, typer.Option(help="Heading; the basket's name if left out.")] = None,
    link: Annotated[str, typer.Option(help="Where the basket can be opened; written into the report.")] = "",
    date: Annotated[str | None, typer.Option(help="Date to write; now if left out.")] = None,
) -> None:
    """Networks or a basket as one page that needs nothing else: fronts, diagrams, numbers, seeds, hashes."""
    from core.reports.writing import write_report
    from core.views.basket import basket_view, networks_view

    if (basket is None) == (not networks):
        raise InvalidInput("Name either networks or a --basket.")
    store = _store_or_none() if basket is None else open_store()
    if basket is not None:
        assert store is not None
        kept = store.baskets.find(basket)
        view, heading = basket_view(store, kept.items), kept.name
    else:
        view, heading = networks_view(store, networks or []), "Report"
    wanted = format_name or (_SUFFIXES.get(out.suffix.lower(), "html") if out else "html")
    made = date or time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime())
    written = write_report(store, view, wanted, title=title or heading, link=link, made=made)
    if out is not None:
        write(out, written)
        print(out)
    else:
        write_or_print(None, written)


def teachers_guide(
    out: Annotated[Path | None, typer.Option(help="Write the page here; shown if left out.")] = None,
) -> None:
    """The teacher's guide as one HTML page: minute by minute, and a note for each lesson."""
    from core.reports.teachers_guide import as_html

    if out is None:
        write_or_print(None, as_html())
    else:
        write(out, as_html())
        print(out)


def baskets() -> None:
    """The baskets kept here: id, how many networks, name."""
    with open_store() as store:
        for each in store.baskets.list():
            print(f"{each.basket_id}  {each.size:>3}  {each.name}")


def _store_or_none() -> RunStore | None:
    """Shipped supernets can be reported where nothing can be kept."""
    try:
        return open_store()
    except StorageFailed:
        return None
