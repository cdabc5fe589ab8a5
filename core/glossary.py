"""Terms linked to their meanings wherever a text uses them: the first time in each paragraph, and never within code,
links, names of pages or escaped names."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from functools import lru_cache

from core.words import TERMS, Term

PLACE = "words"
"""The page that lists the terms, as a path relative to any other page."""

# What is left as it is: code, links, addresses, tags, icons, colored and escaped text, and the names of pages.
_SKIPPED = (
    r"```.*?```|`[^`]*`|!?\[[^\]]*\]\([^)]*\)|:[\w-]+\[[^\]]*\]|<[^>]*>|https?://\S+|:material/\w+:"
    r"|(?:\S*\\\S+)+|\b(?:Front|Supernets|Search|Tables|Similarity|Pruning|Learn|Class|Basket|Runs|Words) page\b"
    # Verbs, and another kind of network.
    r"|\b(?:it|that|which|who|to|you|they|we|can|not|local|nothing) (?:runs?|search(?:es)?|measured|network)\b"
)
_PARAGRAPHS = re.compile(r"(\n\s*\n)")


def slug(term: Term) -> str:
    """The id of a term's entry: "search space" is `term-search-space`."""
    return "term-" + re.sub(r"[^a-z0-9]+", "-", term.word.lower().replace("'", "")).strip("-")


def link(term: Term) -> str:
    """Where its entry is, relative to any page."""
    return f"{PLACE}#{slug(term)}"


def forms(word: str) -> tuple[str, ...]:
    """A term as a text may write it: the word itself, its plural or, of a plural, its singular."""
    if word.endswith("ed") or word.isupper():
        return (word,)
    if word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return (word, word[:-1]) if not word[:-1].isupper() else (word,)
    if re.search(r"[^aeiou]y$", word):
        return (word, word[:-1] + "ies")
    return (word, word + ("es" if word.endswith(("s", "x", "ch", "sh")) else "s"))


@lru_cache(maxsize=2048)
def in_markdown(text: str) -> str:
    """Markdown whose terms are links with their meanings as titles."""
    return _linked(text, lambda term, as_written: f'[{as_written}]({link(term)} "{_title(term)}")')


@lru_cache(maxsize=2048)
def in_html(text: str) -> str:
    """Plain text as HTML, its terms linked."""

    def write(term: Term, as_written: str) -> str:
        return f'<a class="ps-term" href="{link(term)}" title="{html.escape(_title(term))}">{html.escape(as_written)}</a>'

    return _linked(text, write, html.escape)


def _title(term: Term) -> str:
    return term.meaning.replace('"', "'")


def _linked(
    text: str, write: Callable[[Term, str], str], plain: Callable[[str], str] = lambda text: text
) -> str:
    parts = []
    for paragraph in _PARAGRAPHS.split(text):
        seen: set[str] = set()
        at = 0
        for start, end, term in _found(paragraph):
            if term.word in seen:
                continue
            seen.add(term.word)
            parts += [plain(paragraph[at:start]), write(term, paragraph[start:end])]
            at = end
        parts.append(plain(paragraph[at:]))
    return "".join(parts)


def _found(paragraph: str) -> Iterator[tuple[int, int, Term]]:
    """(start, end, term) of every term, the longest where several begin at one place."""
    pattern, by_form = _pattern()
    for match in pattern.finditer(paragraph):
        if match["term"]:
            yield match.start(), match.end(), by_form[match["term"].lower()]


@lru_cache(maxsize=1)
def _pattern() -> tuple[re.Pattern[str], dict[str, Term]]:
    by_form = {form.lower(): term for term in reversed(TERMS) for form in forms(term.word)}
    longest_first = sorted(by_form, key=lambda form: (-len(form), form))
    either = "|".join(re.escape(form).replace(r"\ ", r"\s") for form in longest_first)
    found = re.compile(
        rf"(?:{_SKIPPED})|(?<![\w.\-/])(?P<term>{either})(?![\w\-]|\.\w)", re.IGNORECASE | re.DOTALL
    )
    return found, by_form
