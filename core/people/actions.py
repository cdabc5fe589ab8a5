"""What people can do here, as a closed list, and the role that each deed needs.

Whoever may look may also download: what is shown can be copied anyway.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum


class Role(IntEnum):
    """What somebody may do; each role may do all that those before it may."""

    NONE = 0
    LOOK = 1
    RUN = 2
    ADMINISTER = 3

    @property
    def word(self) -> str:
        """As the file of people writes it."""
        return self.name.lower()


class Action(StrEnum):
    """A deed, in the words of the audit log."""

    LOOK = "look"
    TAKE_PART = "take part in a class"
    SEE_LOG = "see the log of a run"
    CHECK = "check for damage"
    START = "start a run"
    CANCEL = "cancel a run"
    RESUME = "resume a run"
    CHANGE = "change what a run keeps"
    RENAME = "change a title"
    DELETE = "delete"
    UPLOAD = "upload"
    COLLECT = "change a basket"
    HOLD_CLASS = "hold a class"
    REPAIR = "remove what is damaged"
    EMPTY_TRASH = "empty the trash"
    BACK_UP = "back up or restore"
    SEE_AUDIT = "see the audit log"
    OTHER = "change the store"


@dataclass(frozen=True)
class Needs:
    """The role a deed needs, on one's own things and on those of others."""

    own: Role
    others: Role


def _both(role: Role) -> Needs:
    return Needs(role, role)


_OWN = Needs(Role.RUN, Role.ADMINISTER)

NEEDS: dict[Action, Needs] = {
    Action.LOOK: _both(Role.LOOK),
    # Classes keep their own rules: a student shows the secret that joining gave, a teacher the one of the class.
    Action.TAKE_PART: _both(Role.NONE),
    Action.SEE_LOG: Needs(Role.LOOK, Role.ADMINISTER),
    Action.CHECK: _both(Role.RUN),
    Action.START: _both(Role.RUN),
    Action.CANCEL: _OWN,
    Action.RESUME: _OWN,
    Action.CHANGE: _OWN,
    Action.RENAME: _OWN,
    Action.DELETE: _OWN,
    Action.UPLOAD: _both(Role.RUN),
    Action.COLLECT: _both(Role.RUN),
    # A class lets people compute here who are in no file.
    Action.HOLD_CLASS: _both(Role.ADMINISTER),
    Action.REPAIR: _both(Role.ADMINISTER),
    Action.EMPTY_TRASH: _both(Role.ADMINISTER),
    Action.BACK_UP: _both(Role.ADMINISTER),
    Action.SEE_AUDIT: _both(Role.ADMINISTER),
    Action.OTHER: _both(Role.ADMINISTER),
}
