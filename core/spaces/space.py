"""A search space: an ordered set of choices, and everything one asks of it without weights.

Single architectures are tuples of option indices; many architectures are (n, d) uint8 arrays, so a
space of millions fits in memory without one Python object per architecture. Enumeration is in
prefix order: architectures that agree on their first choices stand together, which is the order
the evaluator shares computation in.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.config import JsonObject
from core.errors import InvalidInput
from core.spaces.arch_ids import DIGITS, numbers, written
from core.spaces.choice import Arch, Choice, Option, identity, read_choice

Archs = NDArray[np.uint8]


class SearchSpace:
    """All architectures that pick one option per choice.

    Args:
        choices: in the order the network reads them.

    Raises:
        ValueError: a name occurs twice, or a choice requires one that does not come before it.
    """

    def __init__(self, choices: Sequence[Choice]) -> None:
        self.choices = tuple(choices)
        self.names = tuple(choice.name for choice in self.choices)
        self.position = {name: index for index, name in enumerate(self.names)}
        if len(self.position) != len(self.choices):
            raise ValueError("two choices have the same name")
        self.cardinalities = tuple(len(choice.options) for choice in self.choices)
        self._parents: list[tuple[int, NDArray[np.bool_]] | None] = []
        for index, choice in enumerate(self.choices):
            self._parents.append(self._parent_of(index, choice))
        self._conditional = [index for index, parent in enumerate(self._parents) if parent is not None]

    def _parent_of(self, index: int, choice: Choice) -> tuple[int, NDArray[np.bool_]] | None:
        if choice.requires is None:
            return None
        parent = self.position.get(choice.requires[0], index)
        if parent >= index:
            raise ValueError(f"{choice.name!r} must come after the choice it requires")
        allowed = np.zeros(self.cardinalities[parent], bool)
        allowed[list(choice.requires[1])] = True
        return parent, allowed

    def __len__(self) -> int:
        return len(self.choices)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SearchSpace) and self.choices == other.choices

    def __hash__(self) -> int:
        return hash(self.choices)

    def __repr__(self) -> str:
        return f"SearchSpace({len(self)} choices, {self.size:,} architectures)"

    # --- size and enumeration -------------------------------------------------------------------

    @cached_property
    def size(self) -> int:
        """Number of architectures in canonical form (exact, of any magnitude)."""
        needed_until = {parent[0]: i for i, parent in enumerate(self._parents) if parent}
        states: dict[tuple[tuple[int, int], ...], int] = {(): 1}
        for index, parent in enumerate(self._parents):
            grown: dict[tuple[tuple[int, int], ...], int] = {}
            for state, count in states.items():
                known = dict(state)
                active = parent is None or bool(parent[1][known[parent[0]]])
                for option in range(self.cardinalities[index] if active else 1):
                    # Only the options that a later choice still asks about tell states apart.
                    kept = {
                        k: v for k, v in (known | {index: option}).items() if needed_until.get(k, -1) > index
                    }
                    key = tuple(sorted(kept.items()))
                    grown[key] = grown.get(key, 0) + count
            states = grown
        return sum(states.values())

    def array(self, *, limit: int = 20_000_000) -> Archs:
        """Every architecture in prefix order, (size, d) uint8.

        Raises:
            InvalidInput: the space has more than `limit` architectures; use `iter_arrays`.
        """
        if self.size > limit:
            raise InvalidInput(
                f"This space has more than {limit:,} architectures, too many to list at once; ask for a sample."
            )
        return self._expand(np.zeros((1, 0), np.uint8), 0)

    def iter_arrays(self, max_rows: int = 65_536) -> Iterator[Archs]:
        """All architectures in prefix order, in arrays of at most about `max_rows` rows."""
        yield from self._iter_from(np.zeros((1, 0), np.uint8), 0, max_rows)

    def _iter_from(self, rows: Archs, first: int, max_rows: int) -> Iterator[Archs]:
        for index in range(first, len(self)):
            if len(rows) > 1 and len(rows) * self.cardinalities[index] > max_rows:
                half = len(rows) // 2
                yield from self._iter_from(rows[:half], index, max_rows)
                yield from self._iter_from(rows[half:], index, max_rows)
                return
            rows = self._grow(rows, index)
        yield rows

    def _expand(self, rows: Archs, first: int) -> Archs:
        for index in range(first, len(self)):
            rows = self._grow(rows, index)
        return rows

    def _grow(self, rows: Archs, index: int) -> Archs:
        options = self.cardinalities[index]
        counts = np.where(self._active(rows, index), options, 1)
        repeated = np.repeat(rows, counts, axis=0)
        starts = np.repeat(np.cumsum(counts) - counts, counts)
        column = (np.arange(len(repeated)) - starts).astype(np.uint8)
        return np.concatenate([repeated, column[:, None]], axis=1)

    def _active(self, rows: NDArray[Any], index: int) -> NDArray[np.bool_]:
        parent = self._parents[index]
        if parent is None:
            return np.ones(len(rows), bool)
        return parent[1][rows[:, parent[0]]]

    def active(self, rows: Archs) -> NDArray[np.bool_]:
        """(n, d) whether each choice can change what each of n canonical architectures computes."""
        found = np.ones((len(rows), len(self)), bool)
        for index in self._conditional:
            found[:, index] = self._active(rows, index)
        return found

    # --- canonical form -------------------------------------------------------------------------

    def canonicalize(self, rows: ArrayLike) -> Archs:
        """Canonical form of (n, d) option indices: choices that do not matter get index 0.

        Raises:
            InvalidInput: the shape is wrong or an index is outside its choice.
        """
        values = np.asarray(rows)
        if values.ndim != 2 or values.shape[1] != len(self):
            raise InvalidInput(
                f"Architectures of this space have {len(self)} choices; got an array of shape {values.shape}."
            )
        if len(values) and (values.min() < 0 or (values >= np.array(self.cardinalities)).any()):
            raise InvalidInput("An option index lies outside its choice.")
        result = values.astype(np.uint8)
        for index in self._conditional:
            result[~self._active(result, index), index] = 0
        return result

    def canonical(self, arch: Sequence[int]) -> Arch:
        """The architecture with choices that do not matter set to option 0.

        Raises:
            InvalidInput: wrong length, or an index outside its choice.
        """
        if len(arch) != len(self):
            raise InvalidInput(f"An architecture of this space has {len(self)} choices, not {len(arch)}.")
        result: list[int] = []
        for index, value in enumerate(arch):
            if not 0 <= value < self.cardinalities[index]:
                raise InvalidInput(
                    f"{self.names[index]} has {self.cardinalities[index]} options; there is no index {value}."
                )
            parent = self._parents[index]
            active = parent is None or bool(parent[1][result[parent[0]]])
            result.append(int(value) if active else 0)
        return tuple(result)

    def is_active(self, arch: Sequence[int], name: str) -> bool:
        """Whether the choice can change what this (canonical) architecture computes."""
        parent = self._parents[self.position[name]]
        return parent is None or bool(parent[1][arch[parent[0]]])

    def option(self, arch: Sequence[int], name: str) -> Option:
        """The option that the architecture picks for one choice."""
        index = self.position[name]
        return self.choices[index].options[arch[index]]

    @cached_property
    def ends(self) -> tuple[Arch, Arch] | None:
        """The smallest and the largest architecture; None where a choice has neither order nor ends."""
        extremes = [choice.extremes for choice in self.choices]
        if None in extremes:
            return None
        smallest, largest = zip(*(e for e in extremes if e is not None), strict=True)
        return self.canonical(smallest), self.canonical(largest)

    @property
    def smallest(self) -> Arch:
        """The first option of every ordinal choice, what the family says of the others.

        Raises:
            InvalidInput: the space has no smallest architecture.
        """
        return self._known_ends()[0]

    @property
    def largest(self) -> Arch:
        """The last option of every ordinal choice, what the family says of the others.

        Raises:
            InvalidInput: the space has no largest architecture.
        """
        return self._known_ends()[1]

    def _known_ends(self) -> tuple[Arch, Arch]:
        if self.ends is None:
            lost = next(c.name for c in self.choices if c.extremes is None)
            raise InvalidInput(
                f"This space has no smallest and no largest architecture: the options of {lost} have no order."
            )
        return self.ends

    def computes(self, arch: Sequence[int]) -> bool:
        """Whether the output of this architecture can depend on its input.

        True unless a family's space says otherwise; training draws nothing else.
        """
        return True

    # --- drawing and moving ---------------------------------------------------------------------

    def sample(self, rng: np.random.Generator) -> Arch:
        """One architecture, every option of every choice equally likely."""
        return tuple(int(v) for v in self.sample_array(1, rng)[0])

    def sample_array(self, n: int, rng: np.random.Generator) -> Archs:
        """n architectures (with repeats), each choice uniform; (n, d) uint8, canonical."""
        return self.canonicalize(rng.integers(0, self.cardinalities, size=(n, len(self))))

    def mutate(self, arch: Sequence[int], rng: np.random.Generator, rate: float) -> Arch:
        """Give each choice that matters a different option with probability `rate`, at least one.

        The parent comes back only if the space holds no other architecture.
        """
        active = [
            i for i, n in enumerate(self.names) if self.cardinalities[i] > 1 and self.is_active(arch, n)
        ]
        if not active:
            return self.canonical(arch)
        flips = rng.random(len(active)) < rate
        if not flips.any():
            flips[rng.integers(len(active))] = True
        child = list(arch)
        for index, flip in zip(active, flips, strict=True):
            if flip:
                child[index] = int(
                    (arch[index] + 1 + rng.integers(self.cardinalities[index] - 1))
                    % self.cardinalities[index]
                )
        for index, name in enumerate(self.names):
            # A choice that the parent did not have to make (a block it lacked) is drawn afresh.
            if self.is_active(child, name) and not self.is_active(arch, name):
                child[index] = int(rng.integers(self.cardinalities[index]))
        return self.canonical(child)

    def crossover(
        self, a: Sequence[int], b: Sequence[int], rng: np.random.Generator, *, points: int | None = None
    ) -> Arch:
        """A child whose every choice comes from one of two parents.

        Args:
            a, b: the parents.
            rng: source of chance.
            points: number of cuts in the order of the choices; None mixes every choice on its own.
                Few cuts keep prefixes together, which the evaluator rewards with less work.
        """
        if points is None:
            from_b = rng.random(len(self)) < 0.5
        else:
            cuts = rng.choice(len(self) + 1, size=min(points, len(self)), replace=False)
            from_b = np.zeros(len(self), bool)
            for cut in cuts:
                from_b[cut:] ^= True
        return self.canonical([int(y if take else x) for x, y, take in zip(a, b, from_b, strict=True)])

    def neighbors(self, arch: Sequence[int]) -> list[Arch]:
        """Every other architecture that differs in one choice (and in choices it switches on or off)."""
        here = self.canonical(arch)
        found: dict[Arch, None] = {}
        for index, name in enumerate(self.names):
            if self.is_active(here, name):
                for option in range(self.cardinalities[index]):
                    found[self.canonical([*here[:index], option, *here[index + 1 :]])] = None
        found.pop(here, None)
        return list(found)

    # --- texts ----------------------------------------------------------------------------------

    def arch_id(self, arch: Sequence[int]) -> str:
        """A short text for an architecture: one character (0-9, a-z) per choice."""
        return "".join(DIGITS[int(v)] for v in arch)

    def arch_ids(self, rows: Archs) -> list[str]:
        """`arch_id` of every row."""
        return written(rows, len(self))

    def from_ids(self, texts: Sequence[str]) -> Archs:
        """The architectures of many `arch_id`s, (n, d) uint8; raises as `from_id`, a hundred times as fast."""
        try:
            rows = numbers(texts, len(self))
            known = bool((self.canonicalize(rows) == rows).all())
        except (ValueError, InvalidInput):
            known = False
        return rows if known else np.array([self.from_id(text) for text in texts], np.uint8)

    def from_id(self, text: str) -> Arch:
        """The architecture of an `arch_id`.

        Raises:
            InvalidInput: the text is not an architecture of this space in canonical form.
        """
        try:
            arch = tuple(DIGITS.index(c) for c in text)
            known = self.canonical(arch) == arch
        except (ValueError, InvalidInput):
            known = False
        if not known:
            raise InvalidInput(f"{text[:40]!r} names no architecture of this search space.")
        return arch

    def to_dict(self, arch: Sequence[int]) -> dict[str, Option]:
        """The architecture as choice name -> option, without choices that do not matter."""
        return {n: self.option(arch, n) for n in self.names if self.is_active(arch, n)}

    def from_dict(self, options: Mapping[str, Any]) -> Arch:
        """The architecture that picks these options; choices that do not matter may be left out.

        Raises:
            InvalidInput: an unknown choice, an option that does not exist, or a missing choice.
        """
        if unknown := sorted(set(options) - set(self.names)):
            raise InvalidInput(
                f"There is no choice called {unknown[0]!r}; choices are {', '.join(self.names)}."
            )
        arch: list[int] = []
        for index, choice in enumerate(self.choices):
            parent = self._parents[index]
            active = parent is None or bool(parent[1][arch[parent[0]]])
            if choice.name not in options:
                if active:
                    raise InvalidInput(
                        f"The architecture does not say which {choice.name} it takes: one of {list(choice.options)}."
                    )
                arch.append(0)
            elif options[choice.name] not in choice.options:
                raise InvalidInput(
                    f"{choice.name} cannot be {options[choice.name]!r}; its options are {list(choice.options)}."
                )
            else:
                arch.append(choice.options.index(options[choice.name]) if active else 0)
        return tuple(arch)

    # --- JSON -----------------------------------------------------------------------------------

    def to_json(self) -> list[JsonObject]:
        """A JSON-able list, one object per choice."""
        return [
            {**identity(c)}
            | {key: value for key, value in (("kind", c.kind), ("unit", c.unit)) if value}
            | ({"ends": list(c.ends)} if c.ends else {})
            for c in self.choices
        ]

    @classmethod
    def from_json(cls, data: Sequence[Mapping[str, Any]]) -> SearchSpace:
        """The space that `to_json` wrote; descriptions from before choices had a kind are read too.

        Raises:
            InvalidInput: the data does not describe a search space.
        """
        try:
            return cls([read_choice(d) for d in data])
        except (KeyError, TypeError, IndexError, ValueError, AttributeError) as error:
            raise InvalidInput("The description of the search space cannot be read.") from error

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of what makes spaces equal, to tell whether two tables speak of the same one."""
        described = [identity(choice) for choice in self.choices]
        return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()
