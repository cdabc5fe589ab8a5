"""Terms are linked where a text uses them: every term and its plural, the longest first, once in a paragraph."""

from __future__ import annotations

import re

import pytest

from core.glossary import forms, in_html, in_markdown, link, slug
from core.words import TERMS, Term

TERM = {term.word: term for term in TERMS}


def links(text: str) -> list[tuple[str, str]]:
    """(what is written, where it leads)."""
    return re.findall(r"\[([^\]]*)\]\((words#[a-z0-9-]+) \"[^\"]*\"\)", in_markdown(text))


@pytest.mark.parametrize("term", TERMS, ids=lambda term: term.word)
def test_every_term_is_found_with_its_plural(term: Term) -> None:
    for form in forms(term.word):
        for written in (form, form[:1].upper() + form[1:]):
            assert links(f"Of {written}, there is one.") == [(written, link(term))]
            assert f'href="{link(term)}"' in in_html(f"Of {written}, there is one.")


def test_plurals_are_english() -> None:
    assert forms("search space") == ("search space", "search spaces")
    assert forms("accuracy") == ("accuracy", "accuracies")
    assert forms("search") == ("search", "searches")
    assert forms("MACs") == ("MACs",)
    assert forms("parameters") == ("parameters", "parameter")
    assert forms("predicted") == ("predicted",)


def test_the_longest_of_overlapping_terms_wins() -> None:
    assert [
        written for written, _ in links("A search space is searched by a search of the validation data.")
    ] == [
        "search space",
        "search",
        "validation data",
    ]


def test_once_in_a_paragraph() -> None:
    assert [written for written, _ in links("A subnet and two subnets.\n\nSubnets again.")] == [
        "subnet",
        "Subnets",
    ]


@pytest.mark.parametrize(
    "text",
    [
        "`subnet`",
        "```\nsubnet\n```",
        "[a subnet](front)",
        "![subnet](x.png)",
        "https://example.org/subnet",
        ":material/layer:",
        ":blue-badge[subnet]",
        "<b title='subnet'>",
        "my\\-subnet",
        "subnet\\_one",
        "digits-subnet",
        "subnet.py",
        "run_id",
        "the Front page",
        "it runs on the local network, to search",
        "forefront, runner, laying, unitary",
    ],
)
def test_never_within_code_links_or_names(text: str) -> None:
    assert in_markdown(text) == text


def test_plain_text_is_escaped_and_a_link_says_what_it_means() -> None:
    made = in_html("<b>5 & 6</b> subnets")
    assert made.startswith("&lt;b&gt;5 &amp; 6&lt;/b&gt; <a ")
    assert TERM["subnet"].meaning.split(":")[0] in made


def test_every_entry_has_an_address_of_its_own() -> None:
    assert len({slug(term) for term in TERMS}) == len(TERMS)
    assert all(re.fullmatch(r"term-[a-z0-9-]+", slug(term)) for term in TERMS)
