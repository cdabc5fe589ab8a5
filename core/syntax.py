"""Syntax trees, from any thread.

In CPython 3.11 two threads that build syntax trees at once can trip over a counter they share
(SystemError, "AST constructor recursion depth mismatch"). Our own threads wait for each other here; for
everybody else's, such as a page being compiled, we try again.
"""

from __future__ import annotations

import ast
import inspect
import threading
from collections.abc import Callable
from types import ModuleType
from typing import TypeVar

T = TypeVar("T")

_parsing = threading.Lock()
_ATTEMPTS = 20


def parse(text: str) -> ast.Module:
    """The syntax tree of a text.

    Raises:
        SyntaxError: it is not Python.
    """
    return _patiently(lambda: ast.parse(text))


def source_of(thing: type | ModuleType) -> str:
    """`inspect.getsource`, which builds a syntax tree too."""
    return _patiently(lambda: inspect.getsource(thing))


def _patiently(work: Callable[[], T]) -> T:
    with _parsing:
        for _ in range(_ATTEMPTS - 1):
            try:
                return work()
            except SystemError:
                continue
        return work()
