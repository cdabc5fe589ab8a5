"""A document as one HTML page: no script, nothing loaded from anywhere, readable in light, dark and on paper."""

from __future__ import annotations

import html

from core.reports.document import Block, Document, Drawing, Heading, Paragraph, Table

_STYLE = """\
:root { color-scheme: light dark; --line: #8a909b; --soft: #f3f4f6; }
@media (prefers-color-scheme: dark) { :root { --soft: #1d2127; } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 74rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
p, figure, .warning { max-width: 60rem; }
h1 { line-height: 1.2; margin-bottom: .2rem; }
h2 { margin-top: 2.4rem; border-bottom: 1px solid var(--line); padding-bottom: .2rem; }
h3 { margin-top: 2rem; }
p, caption, figcaption { overflow-wrap: anywhere; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: .8rem 0; font-size: .88rem; }
caption { text-align: left; padding-bottom: .3rem; font-size: 1.04em; }
th, td { text-align: left; vertical-align: top; padding: .25rem .6rem .25rem 0; border-bottom: 1px solid color-mix(in srgb, var(--line) 45%, transparent); }
th { font-weight: 600; }
tbody th { font-weight: 500; }
.n { text-align: right; }
td.n { white-space: nowrap; }
tbody th { min-width: 9rem; }
code { font: .86em ui-monospace, monospace; overflow-wrap: anywhere; }
figure { margin: 1rem 0; }
figure > svg { width: 100%; height: auto; }
figure.paper { background: #fff; color: #000; padding: .6rem; border-radius: 6px; }
figure.drawing > svg { max-width: 46rem; }
figcaption { font-size: .92rem; }
.warning { border-left: 4px solid #d55e00; padding: .3rem .8rem; background: var(--soft); }
details { margin: .4rem 0; }
@media print { body { max-width: none; padding: 0; font-size: 11pt; } table { font-size: 8pt; } h2, h3 { break-after: avoid; } figure, tr { break-inside: avoid; } details > *:not(summary) { display: block; } }
"""


def html_page(document: Document) -> str:
    """The page. Every text is escaped; drawings are ours and go in as they are."""
    body = "\n".join(_block(block) for block in document.blocks)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        # Whatever a name may hold, the page loads and runs nothing.
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"<title>{_text(document.title)}</title>\n<style>\n{_STYLE}</style>\n</head>\n<body>\n<main>\n"
        f"<h1>{_text(document.title)}</h1>\n<p>{_text(document.lead)}</p>\n{body}\n</main>\n</body>\n</html>\n"
    )


def _text(text: str) -> str:
    return html.escape(text, quote=True)


def _block(block: Block) -> str:
    if isinstance(block, Heading):
        return f"<h{block.level}>{_text(block.text)}</h{block.level}>"
    if isinstance(block, Paragraph):
        return _paragraph(block)
    if isinstance(block, Table):
        return _table(block)
    return _drawing(block)


def _paragraph(block: Paragraph) -> str:
    link = ""
    if block.link.startswith(("http://", "https://")):
        link = f' <a href="{_text(block.link)}"><code>{_text(block.link)}</code></a>'
    elif block.link:
        link = f" <code>{_text(block.link)}</code>"
    kind = ' class="warning"' if block.warning else ""
    return f"<p{kind}>{_text(block.text)}{link}</p>"


def _table(block: Table) -> str:
    def style(column: int) -> str:
        return ' class="n"' if column in block.numbers else ""

    def cell(column: int, text: str) -> str:
        shown = f"<code>{_text(text)}</code>" if column in block.code and text else _text(text)
        tag = 'th scope="row"' if column == 0 else "td"
        return f"<{tag}{style(column)}>{shown}</{tag[:2]}>"

    head = "".join(f'<th scope="col"{style(n)}>{_text(name)}</th>' for n, name in enumerate(block.columns))
    rows = "\n".join(
        "<tr>" + "".join(cell(n, text) for n, text in enumerate(row)) + "</tr>" for row in block.rows
    )
    # A wide table is scrolled; whoever uses the keyboard must reach it to scroll.
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{_text(block.caption)}"><table>\n'
        f"<caption>{_text(block.caption)}</caption>\n"
        f"<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n</table></div>"
    )


def _drawing(block: Drawing) -> str:
    named = block.svg.replace("<svg ", f'<svg role="img" aria-label="{_text(block.alt)}" ', 1)
    kind = "paper" if "xmlns:xlink" in block.svg else "drawing"
    return (
        f'<figure class="{kind}">\n{named}\n<figcaption>{_text(block.caption)}</figcaption>\n</figure>\n'
        f"<details>\n<summary>The same as a table</summary>\n{_table(block.twin)}\n</details>"
    )
