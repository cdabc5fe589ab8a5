"""A report needs nothing else: no request, no script, every number with its unit, every name as plain text."""

from __future__ import annotations

import itertools
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from core.library import supernets
from core.library.origins.base import Known
from core.reports.captions import front_caption
from core.reports.content import numbers_table, versions
from core.reports.document import Table
from core.reports.html import html_page
from core.reports.latex import for_latex, latex_table
from core.reports.writing import write_report
from core.store.baskets import BasketItem
from core.views.basket import BasketNetwork, BasketView, basket_view
from tests.e2e.browser import ARGUMENTS, CHROMIUM

A, B = "subnet:digits-cnn:311131113111", "subnet:fashion-cnn:000000000000"
HOSTILE = (
    '</title><script>alert(1)</script><img src=http://evil/x> $x^2$ |`*_[a](http://evil) \\input{x} "q" & #'
)


def view(*items: tuple[str, str]) -> BasketView:
    return basket_view(
        None, [BasketItem(network_id, title, n) for n, (network_id, title) in enumerate(items)]
    )


def page(shown: BasketView, title: str = "For the lecture", format_name: str = "html") -> str:
    link = "https://lab.example.org/basket?id=1&x=2"
    return write_report(
        None, shown, format_name, title=title, link=link, made="2026-11-28 06:00 UTC"
    ).decode()


@pytest.fixture(scope="module")
def both() -> str:
    return page(view((A, "a"), (B, "b"), ("pruned:run:3", "the lost one")))


class Parts(HTMLParser):
    """Tags with their attributes, and the text outside of style."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.said: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, {k: v or "" for k, v in attrs}))
        self.open.append(tag)

    def handle_endtag(self, tag):
        if tag in self.open:
            del self.open[len(self.open) - 1 - self.open[::-1].index(tag) :]

    def handle_data(self, data):
        if "style" not in self.open:
            self.said.append(data)

    def text(self) -> str:
        return " ".join(" ".join(self.said).split())


def test_it_says_everything_a_reviewer_needs(both: str) -> None:
    said = Parts(both).text()
    entry = supernets.find(None, "digits-cnn")
    assert entry.card.data is not None
    for needed in (
        "For the lecture",
        "2026-11-28 06:00 UTC",
        "https://lab.example.org/basket?id=1&x=2",
        "98.1 %",
        "640 k",
        "639808 MACs",
        "measured, validation",
        "counted",
        entry.sha256,
        entry.table_sha256,
        entry.card.data.fingerprint,
        "python -m core train digits-cnn --data digits --method sandwich --seed 0",
        "split by seed 0",
        "Test accuracy: measured on test data",
        "the lost one (pruned:run:3): This pruned network is not on this machine",
        *(version for _, version in versions()),
    ):
        assert needed in said, needed


def test_nothing_is_loaded_and_nothing_runs(both: str) -> None:
    found = Parts(both)
    names = {tag for tag, _ in found.tags}
    assert not names & {
        "script",
        "link",
        "iframe",
        "object",
        "embed",
        "image",
        "base",
        "img",
        "audio",
        "video",
    }
    for tag, attributes in found.tags:
        assert not [name for name in attributes if name.startswith("on")]
        assert "src" not in attributes
        for name in ("href", "xlink:href"):
            inside = attributes.get(name, "#").startswith("#")
            assert inside or tag == "a", "only the visitor's own click leaves the page"
    assert not re.search(r"url\((?!#)|@import", both)


def test_headings_scopes_names_and_ids(both: str) -> None:
    found = Parts(both)
    levels = [int(tag[1]) for tag, _ in found.tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b - a <= 1 for a, b in itertools.pairwise(levels)), "no level is skipped"
    assert all(attributes.get("scope") in ("row", "col") for tag, attributes in found.tags if tag == "th")
    tables = sum(tag == "table" for tag, _ in found.tags)
    assert tables == sum(tag == "caption" for tag, _ in found.tags)
    drawings = [a for tag, a in found.tags if tag == "svg"]
    assert len(drawings) == 4, "two fronts, two networks"
    assert all(a["role"] == "img" and len(a["aria-label"]) > 20 for a in drawings)
    ids = [a["id"] for _, a in found.tags if "id" in a]
    assert len(ids) == len(set(ids)), "several drawings on one page"
    assert dict(found.tags)["html"]["lang"] == "en"


def test_equal_baskets_give_equal_bytes() -> None:
    assert page(view((A, "a"))) == page(view((A, "a")))


@pytest.mark.slow
def test_hostile_names_are_plain_text() -> None:
    shown = view((A, "a"), ("pruned:run:3", HOSTILE))
    text = page(shown, title=HOSTILE)
    found = Parts(text)
    assert not {tag for tag, _ in found.tags} & {"script", "img"}
    assert "alert(1)" in found.text()
    written = page(shown, title=HOSTILE, format_name="markdown")
    assert not re.search(r"(?<!\\)<(?!https://lab\.)", written)
    assert not re.search(r"(?<!\\)\[", written)
    for line in written.splitlines():
        if line.startswith("|"):
            assert len(re.findall(r"(?<!\\)\|", line)) in (3, 4, 5, 7, 13), "a name adds no column"
    latex = page(shown, title=HOSTILE, format_name="latex")
    assert r"\textbackslash{}input\{x\}" in latex
    assert "\\input{" not in latex


@pytest.mark.slow
def test_markdown_has_the_same_numbers() -> None:
    shown = view((A, "a"), (B, "b"))
    cells = set(re.findall(r"<td class=\"n\">([^<]+)</td>", page(shown)))
    written = page(shown, format_name="markdown")
    assert len(cells) > 50
    assert not [cell for cell in cells if cell not in written]
    headings = re.findall(r"<h[23]>([^<]+)</h", page(shown))
    assert headings == re.findall(r"(?m)^##+ (.+)$", written)


def test_a_network_of_nothing_is_a_row() -> None:
    empty = BasketNetwork("alone:r:0", "lost", "Trained alone", None, Known(), "gone.")
    table = numbers_table(BasketView((empty,), ()))
    assert table.rows == [("lost", "Trained alone (missing)", "")]


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("a_b & 5 %", r"a\_b \& 5 \%"),
        ("\\end{x}", r"\textbackslash{}end\{x\}"),
        ("$x^2$ ~ #1", r"\$x\textasciicircum{}2\$ \textasciitilde{} \#1"),
        ("−0.3 → 1×1", r"$-$0.3 $\rightarrow$ 1$\times$1"),
        ("two\nlines", "two lines"),
    ],
)
def test_latex_sets_any_text_as_it_stands(text: str, written: str) -> None:
    assert for_latex(text) == written


def test_a_latex_table_is_of_booktabs_with_columns_that_fit() -> None:
    table = Table("c", ("a", "b"), [("x & y", "1"), ("z", "2 %")], frozenset({1}))
    text = latex_table(table, caption="What 5 % means", label="a b}{")
    assert r"\begin{tabular}{lr}" in text
    assert [line.count("&") - line.count(r"\&") for line in text.splitlines() if line.endswith(r"\\")] == [
        1,
        1,
        1,
    ]
    assert r"\label{tab:ab}" in text
    for rule in (r"\toprule", r"\midrule", r"\bottomrule", r"\caption{What 5 \% means}"):
        assert rule in text


def test_a_caption_says_what_was_measured_and_how() -> None:
    from core.objectives.base import objective

    entry = supernets.find(None, "digits-cnn")
    text = front_caption(entry, [objective("accuracy"), objective("macs")], 13824)
    assert (
        "digits-cnn; data digits, split by seed 0; 13,824 subnets evaluated, the whole space; seed 0." in text
    )
    assert "Validation accuracy: measured on validation data" in text
    assert "MACs: counted." in text
    assert "found by NSGA-II" in front_caption(entry, [], 10, search="NSGA-II")


def test_an_address_that_is_none_is_no_link() -> None:
    from core.reports.document import Document, Paragraph

    text = html_page(Document("t", "l", (Paragraph("x", "javascript:alert(1)"),)))
    assert "<a " not in text


@pytest.mark.slow
@pytest.mark.skipif(not Path(CHROMIUM).exists(), reason=f"there is no Chromium at {CHROMIUM}")
def test_a_browser_without_a_network_shows_all_of_it(both: str, tmp_path: Path) -> None:
    from playwright.sync_api import sync_playwright

    (tmp_path / "report.html").write_text(both, encoding="utf-8")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        try:
            page = browser.new_page(viewport={"width": 390, "height": 800}, color_scheme="dark")
            asked, errors = [], []
            page.on("request", lambda request: asked.append(request.url))
            page.on("console", lambda message: errors.append(message.text))
            page.goto((tmp_path / "report.html").as_uri())
            assert [url for url in asked if not url.startswith("file:")] == []
            assert errors == []
            assert page.locator("figure.paper svg").first.bounding_box()["height"] > 100
            wide = page.evaluate(
                "document.documentElement.scrollWidth - document.documentElement.clientWidth"
            )
            assert wide <= 0, "a phone scrolls tables, not the page"
        finally:
            browser.close()
