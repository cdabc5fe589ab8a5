"""Names made safe, against what is written out here: what a browser reads back is the plain name."""

from __future__ import annotations

import csv
import html
import io
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from core.text import LONGEST, display_name, for_cell, for_figure, for_markdown

ANY = st.text(
    st.one_of(
        st.characters(codec="utf-8"),
        st.sampled_from("<>&$`*_[]()#|~:!\\\n\t\r \u200d\u202e\u0301\u00ad\ufeffae\u212b\ud800"),
    ),
    max_size=120,
)


@given(text=ANY, longest=st.integers(2, 100))
def test_a_name_is_one_short_normalized_line_without_control_characters(text: str, longest: int) -> None:
    name = display_name(text, longest)
    assert len(name) <= longest
    assert name == unicodedata.normalize("NFC", name)
    assert name == " ".join(name.split())
    assert all(unicodedata.category(c)[0] != "C" for c in name)
    assert display_name(name, longest) == name


@given(text=st.text(st.characters(categories=["L", "N", "P"]), min_size=1, max_size=60))
def test_a_plain_name_stays_as_it_is(text: str) -> None:
    normal = unicodedata.normalize("NFC", text)
    if len(normal) <= LONGEST:
        assert display_name(normal) == normal


def test_a_cut_name_says_so() -> None:
    assert display_name("abcdef", 4) == "abc…"
    assert display_name("abcd", 4) == "abcd"
    assert display_name(None) == "None"
    assert len(display_name("é" * 10**6)) == LONGEST


def test_an_accent_finds_its_letter_where_something_invisible_stood_between() -> None:
    assert display_name("e\u200d\u0301") == "é"


@given(text=ANY)
def test_a_label_reads_as_the_name_and_holds_no_markup(text: str) -> None:
    label = for_figure(text)
    assert not set("<>$") & set(label)
    assert html.unescape(label) == display_name(text)


@given(text=ANY)
def test_markdown_reads_as_the_name_and_every_sign_is_escaped(text: str) -> None:
    shown = for_markdown(text)
    read, escaped = [], False
    for character in shown:
        if escaped or character != "\\":
            assert escaped == (character in "\\`*_{}[]()<>#+-.!|~$:&^=\"'/@")
            read.append(character)
        escaped = character == "\\" and not escaped
    assert not escaped
    assert "".join(read) == display_name(text)


@given(text=st.text(st.characters(codec="utf-8", exclude_characters="\0\r\n"), max_size=30))
def test_a_cell_is_no_formula_and_else_what_it_was(text: str) -> None:
    file = io.StringIO()
    csv.writer(file).writerow([for_cell(text)])
    file.seek(0)
    [[cell]] = list(csv.reader(file)) or [[""]]
    assert cell[:1] not in ("=", "+", "-", "@", "\t", "\r")
    assert cell.removeprefix("'") == text.removeprefix("'")


def test_numbers_in_cells_stay_numbers() -> None:
    assert for_cell(3.5) == "3.5"
    assert for_cell(-3) == "'-3", "as text: a spreadsheet would compute it"
