"""What a deliberate mistake is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """One deliberate mistake.

    Attributes:
        what: the mistake in words.
        path: file it is put into.
        right, wrong: the text that is replaced, once in its file, and what stands there instead.
        tests: tests of which at least one must fail.
    """

    what: str
    path: str
    right: str
    wrong: str
    tests: tuple[str, ...]
