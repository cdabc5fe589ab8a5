"""The failures we expect, each with a sentence a person can act on.

A page or the command line catches `CoreError` once and shows its text. Any other exception is a bug
and is logged whole. The text says what happened, what was kept, and what to do next.
"""

from __future__ import annotations

from typing import Any


class CoreError(Exception):
    """An expected failure; `str(error)` is one plain sentence for the person at the screen."""


class InvalidInput(CoreError):
    """An argument, a file or an upload that cannot be used (exit status 2 on the command line)."""


class NotFound(InvalidInput):
    """A name (supernet, run, method, file) that does not exist."""


class NotAllowed(CoreError):
    """Whoever asks may not do this, or has used up what they may have; nothing was changed."""


class DataUnavailable(CoreError):
    """A data set is neither on this machine nor reachable."""


class Cancelled(CoreError):
    """A person stopped the work; everything acknowledged so far is kept."""


class Busy(CoreError):
    """The machine has too much to do right now; the same request may work in a minute."""


class StorageFailed(CoreError):
    """The disk or the database refused a write; what was acknowledged before is intact."""


class DatabaseAway(StorageFailed):
    """The database cannot be reached, or the connection broke; the same request may work when it is back."""


class DamagedArtifact(CoreError):
    """A stored file or row no longer matches its hash."""


def plain(message: str) -> str:
    """A validation message as a person reads it, without the library's own prefix."""
    return message.removeprefix("Value error, ").removeprefix("Assertion failed, ")


def wrong_setting(what: str, error: Any) -> InvalidInput:
    """The first complaint of a pydantic `ValidationError` as one sentence.

    Args:
        what: whose setting it is ("Strategy 'sandwich'").
        error: the `ValidationError`.
    """
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"]) or "settings"
    return InvalidInput(f"{what}: {field}: {plain(first['msg'])}.")
