"""The objective contract: one number of a subnet, what it means to a person, and how it is obtained.

An objective is one file here. Whoever measures, stores, draws or offers a number asks the objective:
the evaluator which outputs of which split it needs (`FromOutputs`), the cost table what to make of the
stages' counted quantities (`FromCosts`), the library which exported file to hand it (`FromFiles`); `extracted` has
two kinds more. Nothing tests names. No torch here: a file imports what it measures with inside its methods.

An objective that depends on a device is one objective per device: `latency_ms.AMD-EPYC_1-thread_3f9a1c` is the
variant of `latency_ms` for that device. Everything about it follows from its name, so whoever knows objectives by
name knows variants, too.
"""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

from core.config import Plugin
from core.errors import InvalidInput, NotFound
from core.objectives.counting import Costs
from core.records import Objective, Obtained, Shown, Source
from core.registry import PluginInfo, Registry

if TYPE_CHECKING:
    from torch import Tensor

    from core.tasks.base import Task

K = TypeVar("K", bound="MeasuredNumber")
NOISY = "noisy"
"""Detail of a value whose repeats disagreed: the machine was busy."""


@dataclass(frozen=True)
class Reading:
    """One value of a measurement with an instrument: how it was obtained, and how far its repeats spread."""

    value: float
    obtained: Obtained
    spread: float = math.nan


class _Objectives(Registry["MeasuredNumber"]):
    """The registered objectives, and by name the variants of those that differ by device."""

    def get(self, name: str) -> Any:
        base, _, slug = name.partition(".")
        return _variant(super().get(base), slug) if slug else super().get(name)

    def info(self, name: str) -> PluginInfo:
        base, _, slug = name.partition(".")
        if not slug:
            return super().info(name)
        cls = self.get(name)
        return replace(super().info(base), name=name, label=cls.label, summary=cls.summary)


OBJECTIVES: Registry[MeasuredNumber] = _Objectives("objective", "core.objectives", "OBJECTIVES")


class MeasuredNumber(Plugin, ABC):
    """One objective, as a plug-in; register a subclass of one of the kinds below.

    The first paragraph of the class's docstring says what it is in plain words.

    Attributes:
        unit: unit of the stored value ("" for a fraction or a count without one).
        maximize: whether larger is better.
        how: how a value is usually obtained; each measurement says it for each value.
        split: data split it is measured on, or "" if it needs no data.
        for_choosing: whether a search, an axis or a limit may use it. What test data say is shown, never chosen for.
        shown: how a person reads it.
        stored: NumPy type of its column in a table.
        column: name of its column in the files of tables, where an earlier release kept another number under its
            own name; its name if empty.
        place: where menus list it; smaller comes first.
        reference: worst value known before anything is measured, for hypervolumes; None where there is none.
        instrument: what a person reads instead of "measured", if something special measures it.
        best: what the best subnet by it is called ("most accurate"); "best" and the label if empty.
        quick: whether one walk over the data or a count gives it.
        tasks: registry names of the kinds of data it is for; empty: any.
        varies: whether every device has a value of its own, known from a profile of it: "label on device" is then a
            variant of this objective, called `name.SLUG`.
    """

    unit: ClassVar[str] = ""
    maximize: ClassVar[bool] = False
    how: ClassVar[Source] = Source.MEASURED
    split: ClassVar[str] = ""
    for_choosing: ClassVar[bool] = True
    shown: ClassVar[Shown] = Shown()
    stored: ClassVar[str] = "float64"
    column: ClassVar[str] = ""
    place: ClassVar[int] = 50
    reference: ClassVar[float | None] = None
    instrument: ClassVar[str] = ""
    best: ClassVar[str] = ""
    quick: ClassVar[bool] = True
    tasks: ClassVar[tuple[str, ...]] = ()
    varies: ClassVar[bool] = False

    @classmethod
    def described(cls) -> Objective:
        """The objective as the axis of a trade-off."""
        summary = OBJECTIVES.info(cls.name).summary
        return Objective(
            name=cls.name,
            label=cls.label,
            unit=cls.unit,
            maximize=cls.maximize,
            how=cls.how,
            summary=summary,
            split=cls.split,
            for_choosing=cls.for_choosing,
            shown=cls.shown,
            instrument=cls.instrument,
        )


class FromOutputs(MeasuredNumber):
    """Measured by running subnets over a split: a function of outputs and targets."""

    split: ClassVar[str] = "validation"

    @abstractmethod
    def values(self, outputs: Any, targets: Tensor, task: Task) -> NDArray[np.float64]:
        """Values of several subnets from what they answer.

        Args:
            outputs: what the last stage returns, (s, n, ...) for s subnets and the n samples of the split.
            targets: (n,) of the samples; (n, p) where each has several positions that are scored.
            task: what outputs mean.

        Returns:
            (s,) values. Each depends on the subnet's own outputs alone, to the last bit.
        """

    def of_split(self, outputs: Any, targets: Tensor, task: Task, target_bytes: float) -> NDArray[np.float64]:
        """(s,) values as `values` has them, of data a target of which stands for so many bytes of text (nan: for none)."""
        return self.values(outputs, targets, task)


class ShareOfSamples(FromOutputs):
    """The share of a split's samples that a subnet gets right: it has an interval, and which samples it was is kept."""

    maximize: ClassVar[bool] = True
    reference: ClassVar[float | None] = 0.0

    @abstractmethod
    def right(self, outputs: Any, targets: Tensor, task: Task) -> NDArray[np.bool_]:
        """(s, n) which samples each subnet gets right, (s, n * p) which of their positions; arguments as for `values`."""

    def values(self, outputs: Any, targets: Tensor, task: Task) -> NDArray[np.float64]:
        return shares(self.right(outputs, targets, task))


def shares(right: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(s, n) -> (s,): a count divided once, so that equal counts are equal values to the last bit."""
    return np.asarray(right.sum(1) / right.shape[1], dtype=np.float64)


class Counted(MeasuredNumber):
    """Equal wherever it is taken."""

    how: ClassVar[Source] = Source.COUNTED
    stored: ClassVar[str] = "int64"


class FromCosts(Counted):
    """Counted from what the stages of an architecture cost; needs neither weights nor data."""

    @abstractmethod
    def counted(self, costs: Costs) -> NDArray[np.int64]:
        """Values of n architectures: (n,)."""


class FromFiles(MeasuredNumber):
    """Measured on subnets that were cut out and exported, against each other; takes a measurement of its own.

    Attributes:
        exporter: registry name of the exporter whose file is measured.
        invitation: what a button that starts it says.
        protocol: one sentence on how it is measured.
    """

    quick: ClassVar[bool] = False
    exporter: ClassVar[str]
    invitation: ClassVar[str] = "Measure it on this machine"
    protocol: ClassVar[str] = ""

    @abstractmethod
    def measured(
        self,
        files: Sequence[bytes],
        sample: Sequence[NDArray[Any]],
        on_progress: Callable[[float], None] | None = None,
    ) -> list[Reading]:
        """What each file gives, in the order of the files.

        Args:
            files: exported networks.
            sample: arrays the networks take, in the order of their inputs; one sample.
            on_progress: called with the fraction done; may raise to stop.
        """


class FromProfile(MeasuredNumber):
    """Known from the profile of a device: stands in tables, and is never measured on the spot.

    Attributes:
        summary: help text, which names the device.
    """

    quick = False
    summary: ClassVar[str]


# --- variants -----------------------------------------------------------------------------------

# What is told of an objective's values stands in columns of its own, called NAME_source and the like: no variants.
_SLUG = re.compile(r"(?!.*_(?:source|low|high|spread|share)$)[A-Za-z0-9][A-Za-z0-9_.-]{0,79}")
_IDENTITY = re.compile(r"[0-9a-f]{6}")
PUBLISHED = "published"
"""Last part of the slug of a variant whose values others have measured and published."""
_SHARED = ("unit", "maximize", "how", "for_choosing", "shown", "stored", "place", "source", "best")


def device_of(name: str) -> str:
    """The device that a variant's name says, as a person reads it: "AMD EPYC, 1 thread"; "" for no variant.

    A slug's words are joined by "-", its parts by "_"; six hexadecimal digits at the end tell devices apart that are
    called alike.
    """
    slug = name.partition(".")[2]
    parts = slug.split("_")
    if len(parts) > 1 and _IDENTITY.fullmatch(parts[-1]):
        parts.pop()
    return ", ".join(part.replace("-", " ") for part in parts if part)


@lru_cache(maxsize=256)
def _variant(base: type[MeasuredNumber], slug: str) -> type[MeasuredNumber]:
    if not base.varies or not _SLUG.fullmatch(slug):
        raise NotFound(f"There is no objective called {f'{base.name}.{slug}'[:120]!r}.")
    name = f"{base.name}.{slug}"
    device = device_of(name)
    shared = {attribute: getattr(base, attribute) for attribute in _SHARED}
    label = f"{base.label} on {device}"
    if slug.split("_")[-1] == PUBLISHED:
        instrument = PUBLISHED
        summary = f"{label}: read from a table, for the benchmark's own networks of these cells."
    else:
        instrument = "timed"
        summary = f"{label}, from a profile: timed there, or predicted from the subnets that were."
    own = {"name": name, "label": label, "instrument": instrument, "summary": summary}
    return type(f"{base.__name__}On", (FromProfile,), shared | own)


# --- asking -------------------------------------------------------------------------------------


@lru_cache(maxsize=256)
def objective(name: str) -> Objective:
    """The objective of that name.

    Raises:
        NotFound: there is none; the message suggests the nearest.
    """
    cls: type[MeasuredNumber] = OBJECTIVES.get(name)
    return cls.described()


def objectives(names: Iterable[str | Objective]) -> list[Objective]:
    """Objectives by name; a record is itself, such as a column of an imported table, which no registry knows.

    Raises:
        NotFound: there is none of a name.
    """
    return [each if isinstance(each, Objective) else objective(each) for each in names]


def method(name: str, kind: type[K]) -> K:
    """The objective of that name, ready to measure or count.

    Raises:
        NotFound: there is none.
        InvalidInput: it is obtained in another way.
    """
    made = OBJECTIVES.create(name)
    if not isinstance(made, kind):
        raise InvalidInput(f"{made.label} is not obtained this way.")
    return made


def all_names() -> list[str]:
    """Every objective, the usual ones first; their variants are known only where there are values of them."""
    return sorted(OBJECTIVES.names(), key=_usual_order)


def _usual_order(name: str) -> tuple[int, str]:
    return OBJECTIVES.get(name).place, name


def is_objective(name: str) -> bool:
    """Whether an objective or a variant of one is called so."""
    base, dot, slug = name.partition(".")
    if base not in OBJECTIVES.names():
        return False
    return not dot or bool(OBJECTIVES.get(base).varies and _SLUG.fullmatch(slug))


def known_names(among: Iterable[str]) -> list[str]:
    """Those of the names that are objectives or variants of one, the usual ones first."""
    return sorted(filter(is_objective, dict.fromkeys(among)), key=_usual_order)


def names_of(kind: type[MeasuredNumber], among: Iterable[str] | None = None) -> list[str]:
    """Objectives of one kind, in the order given; all of them if none are given."""
    return [n for n in (all_names() if among is None else among) if issubclass(OBJECTIVES.get(n), kind)]


def is_for(name: str, task: str) -> bool:
    """Whether an objective has a meaning for a kind of data, by its registry name; "": for whichever it may be."""
    tasks = OBJECTIVES.get(name).tasks
    return not tasks or task in tasks


def require_for(names: Iterable[str], task: str) -> None:
    """The objectives have a meaning for a kind of data.

    Raises:
        InvalidInput: one has none.
    """
    for cls in (OBJECTIVES.get(name) for name in names if not is_for(name, task)):
        tasks = " and ".join(cls.tasks)
        raise InvalidInput(f"{cls.label} is for {tasks} data, and this supernet takes {task} data.")


def quick_names(task: str = "") -> list[str]:
    """Objectives that one walk over the data or a count gives; with those of one kind of data alone, if it is named."""
    return [name for name in _anywhere(task) if OBJECTIVES.get(name).quick]


def choosable_names(among: Iterable[str] | None = None, task: str = "") -> list[str]:
    """Objectives that may be chosen for, the usual ones first: of some, or of all for a kind of data (see `quick_names`)."""
    names = _anywhere(task) if among is None else known_names(among)
    return [n for n in names if OBJECTIVES.get(n).for_choosing]


def _anywhere(task: str) -> list[str]:
    """What can be obtained of any subnet at any time; what only a profile or a table knows is not."""
    return [n for n in all_names() if not issubclass(OBJECTIVES.get(n), FromProfile) and is_for(n, task)]


def usual_pair(among: Iterable[str] | None = None) -> tuple[str, str] | None:
    """(quality, cost) that a trade-off starts with, None where there are no two to choose from."""
    names = choosable_names(among)
    if len(names) < 2:
        return None
    quality = quality_of(names) or names[0]
    cost = next((n for n in names if n != quality and not OBJECTIVES.get(n).maximize), None)
    return quality, cost or next(n for n in names if n != quality)


def quality_of(among: Iterable[str]) -> str | None:
    """The usual objective that is the larger the better, None where there is none."""
    return next((n for n in choosable_names(among) if OBJECTIVES.get(n).maximize), None)


def best_called(name: str) -> str:
    """What the best subnet by an objective is called."""
    cls = OBJECTIVES.get(name)
    return str(cls.best or f"best {cls.label.lower()}")


def require_choosable(name: str) -> Objective:
    """The objective of that name, if a search may look at it.

    Raises:
        NotFound: there is none.
        InvalidInput: it is measured on test data.
    """
    found = objective(name)
    if not found.for_choosing:
        raise InvalidInput(
            f"{found.label} cannot steer a search: test data must stay unseen until the end. "
            "Search on validation data; the subnet's card shows the test result."
        )
    return found
