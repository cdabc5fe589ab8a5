"""The file of people: who has which role, and how much of the machine.

    default = "look"                  # who is known and is not named below
    unknown = "none"                  # who is not known
    help = "Ann (ann@example.org)"    # named where something is refused

    [people]
    "ann@example.org" = "administer"
    "bob@example.org" = { role = "run", running = 2 }

    [groups.lab]
    role = "run"
    people = ["cleo@example.org"]     # and those whose log-in says that they are in "lab"

    [quotas]                          # of everybody who may run, unless their own say otherwise
    waiting = 20
    running = 2
    gigabytes = 5
    hours_per_day = 8

It is read again when it changes. A file that cannot be read gives nobody any right.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import InvalidInput
from core.people import policy_file
from core.people.actions import Role
from core.people.person import Person, key_of
from core.people.rights import NO_LIMITS, Quotas, Rights

MOST_BYTES = 200_000
"""Some four thousand people; more is no file that a person wrote."""

_LOOK_SECONDS = 1.0
_FIELDS = ("default", "unknown", "help", "people", "groups", "quotas")


@dataclass(frozen=True)
class Policy:
    """What the file of people says.

    Attributes:
        default: role of who is known and not named.
        unknown: role of who is not known.
        help: who can help.
        people: key -> rights.
        members: key -> names of groups it is in.
        groups: name -> rights.
        quotas: of everybody who may run.
        wrong: why the file cannot be read, "" if it can.
    """

    default: Role = Role.NONE
    unknown: Role = Role.NONE
    help: str = ""
    people: Mapping[str, Rights] | None = None
    members: Mapping[str, tuple[str, ...]] | None = None
    groups: Mapping[str, Rights] | None = None
    quotas: Quotas = NO_LIMITS
    wrong: str = ""

    def rights(self, person: Person) -> Rights:
        """The role and the quotas of a person: what names them counts before their groups, these before the default."""
        if person.known == "machine":
            return Rights(Role.ADMINISTER)
        if not person.id:
            return Rights(self.unknown)
        named = [rights for key in person.keys if (rights := (self.people or {}).get(key))]
        if named:
            # Of two keys that both fit the lower one counts: a mistake gives nobody more.
            return min(named, key=lambda rights: rights.role)
        groups = self.groups or {}
        names = {n for key in person.keys for n in (self.members or {}).get(key, ())} | set(person.groups)
        found = [groups[name] for name in names if name in groups]
        if not found:
            return Rights(self.default, self.quotas)
        quotas = found[0].quotas
        for each in found[1:]:
            quotas = quotas.most(each.quotas)
        return Rights(max(each.role for each in found), quotas)

    def who_helps(self) -> str:
        """A half sentence: whom to ask."""
        return f"ask {self.help}" if self.help else "ask whoever administers this server"


def parse(data: bytes) -> Policy:
    """The policy that a file says.

    Raises:
        InvalidInput: one sentence that names what is wrong.
    """
    import tomllib

    if len(data) > MOST_BYTES:
        raise InvalidInput(
            f"The file of people is larger than {MOST_BYTES:,} bytes. Name groups that the log-in says, not each person."
        )
    try:
        content: Any = tomllib.loads(data.decode("utf-8"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        said = " ".join(str(error).split())[:200] or "too many brackets"
        raise InvalidInput(f"The file of people is no TOML: {said}.") from error
    return _policy(policy_file.table(content, "the file", _FIELDS))


def _policy(said: Mapping[str, Any]) -> Policy:
    # Who is not named cannot administer, and who is not known can look at most.
    default = policy_file.role(said.get("default"), "default", (Role.NONE, Role.LOOK, Role.RUN))
    unknown = policy_file.role(said.get("unknown", "none"), "unknown", (Role.NONE, Role.LOOK))
    everybody = policy_file.everybody(said.get("quotas", {}))
    people: dict[str, Rights] = {}
    for name, entry in policy_file.table(said.get("people", {}), "[people]").items():
        key = key_of(name)
        if key in people:
            raise InvalidInput(f"The file of people names {key[:80]!r} twice. Leave one.")
        people[key] = policy_file.rights(entry, repr(key[:80]), everybody)
    groups: dict[str, Rights] = {}
    members: dict[str, tuple[str, ...]] = {}
    for name, entry in policy_file.table(said.get("groups", {}), "[groups]").items():
        groups[name] = policy_file.rights(entry, f"group {name[:80]!r}", everybody, ("people",))
        for each in _names(entry, name):
            members[key_of(each)] = (*members.get(key_of(each), ()), name)
    helps = policy_file.text(said.get("help", ""), "help")
    return Policy(default, unknown, helps, people, members, groups, everybody)


def _names(group: Any, name: str) -> list[str]:
    listed = group.get("people", []) if isinstance(group, dict) else []
    if not isinstance(listed, list):
        raise InvalidInput(f"The file of people: people of group {name[:80]!r} must be a list.")
    return [policy_file.text(each, f"a name in group {name[:80]!r}") for each in listed]


class PolicyReader:
    """The policy of a file, read again once it has changed; looks at most once a second."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._looked = float("-inf")
        self._seen: tuple[Any, ...] = ()
        self._policy = Policy()

    def policy(self, path: Path) -> Policy:
        """What the file says now; a policy without any rights where it cannot be read."""
        with self._lock:
            now = time.monotonic()
            if self._seen[:1] == (path,) and now - self._looked < _LOOK_SECONDS:
                return self._policy
            self._looked = now
            try:
                status = path.stat()
                seen = (path, status.st_mtime_ns, status.st_ctime_ns, status.st_size, status.st_ino)
                if seen != self._seen:
                    with path.open("rb") as file:
                        self._policy = parse(file.read(MOST_BYTES + 1))
                self._seen = seen
            except OSError as error:
                self._seen = (path,)
                self._policy = Policy(
                    wrong=f"The file of people cannot be read ({error.strerror}). Until it can, nobody may do anything."
                )
            except InvalidInput as error:
                self._seen = seen
                self._policy = Policy(wrong=f"{error} Until it is mended, nobody may do anything.")
            return self._policy
