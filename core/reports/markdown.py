"""A document as Markdown: the same headings, texts and tables; a drawing is its table."""

from __future__ import annotations

import re

from core.reports.document import Block, Document, Drawing, Heading, Paragraph, Table
from core.text import display_name

_LONGEST = 4000
_ACTS = re.compile(r"([\\`*_\[\]<>|$~&])")
_AT_START = re.compile(r"^([#+=-]+|\d+[.)])(?=\s|$)")


def markdown_page(document: Document) -> str:
    """The text. Nothing that a person named can act as Markdown or HTML."""
    blocks = [_block(block) for block in document.blocks]
    return "\n\n".join([f"# {_text(document.title)}", _text(document.lead), *blocks]) + "\n"


def _text(text: str) -> str:
    shown = _ACTS.sub(r"\\\1", display_name(text, _LONGEST))
    # A list, a heading or a rule begins a line; elsewhere these characters are harmless.
    return _AT_START.sub(lambda found: f"{found[0][:-1]}\\{found[0][-1]}", shown)


def _block(block: Block) -> str:
    if isinstance(block, Heading):
        return f"{'#' * block.level} {_text(block.text)}"
    if isinstance(block, Paragraph):
        said = _text(block.text) + (f" <{_address(block.link)}>" if block.link else "")
        return f"> **Missing.** {said}" if block.warning else said
    if isinstance(block, Drawing):
        return f"{_text(block.caption)}\n\n{_table(block.twin)}"
    return _table(block)


def _address(link: str) -> str:
    """An address between angle brackets: nothing in it may end them."""
    return "".join(c for c in link if c.isprintable() and c not in "<> \\")


def _table(block: Table) -> str:
    head = " | ".join(_text(name) for name in block.columns)
    rule = " | ".join("---:" if n in block.numbers else "---" for n in range(len(block.columns)))
    rows = [" | ".join(_cell(block, n, text) for n, text in enumerate(row)) for row in block.rows]
    lines = "\n".join(f"| {row} |" for row in [head, rule, *rows])
    return f"*{_text(block.caption)}*\n\n{lines}"


def _cell(block: Table, column: int, text: str) -> str:
    if column in block.code and text and all(c.isalnum() or c in ":._- " for c in text):
        return f"`{text}`"
    return _text(text)
