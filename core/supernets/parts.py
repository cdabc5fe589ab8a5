"""Which part of a split supernet an architecture belongs to. No torch.

There is one part at first. A split divides the options of one choice that a part still has into groups: the part keeps
the first group, and each further group becomes a new part, with the next free number. So later splits never change the
number of a part that was there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pydantic import Field

from core.config import BaseConfig
from core.errors import InvalidInput
from core.spaces import Choice, SearchSpace

IN_PARTS = "few_shot"
"""Family of supernets in parts."""
MOST_PARTS = 64

Unlocked = dict[str, tuple[int, ...]]
"""Choice -> the option indices there are of it; a choice that is absent has all of them."""


class SplitConfig(BaseConfig):
    """One part, divided by the options of one choice."""

    part: int = Field(0, ge=0, lt=MOST_PARTS, description="Which part is split, from 0.")
    choice: str = Field(description="Choice whose option decides.")
    groups: tuple[tuple[int, ...], ...] = Field(
        min_length=2,
        max_length=36,
        description="Option indices; the part keeps the first group, each other becomes a new part.",
    )


def parts_after(splits: Sequence[SplitConfig]) -> int:
    """How many parts there are after these splits."""
    return 1 + sum(len(split.groups) - 1 for split in splits)


class Parts:
    """The parts of a search space.

    Attributes:
        choices: those that decide, in the order in which they are asked.
        options: of each part, choice -> option indices it has of every choice that was split for it.

    Args:
        space: that is divided.
        splits: one after another.

    Raises:
        InvalidInput: a split names a part or a choice that there is not, a choice that not every architecture makes, or
            groups that are not all options that the part has of it, each once.
    """

    def __init__(self, space: SearchSpace, splits: Sequence[SplitConfig]) -> None:
        self.options: list[Unlocked] = [{}]
        self._origin = [0]
        # (part, position of the choice, option -> part), in the order in which they are asked.
        self._steps: list[tuple[int, int, dict[int, int]]] = []
        for split in splits:
            self._add(space, split)
        self.choices = tuple(dict.fromkeys(split.choice for split in splits))

    def _add(self, space: SearchSpace, split: SplitConfig) -> None:
        if split.part >= len(self):
            raise InvalidInput(f"There is no part {split.part} to split: there are {len(self)}.")
        at = space.position.get(split.choice)
        if at is None or space.choices[at].requires is not None:
            raise InvalidInput(f"{split.choice} is no choice that every architecture makes.")
        before = self.options[split.part]
        had = before.get(split.choice, tuple(range(space.cardinalities[at])))
        named = [option for group in split.groups for option in group]
        if sorted(named) != sorted(had) or not all(split.groups):
            raise InvalidInput(
                f"The groups of a split must hold the options {list(had)} of {split.choice}, each once."
            )
        numbers = [split.part, *range(len(self), len(self) + len(split.groups) - 1)]
        for number, group in zip(numbers, split.groups, strict=True):
            own = {**before, split.choice: tuple(sorted(group))}
            if number == split.part:
                self.options[number] = own
            else:
                self.options.append(own)
                self._origin.append(split.part)
        target = {o: n for n, group in zip(numbers, split.groups, strict=True) for o in group}
        self._steps.append((split.part, at, target))

    def __len__(self) -> int:
        return len(self.options)

    def of(self, arch: Sequence[int]) -> int:
        """The part that an architecture belongs to."""
        part = 0
        for asked, at, target in self._steps:
            if part == asked:
                part = target[arch[at]]
        return part

    def space(self, whole: SearchSpace, part: int) -> SearchSpace:
        """The architectures of one part as a space of their own, without their ends."""
        own = self.options[part]
        return SearchSpace([_within(choice, own) for choice in whole.choices])

    def origins(self, before: int) -> list[int]:
        """For each part, which of the first `before` parts it was split off from; those are their own."""
        found: list[int] = []
        for part, origin in enumerate(self._origin):
            found.append(part if part < before else found[origin])
        return found


def _within(choice: Choice, own: Unlocked) -> Choice:
    """A choice with the options that a part has of it, under the same condition."""
    kept = own.get(choice.name, range(len(choice.options)))
    requires = choice.requires
    if requires is not None and requires[0] in own:
        there = own[requires[0]]
        requires = requires[0], tuple(at for at, option in enumerate(there) if option in requires[1])
    options = tuple(choice.options[option] for option in kept)
    return replace(choice, options=options, requires=requires, ends=None)
