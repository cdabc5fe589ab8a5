"""Somebody who asks, and how we know."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from core.text import display_name

LONGEST_ID = 200
_LONGEST_NAME = 80


@dataclass(frozen=True)
class Person:
    """Somebody who asks.

    Attributes:
        id: what tells people apart, for good: runs are signed with it. "" is nobody.
        name: what others read; any text, so it is escaped where it is shown.
        known: how we know: "machine", "openid", "proxy", or "" for nobody.
        keys: what the file of people may call this person: the id, and a verified e-mail address.
        groups: those the log-in says.
    """

    id: str
    name: str
    known: str
    keys: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()

    def __str__(self) -> str:
        return display_name(self.name or self.id or "somebody who has not logged in", _LONGEST_NAME)


NOBODY = Person("", "", "")
MACHINE = Person("machine", "the person at the machine", "machine")


def key_of(text: str) -> str:
    """A name as it is compared: e-mail addresses without regard to case, all else exactly."""
    return text.lower() if "@" in text and text.isascii() else text


def known_by(
    source: str, identity: str, name: str = "", *, email: str = "", groups: tuple[str, ...] = ()
) -> Person:
    """A person whom a log-in or a proxy vouches for; nobody where the identity is empty.

    Args:
        source: "openid" or "proxy".
        identity: tells people apart, for good.
        name: to be shown.
        email: a verified address, or "".
        groups: names of groups that the log-in says.
    """
    if not identity:
        return NOBODY
    if len(identity) > LONGEST_ID:
        identity = f"sha256:{hashlib.sha256(identity.encode()).hexdigest()}"
    keys = tuple(dict.fromkeys(key_of(each) for each in (identity, email) if each))
    return Person(identity, (name or email or identity)[:200], source, keys, groups)
