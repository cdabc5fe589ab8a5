"""A lesson: pages of text, one figure, a prediction that is locked before the reveal, a question with a computed answer.

Everything a lesson says of numbers is a function of its *evidence*: arrays that were measured in a run. Three ways lead
to evidence: read from the complete table of a supernet (`TableLesson`), computed by training or measuring something small
in the background (`ComputedLesson`), or shipped, which is the second kind made once with seed 0. No answer stands in a
lesson's file; the answer for another run is another one, and the text says what that run shows.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, TypeVar

from core.config import JsonObject, Plugin
from core.errors import NotFound
from core.lessons.asking import Answer, Ask
from core.lessons.charts import Chart
from core.library.results import Record
from core.registry import Registry
from core.settings import ASSETS

if TYPE_CHECKING:
    import numpy as np

    from core.ledger import Ledger
    from core.library.library import Library
    from core.library.supernets import SupernetEntry
    from core.records import Progress

LESSONS: Registry[Lesson[Any]] = Registry("lesson", "core.lessons", "LESSONS")

SUPERNET = "digits-lesson"
"""The shipped supernet that lessons open with: 512 subnets, small enough to be trained and measured whole in a class."""
MOST_WORDS = 250


class Evidence(Record):
    """What was measured, as JSON. Subclasses declare tuples and numbers (NaN where a value is missing); arrays are made
    from them when they are needed.

    Attributes:
        seed: of all chance in it.
        about: how it was measured, a sentence for the figure's caption.
    """

    FILE: ClassVar[str] = "lesson.json"

    seed: int = 0
    about: str = ""


E = TypeVar("E", bound=Evidence)

Set = Mapping[str, Answer]
"""Where the controls stand: name of a control -> its value."""


@dataclass(frozen=True)
class Shown:
    """What the figure is drawn for.

    Attributes:
        controls: where the controls stand; all of `Lesson.controls` are in it.
        prediction: what was predicted so far, locked or not; None before.
        revealed: whether the truth may be seen. A figure drawn with False must not contain it.
    """

    controls: Set = field(default_factory=dict)
    prediction: Answer | None = None
    revealed: bool = False


@dataclass(frozen=True)
class Further:
    """A link to the real page with the right selection.

    Attributes:
        page: file name of the page without ending ("front").
        params: its address, as that page writes it.
        text: what is to be done there, a sentence.
        numbers: name -> number of the lesson that this page shows as well, for the test that compares them.
    """

    page: str
    params: Mapping[str, str]
    text: str
    numbers: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class ForTeachers:
    """The teacher's note.

    Attributes:
        goal: what a student can do afterwards.
        typical_error: the wrong answer to expect, and what to ask then.
        minutes: it takes in a class.
    """

    goal: str
    typical_error: str
    minutes: int


class Lesson(Plugin, ABC, Generic[E]):
    """One lesson. Methods are pure: the same evidence gives the same text, figure and answer.

    Attributes:
        label: its title.
        place: among the lessons, from 1.
        optional: not counted among the twelve.
        teacher: see `ForTeachers`.
        Evidence: what it is computed from.
    """

    place: ClassVar[int]
    optional: ClassVar[bool] = False
    teacher: ClassVar[ForTeachers]
    Evidence: ClassVar[type[Evidence]]

    @abstractmethod
    def text(self, evidence: E) -> tuple[str, ...]:
        """Pages before the prediction, Markdown; with `action` and `found` at most 250 words in all."""

    @abstractmethod
    def action(self, evidence: E) -> str:
        """What to do with the controls or the figure, one sentence that begins with a verb."""

    def controls(self, evidence: E) -> dict[str, Ask]:
        """The figure's controls by name, each with a start; none by default."""
        return {}

    @abstractmethod
    def figure(self, evidence: E, shown: Shown) -> Chart:
        """The one figure. Under 50 ms; its kind never changes, so that it morphs."""

    @abstractmethod
    def prediction(self, evidence: E, controls: Set) -> Ask:
        """What is predicted before the reveal."""

    @abstractmethod
    def truth(self, evidence: E, controls: Set) -> Answer:
        """The right prediction, computed."""

    @abstractmethod
    def found(self, evidence: E, controls: Set, prediction: Answer) -> str:
        """After the reveal: mine beside the truth, and what this run shows, whichever way it came out."""

    @abstractmethod
    def question(self, evidence: E, controls: Set) -> Ask:
        """The closing question."""

    @abstractmethod
    def answer(self, evidence: E, controls: Set) -> Answer:
        """Its answer, computed from the evidence."""

    @abstractmethod
    def explain(self, evidence: E, controls: Set, given: Answer) -> str:
        """After an answer: why it is right, or what is wrong with it, naming the typical error where it was made."""

    @abstractmethod
    def further(self, evidence: E) -> tuple[Further, ...]:
        """Links to the real pages."""

    @classmethod
    @abstractmethod
    def example(cls, rng: np.random.Generator) -> E:
        """Random evidence for tests, quick: now and then with ties, missing values, fronts of one point."""


class TableLesson(Lesson[E]):
    """A lesson that reads the complete table of a supernet; whoever wants another run opens another supernet."""

    @abstractmethod
    def read(self, library: Library, entry: SupernetEntry, seed: int) -> E:
        """The evidence of a supernet; `seed` is of what is drawn at random. Under 0.5 s, without torch.

        Raises:
            InvalidInput: this supernet cannot show it (its space is not measured whole, ...), in one sentence.
        """


class ComputedLesson(Lesson[E]):
    """A lesson whose evidence is computed in the background; seed 0 is shipped.

    Attributes:
        weight_class: "training", or "measuring" where the machine must do nothing else beside.
        seconds: it takes on one idle core, measured.
    """

    weight_class: ClassVar[Literal["training", "measuring"]] = "training"
    seconds: ClassVar[float]

    @abstractmethod
    def compute(self, seed: int, ledger: Ledger, library: Library) -> Generator[Progress, None, E]:
        """Train or measure; yields often, checkpoints so that what was cut goes on to the same bits. Loads torch.

        What is measured in seconds (latency) is not equal bit for bit; its checkpoints keep what was measured.
        """


@dataclass(frozen=True)
class Checked:
    """What the check of an answer says.

    Attributes:
        ok: whether it is right.
        expected: the right answer.
        explanation: a sentence or two.
    """

    ok: bool
    expected: Answer
    explanation: str


def check(lesson: Lesson[E], evidence: E, controls: Set, given: Answer) -> Checked:
    """Whether an answer to the closing question is right, and why."""
    ask, expected = lesson.question(evidence, controls), lesson.answer(evidence, controls)
    return Checked(ask.right(given, expected), expected, lesson.explain(evidence, controls, given))


def controls_of(lesson: Lesson[E], evidence: E, given: JsonObject) -> dict[str, Answer]:
    """Where the controls stand: what was given and fits, their starts otherwise.

    Args:
        given: name -> JSON, from a link or a page; strangers' values.
    """
    found: dict[str, Answer] = {}
    for name, ask in lesson.controls(evidence).items():
        value = ask.read(given[name]) if name in given else None
        start = getattr(ask, "start", None)
        if value is None and start is not None:
            value = start
        found[name] = value if value is not None else ()
    return found


def evidence_of(
    lesson: Lesson[E], library: Library, *, supernet: str = "", run: str = "", seed: int = 0
) -> E:
    """The evidence to open a lesson with.

    Args:
        supernet: whose table a `TableLesson` reads; the lessons' own if left out.
        run: that computed a `ComputedLesson`; the shipped evidence if left out.
        seed: of what a `TableLesson` draws.

    Raises:
        NotFound: there is no such supernet or run.
        InvalidInput: the supernet cannot show it, or what the run kept is something else.
        DamagedArtifact: what was kept has changed.
    """
    if isinstance(lesson, TableLesson):
        found: E = lesson.read(library, library.supernet(supernet or SUPERNET), seed)
        return found
    if run:
        computed: Any = lesson.Evidence.decode(
            library.require_store().ledger(run).artifact(lesson.Evidence.FILE)
        )
        return computed
    return shipped(lesson)


def shipped(lesson: Lesson[E]) -> E:
    """The shipped evidence of a `ComputedLesson`.

    Raises:
        NotFound: there is none.
        InvalidInput: it cannot be read.
    """
    path = ASSETS / "lessons" / f"{lesson.name}.json"
    if not path.is_file():
        raise NotFound("This lesson came without a run; compute one with a seed of your own.")
    found: Any = lesson.Evidence.decode(path.read_bytes())
    return found


def all_lessons() -> list[Lesson[Any]]:
    """Every lesson in the order of their places."""
    return sorted(
        (LESSONS.create(name) for name in LESSONS.names()), key=lambda each: (each.optional, each.place)
    )
