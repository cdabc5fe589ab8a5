"""Names that people or files chose, made safe to show: one cleaning, then an escape per place.

Plotly renders a small set of HTML tags and, where MathJax is present, anything between dollar
signs; Streamlit renders Markdown. A name may hold any of it, and must come out as plain text.
"""

from __future__ import annotations

import unicodedata

LONGEST = 80
_MARKDOWN = frozenset("\\`*_{}[]()<>#+-.!|~$:&^=\"'/@")


def display_name(text: object, longest: int = LONGEST) -> str:
    """Plain text of at most `longest` characters: normalized, one line, no control or direction marks."""
    # A name of a megabyte is cut before anything else is done with it.
    raw = str(text)[: 20 * longest]
    kept = "".join(
        " " if c in "\n\r\t" else c for c in raw if c in "\n\r\t" or unicodedata.category(c)[0] != "C"
    )
    # Normalized last: a mark that was taken out may have stood between a letter and its accent.
    line = unicodedata.normalize("NFC", " ".join(kept.split()))
    return line if len(line) <= longest else f"{line[: longest - 1]}…"


def for_figure(text: object, longest: int = LONGEST) -> str:
    """The name inside a Plotly label, hover text or title."""
    name = display_name(text, longest)
    for character, entity in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("$", "&#36;")):
        name = name.replace(character, entity)
    return name


def for_markdown(text: object, longest: int = LONGEST) -> str:
    """The text inside anything that Streamlit renders as Markdown."""
    return "".join(f"\\{c}" if c in _MARKDOWN else c for c in display_name(text, longest))


def for_cell(text: object) -> str:
    """The name in a CSV cell: a spreadsheet must not take it for a formula."""
    value = str(text)
    return f"'{value}" if value[:1] in ("=", "+", "-", "@", "\t", "\r") else value
