"""A report before it is written: blocks of text, tables and drawings, the same for every format."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Heading:
    """A heading.

    Attributes:
        text: plain text.
        level: 2 for a part, 3 for a network.
    """

    text: str
    level: int = 2


@dataclass(frozen=True)
class Paragraph:
    """A paragraph of plain text.

    Attributes:
        text: plain text.
        link: an address that follows it, "" for none.
        warning: whether it says that something is missing.
    """

    text: str
    link: str = ""
    warning: bool = False


@dataclass(frozen=True)
class Table:
    """A table whose first column names the row.

    Attributes:
        caption: what it shows.
        columns: headings, with units.
        rows: cells as plain text, one per column.
        numbers: columns whose cells are set flush right.
        code: columns whose cells are identifiers.
    """

    caption: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    numbers: frozenset[int] = frozenset()
    code: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Drawing:
    """A drawing and the same as a table, for readers and formats without pictures.

    Attributes:
        svg: an <svg> element of our own making; the only text that is not escaped.
        alt: what it shows, in one sentence.
        caption: what was measured.
        twin: its numbers.
    """

    svg: str
    alt: str
    caption: str
    twin: Table


Block = Heading | Paragraph | Table | Drawing


@dataclass(frozen=True)
class Document:
    """A report.

    Attributes:
        title: plain text.
        lead: one sentence below it.
        blocks: in order.
    """

    title: str
    lead: str
    blocks: tuple[Block, ...] = field(default=())
