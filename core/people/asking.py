"""Who asks now, and whether they may.

Pages register how they know who asks (`set_asker`). A thread of which they know nobody, a worker or the command line, is
the machine's own work and may do everything.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from core.errors import NotAllowed
from core.people.actions import NEEDS, Action, Role
from core.people.person import Person
from core.people.policy import Policy, PolicyReader
from core.people.rights import Rights
from core.settings import settings

PEOPLE = "PARETOSCOPE_PEOPLE"

_reader = PolicyReader()
_own_work: ContextVar[bool] = ContextVar("own_work", default=False)
_NO_FILE = (
    "A log-in is configured here, but no file of people: set PARETOSCOPE_PEOPLE to one that says who may do what. "
    "Until then nobody may do anything."
)


@dataclass
class _How:
    """How this process knows who asks."""

    asker: Callable[[], Person | None] | None = None
    log_in: bool = False
    wrong: str = ""


_how = _How()


def set_asker(asker: Callable[[], Person | None] | None) -> None:
    """From now on this says who asks: a person, `NOBODY`, or None for the machine's own work."""
    _how.asker = asker


def expect_log_in(expected: bool, wrong: str = "") -> None:
    """A log-in is configured: without a file of people nobody may do anything.

    Args:
        expected: whether one is.
        wrong: why it cannot be believed; then nobody may do anything either.
    """
    _how.log_in, _how.wrong = expected, wrong


def told_apart() -> bool:
    """Whether people are told apart here at all."""
    return bool(os.environ.get(PEOPLE)) or _how.log_in


def policy() -> Policy:
    """What the file of people says now."""
    if _how.wrong:
        return Policy(wrong=_how.wrong)
    path = settings().people
    return Policy(wrong=_NO_FILE) if path is None else _reader.policy(path)


def asking() -> Person | None:
    """Who asks in this thread; None where people are not told apart, and for the machine's own work."""
    if not told_apart() or _how.asker is None or _own_work.get():
        return None
    return _how.asker()


@contextmanager
def own_work() -> Iterator[None]:
    """What is done inside is the machine's own: opening the store, or going on after a restart, whoever came first."""
    token = _own_work.set(True)
    try:
        yield
    finally:
        _own_work.reset(token)


def rights_of(person: Person) -> Rights:
    """The role and quotas that a person has now."""
    return policy().rights(person)


def may(person: Person | None, action: Action, *, own: bool = True) -> bool:
    """Whether a person may do something now; None is the machine itself.

    Args:
        person: who.
        action: what.
        own: whether it is done to what is their own, or to nobody's in particular.
    """
    if person is None:
        return True
    needs = NEEDS[action]
    return rights_of(person).role >= (needs.own if own else needs.others)


def why_not(person: Person | None, action: Action, *, own: bool = True) -> str:
    """One sentence where a person may not do something; "" where they may."""
    if may(person, action, own=own) or person is None:
        return ""
    said = policy()
    if said.wrong:
        return said.wrong
    role = said.rights(person).role
    if not own and role >= NEEDS[action].own:
        return f"This is somebody else's: only who started it, or an administrator, may {action}; {said.who_helps()}."
    if not person.id:
        return f"Nobody may {action} here without logging in."
    shown = {
        Role.NONE: "You have no access here",
        Role.LOOK: "You may look here, and no more",
        Role.RUN: "You may run here, and not administer",
        Role.ADMINISTER: "",
    }[role]
    return f"{shown}: to {action}, {said.who_helps()}."


def require(action: Action, *, own: bool = True) -> None:
    """Let pass who may.

    Raises:
        NotAllowed: who asks may not.
    """
    if not told_apart():
        return
    if reason := why_not(asking(), action, own=own):
        raise NotAllowed(reason)
