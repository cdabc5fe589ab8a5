"""What is kept for all sessions says whose it is wherever it was read from a store: else one student sees another's."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
READS = {"store", "store_or_none", "quiet_store", "jobs", "entries", "search_table"}


def decorated(tree: ast.AST, *names: str) -> Iterator[tuple[ast.FunctionDef, ast.Call]]:
    for node in ast.walk(tree):
        for each in node.decorator_list if isinstance(node, ast.FunctionDef) else ():
            if isinstance(each, ast.Call) and ast.unparse(each.func).split(".")[-1] in names:
                assert isinstance(node, ast.FunctionDef)
                yield node, each


def parameters(function: ast.FunctionDef) -> set[str]:
    return {each.arg for each in (*function.args.args, *function.args.kwonlyargs)}


def pages_that_leak(text: str) -> list[str]:
    """Functions kept for all sessions that read a visitor's store without saying whose it is."""
    return [
        function.name
        for function, _ in decorated(ast.parse(text), "cache_resource", "cache_data")
        if "place" not in parameters(function)
        and any(
            isinstance(node, ast.Attribute) and node.attr in READS and ast.unparse(node.value) == "resources"
            for node in ast.walk(function)
        )
    ]


def core_that_leaks(text: str) -> list[str]:
    """Kept functions that are given a store which is not in their key."""
    return [
        function.name
        for function, call in decorated(ast.parse(text), "kept")
        if "store" in parameters(function) and "place_of(store)" not in ast.unparse(call)
    ]


def test_what_pages_keep_says_whose_it_is() -> None:
    found = {
        str(path.relative_to(ROOT)): names
        for path in sorted((ROOT / "pages").rglob("*.py"))
        if (names := pages_that_leak(path.read_text(encoding="utf-8")))
    }
    assert found == {}


def test_what_the_engine_keeps_says_whose_it_is() -> None:
    found = {
        str(path.relative_to(ROOT)): names
        for path in sorted((ROOT / "core").rglob("*.py"))
        if (names := core_that_leaks(path.read_text(encoding="utf-8")))
    }
    assert found == {}


@pytest.mark.parametrize(
    "text",
    [
        "@st.cache_resource(max_entries=3)\ndef f(run_id): return resources.store().ledger(run_id)",
        "@st.cache_data\ndef g(): ...\n@st.cache_data(ttl=5)\ndef f(key): return resources.entries()",
    ],
)
def test_a_leak_of_a_page_is_found(text: str) -> None:
    assert pages_that_leak(text) == ["f"]
    assert (
        pages_that_leak(text.replace("(run_id)", "(place, run_id)", 1).replace("(key)", "(place, key)")) == []
    )


def test_a_leak_of_the_engine_is_found() -> None:
    text = "@kept(3, key=lambda store, n: n)\ndef f(store, n): ..."
    assert core_that_leaks(text) == ["f"]
    assert core_that_leaks(text.replace("n: n", "n: (place_of(store), n)")) == []
