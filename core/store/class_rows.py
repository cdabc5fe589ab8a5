"""What is kept of a class, as records: its rules, its students, what they did. Each row is compared with its hash."""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import Field, ValidationError

from core.config import BaseConfig
from core.errors import DamagedArtifact, InvalidInput
from core.store.schema import row_hash

LETTERS = "ACDEFGHJKMNPQRTUWXY34679"
"""Of a class's code: no two of them look alike."""
CODE_LENGTH = 6
LONGEST_NICKNAME = 24
TRIES = 5
"""Networks that a student may enter in one contest."""

# Letters that draw nothing; a name of them alone would be an empty place on the board.
_BLANK_LETTERS = frozenset("\u115f\u1160\u2800\u3164\uffa0")
_MOST_MARKS = 2


class Contest(BaseConfig):
    """A contest of a class: the best subnet under a budget.

    Attributes:
        number: of the class's contests, from 1.
        budget: multiply-accumulate operations (MACs) a subnet may need at most.
        seed: of the hidden images; shown to nobody before the contest is closed.
        open: whether networks can be entered.
    """

    number: int = Field(ge=1)
    budget: int = Field(ge=1)
    seed: int
    open: bool = True


class Rules(BaseConfig):
    """What the teacher has set; every change of it reaches the students' pages.

    Attributes:
        now: the lesson the class is at, "" for none.
        waits: whether the truth of a lesson waits for the teacher's reveal.
        revealed: lesson -> the class's counter when the teacher revealed it.
        locked: lessons whose predictions are closed.
        paused: whether no new jobs of students start.
        anonymous: whether the board and what is exported name nobody.
        hidden: names of controls that students' pages leave out.
        experiment: whether the shared experiment deals networks to train.
        contests: oldest first; only the last one can be open.
        ended: whether the class is over: everything can be looked at, nothing changes.
    """

    now: str = ""
    waits: bool = True
    revealed: dict[str, int] = {}
    locked: tuple[str, ...] = ()
    paused: bool = False
    anonymous: bool = False
    hidden: tuple[str, ...] = ()
    experiment: bool = False
    contests: tuple[Contest, ...] = ()
    ended: bool = False


@dataclass(frozen=True)
class Room:
    """A class.

    Attributes:
        code: what students type in.
        seed: of all chance that belongs to the class.
        created: seconds since the epoch, for display only.
        version: counts every change, for the board.
        rules_version: counts changes of the rules and of who is in the class, for students' pages.
        rules: what the teacher has set.
    """

    code: str
    seed: int
    created: float
    version: int
    rules_version: int
    rules: Rules


@dataclass(frozen=True)
class Student:
    """A student.

    Attributes:
        student_id: 32 hexadecimal digits; also the id of the sandbox.
        number: in the order of joining, from 1.
        seen: when something was done last, seconds since the epoch.
        lesson: the one that is open; "" for none.
        removed: whether the teacher has removed the nickname.
    """

    student_id: str
    code: str
    number: int
    nickname: str
    joined: float
    seen: float
    lesson: str
    removed: bool


@dataclass(frozen=True)
class Taking:
    """What a student had done in a lesson when something was done.

    Attributes:
        ordinal: the class's counter then; later rows have larger ones.
        taken: as `core.lessons.taken` writes it.
        evidence: run or supernet, and seed, that the numbers are of.
        reset: whether the student began the lesson again: what came before no longer counts.
    """

    ordinal: int
    student_id: str
    lesson: str
    taken: str
    evidence: str
    reset: bool
    created: float


@dataclass(frozen=True)
class Deal:
    """A subnet that a student trains alone for the class.

    Attributes:
        number: in the order of dealing, from 0.
        seed: of its training.
        run_id: in the student's sandbox; "" before it was queued.
        finished: the class's counter when its result came; None before.
        test_accuracy: fraction, of the network trained alone; None before.
    """

    number: int
    student_id: str
    arch_id: str
    seed: int
    run_id: str
    finished: int | None
    test_accuracy: float | None
    created: float


@dataclass(frozen=True)
class Entry:
    """A subnet that a student entered in a contest.

    Attributes:
        contest: its number.
        attempt: of the student, from 1 to `TRIES`.
        supernet: the shipped one's name, or the id of one in the student's sandbox.
        macs: multiply-accumulate operations of the subnet, counted.
        correct: hidden images it got right; None until it was judged.
        of: hidden images.
        ordinal: the class's counter when it was entered.
    """

    contest: int
    student_id: str
    attempt: int
    supernet: str
    arch_id: str
    macs: int
    correct: int | None
    of: int
    ordinal: int
    created: float

    @property
    def accuracy(self) -> float | None:
        return None if self.correct is None or not self.of else self.correct / self.of


_HASHED = {
    Room: ("code", "secret_sha256", "seed", "rules"),
    Student: ("student_id", "code", "number", "nickname", "secret_sha256"),
    Taking: ("code", "ordinal", "student_id", "lesson", "taken", "evidence", "reset"),
    Deal: ("code", "number", "student_id", "arch_id", "seed", "run_id", "finished", "test_accuracy"),
    Entry: (
        *("code", "contest", "student_id", "attempt", "supernet", "arch_id", "macs", "correct", "of"),
        "ordinal",
    ),
}


def hash_of(kind: type, row: Mapping[str, Any]) -> str:
    """The hash of a row, over what never changes unnoticed."""
    return row_hash(*(_plain(row[name]) for name in _HASHED[kind]))


def _plain(value: Any) -> str | int:
    # Databases give truth values as 0 and 1, or as themselves.
    if isinstance(value, bool):
        return int(value)
    return value if isinstance(value, int) else repr(value) if isinstance(value, float) else str(value)


def is_whole(kind: type, row: Mapping[str, Any]) -> bool:
    """Whether a row is as it was written."""
    return hash_of(kind, row) == str(row["row_hash"])


def read_room(row: Mapping[str, Any]) -> Room:
    """A class from its row.

    Raises:
        DamagedArtifact: the row has changed since it was written.
    """
    try:
        rules = Rules.model_validate_json(row["rules"])
    except ValidationError:
        rules = None
    if rules is None or not is_whole(Room, row):
        raise DamagedArtifact(
            f"What is kept of class {row['code']!s:.6} has changed since it was saved. Restore a backup."
        )
    shown = ("code", "seed", "created", "version", "rules_version")
    return Room(**{name: row[name] for name in shown}, rules=rules)


def read_student(row: Mapping[str, Any]) -> Student:
    shown = ("student_id", "code", "number", "nickname", "joined", "seen", "lesson")
    return Student(**{name: row[name] for name in shown}, removed=bool(row["removed"]))


def read_taking(row: Mapping[str, Any]) -> Taking:
    shown = ("ordinal", "student_id", "lesson", "taken", "evidence", "created")
    return Taking(**{name: row[name] for name in shown}, reset=bool(row["reset"]))


def read_deal(row: Mapping[str, Any]) -> Deal:
    shown = ("number", "student_id", "arch_id", "seed", "run_id", "finished", "test_accuracy", "created")
    return Deal(**{name: row[name] for name in shown})


def read_entry(row: Mapping[str, Any]) -> Entry:
    shown = ("contest", "student_id", "attempt", "supernet", "arch_id", "macs", "correct", "of", "ordinal")
    return Entry(**{name: row[name] for name in shown}, created=row["created"])


def read_code(text: str) -> str:
    """A code as a person types it: any case, spaces and hyphens between; "" where it can be none."""
    typed = "".join(c for c in text[:40].upper() if not (c.isspace() or c == "-"))
    return typed if len(typed) == CODE_LENGTH and set(typed) <= set(LETTERS) else ""


def checked_nickname(text: str) -> str:
    """A nickname as it is kept: one line of 1 to 24 characters that can be seen.

    Raises:
        InvalidInput: there is nothing to see in it, it is longer, or accents are piled up.
    """
    raw = text[: 40 * LONGEST_NICKNAME]
    spaced = "".join(" " if c.isspace() or c in _BLANK_LETTERS else c for c in raw)
    seen = "".join(c for c in spaced if unicodedata.category(c)[0] not in "CZ" or c == " ")
    name = unicodedata.normalize("NFC", " ".join(seen.split()))
    if not any(unicodedata.category(c)[0] in "LNPS" for c in name):
        raise InvalidInput("Choose a nickname: 1 to 24 letters, digits or signs.")
    if len(name) > LONGEST_NICKNAME:
        raise InvalidInput(f"A nickname has at most {LONGEST_NICKNAME} characters; this one has {len(name)}.")
    marks = 0
    for c in name:
        marks = marks + 1 if unicodedata.category(c)[0] == "M" else 0
        if marks > _MOST_MARKS:
            raise InvalidInput("Choose a nickname with fewer accents on one letter.")
    return name


def nickname_key(name: str) -> str:
    """Equal for names that read alike: case, width and kinds of spaces do not count."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())
    return hashlib.sha256(" ".join(folded.split()).encode()).hexdigest()
