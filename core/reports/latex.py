"""Tables for LaTeX, with the rules of booktabs; every cell is escaped."""

from __future__ import annotations

from core.reports.document import Table
from core.text import display_name

_ESCAPES = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "\N{MINUS SIGN}": "$-$",
    "\N{MULTIPLICATION SIGN}": r"$\times$",
    "\N{PLUS-MINUS SIGN}": r"$\pm$",
    "\N{MIDDLE DOT}": r"$\cdot$",
    "\N{RIGHTWARDS ARROW}": r"$\rightarrow$",
    "\N{EN DASH}": "--",
    "…": r"\ldots{}",
}


def for_latex(text: object, longest: int = 400) -> str:
    """The text so that LaTeX sets it as it stands, whatever it holds."""
    return "".join(_ESCAPES.get(character, character) for character in display_name(text, longest))


def latex_table(table: Table, *, caption: str, label: str) -> str:
    r"""A table for a paper; the preamble needs \usepackage{booktabs}.

    Args:
        table: cells as plain text.
        caption: what was measured.
        label: what \ref names, letters, digits and dashes.
    """
    named = "".join(c for c in label if c.isascii() and (c.isalnum() or c in ":-")) or "table"
    kinds = "".join("r" if n in table.numbers else "l" for n in range(len(table.columns)))
    head = " & ".join(for_latex(name) for name in table.columns)
    rows = [" & ".join(for_latex(cell) for cell in row) + r" \\" for row in table.rows]
    return "\n".join(
        [
            r"% needs \usepackage{booktabs}",
            r"\begin{table}",
            r"  \centering",
            f"  \\caption{{{for_latex(caption, 2000)}}}",
            f"  \\label{{tab:{named}}}",
            f"  \\begin{{tabular}}{{{kinds}}}",
            r"    \toprule",
            f"    {head} \\\\",
            r"    \midrule",
            *(f"    {row}" for row in rows),
            r"    \bottomrule",
            r"  \end{tabular}",
            r"\end{table}",
            "",
        ]
    )
