"""A search space in sub-spaces by size, each a supernet with weights of its own; together they are one space, one front.

A sub-space has some of a base family's options of each choice. Layers are alike in it: what is chosen for one layer's
heads, say, is chosen for every layer's. Options are taken so that sub-spaces do not overlap in parameters: the largest
subnet of one is smaller than the smallest of the next. The largest subnet of the last is the base's.

Source: Xu et al., "AutoDistil: Few-shot Task-agnostic Neural Architecture Search for Distilling Large Language Models",
NeurIPS 2022 (three sub-spaces of BERT, whose options are written by hand there).
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any, ClassVar, NamedTuple

import torch
from pydantic import Field, model_validator
from torch import nn

from core.config import BaseConfig, JsonObject, Settings
from core.errors import CoreError, InvalidInput
from core.spaces import Arch, Choice, SearchSpace
from core.supernets.attention import Attention
from core.supernets.base import BranchContext, Stage, Supernet
from core.supernets.drop_path import DroppingArch
from core.supernets.families import FAMILIES
from core.supernets.orderable import Orderable
from core.supernets.stage_cost import StageCost
from core.supernets.statistics import Statistics
from core.tasks.base import InputConfig

CHOICE = "sub_space"
"""The choice that says in which one an architecture lies, and its kind."""
MOST = 8
_FAMILIES = {"tokens": "text_sub_spaces", "image": "image_sub_spaces"}


class SubSpaceConfig(BaseConfig):
    """One sub-space."""

    options: dict[str, tuple[int, ...]] = Field(
        default_factory=dict,
        description="What is chosen for all layers alike -> the option indices there are of it, ascending; all, if left out.",
    )


class Tied(NamedTuple):
    """Choices of the base that are made alike.

    Attributes:
        label: "width", "heads", ...
        names: of the base's choices.
        choice: the first of them.
    """

    label: str
    names: tuple[str, ...]
    choice: Choice


def tied(space: SearchSpace) -> list[Tied]:
    """The choices of a space, those of the same kind with the same options as one."""
    groups: dict[tuple[object, ...], list[Choice]] = {}
    for choice in space.choices:
        key = (choice.kind, choice.options) if choice.kind else (choice.name,)
        groups.setdefault(key, []).append(choice)
    found: dict[str, Tied] = {}
    for same in groups.values():
        label = base = same[0].name if len(same) == 1 else same[0].kind
        number = 1
        while label in found:
            number += 1
            label = f"{base}{number}"
        found[label] = Tied(label, tuple(choice.name for choice in same), same[0])
    return list(found.values())


def of_base(base: str, config: Settings, shared: JsonObject, task: str) -> InputConfig:
    """The configuration of the base.

    Raises:
        NotFound: there is no such family.
        InvalidInput: it is in sub-spaces itself, is for another kind of data, or names what is the same for all.
        ValidationError: its settings are wrong.
    """
    if base in _FAMILIES.values():
        raise InvalidInput("A supernet in sub-spaces is not divided again.")
    family = FAMILIES.get(base)
    if family.task_name != task:
        raise InvalidInput(f"Supernets of the family {base} take {family.task_name} data, not {task} data.")
    if clash := sorted(set(shared) & set(config)):
        raise InvalidInput(f"{clash[0]} is the same for all sub-spaces and is not one of the settings.")
    found: InputConfig = family.Config.model_validate({**config, **shared})
    return found


class SubSpacesConfig(InputConfig):
    """A supernet of another family, in sub-spaces by size; families say for which kind of data.

    Attributes:
        task: the kind of data, by its registry name.
        Shared: what is the same for all sub-spaces, since the data decide it.
    """

    task: ClassVar[str]
    Shared: ClassVar[type[InputConfig]]

    base: str = Field(description="Family whose stages the sub-spaces have copies of.")
    config: Settings = Field(
        default_factory=dict, description="Its settings; what the data decide is the same for all."
    )
    parts: tuple[SubSpaceConfig, ...] = Field(
        (SubSpaceConfig(),),
        min_length=1,
        max_length=MOST,
        description="Sub-spaces, from the smallest to the largest.",
    )

    @model_validator(mode="after")
    def _base_is_possible(self) -> SubSpacesConfig:
        try:
            self.of_base()
        except CoreError as error:
            raise ValueError(str(error).rstrip(".")) from error
        return self

    def of_base(self) -> InputConfig:
        """The configuration of the base; raises what `of_base` does."""
        shared = self.model_dump(mode="json", include=set(self.Shared.model_fields))
        return of_base(self.base, self.config, shared, self.task)


class Division:
    """The sub-spaces of a base family's space: one space for all, and what an architecture is in the base.

    Attributes:
        space: of all.

    Args:
        base: the base's space.
        parts: the sub-spaces, from the smallest.

    Raises:
        InvalidInput: they do not say, for all that can be chosen, which options there are.
    """

    def __init__(self, base: SearchSpace, parts: Sequence[SubSpaceConfig]) -> None:
        self._base = base
        self.tied = tied(base)
        parts = [part if part.options else self._all_of_it() for part in parts]
        for part in parts:
            self._require(part)
        # No sub-space contains another: their order says which is smaller, and no more.
        several = len(parts) > 1
        ends = (0, len(parts) - 1) if several else None
        numbers = tuple(range(1, len(parts) + 1))
        choices = [Choice(CHOICE, numbers, CHOICE, ordinal=not several, ends=ends)]
        self._columns: list[list[tuple[int, tuple[int, ...]]]] = []
        for index, part in enumerate(parts):
            columns = {}
            for each in self.tied:
                own = part.options[each.label]
                columns[each.label] = (len(choices), own)
                choices.append(_within(each, own, index, len(parts)))
            by_choice = {name: columns[each.label] for each in self.tied for name in each.names}
            self._columns.append([by_choice[name] for name in base.names])
        self.space = SearchSpace(choices)

    def _all_of_it(self) -> SubSpaceConfig:
        return SubSpaceConfig(options={t.label: tuple(range(len(t.choice.options))) for t in self.tied})

    def _require(self, part: SubSpaceConfig) -> None:
        if set(part.options) != {each.label for each in self.tied}:
            raise InvalidInput(
                f"A sub-space says which options there are of {', '.join(each.label for each in self.tied)}."
            )
        for each in self.tied:
            own = part.options[each.label]
            if (
                not own
                or list(own) != sorted(set(own))
                or not 0 <= own[0] <= own[-1] < len(each.choice.options)
            ):
                raise InvalidInput(
                    f"Options of {each.label} are ascending indices below {len(each.choice.options)}."
                )

    def part(self, arch: Sequence[int]) -> int:
        """The sub-space an architecture lies in, from 0."""
        return int(arch[0])

    def in_base(self, arch: Sequence[int]) -> Sequence[int]:
        """The architecture as the base knows it, with the noise of a training step where it has some."""
        found = tuple(own[arch[column]] for column, own in self._columns[self.part(arch)])
        if isinstance(arch, DroppingArch):
            return DroppingArch.of(found, arch.drop, arch.generator, dropout=arch.dropout)
        return found

    def depends_on(self, names: Sequence[str]) -> tuple[str, ...]:
        """Choices of the whole that decide these choices of the base."""
        at = [self._base.position[name] for name in names]
        columns = {own[position][0] for own in self._columns for position in at}
        return (CHOICE, *(self.space.names[column] for column in sorted(columns)))


def _within(each: Tied, own: Sequence[int], index: int, parts: int) -> Choice:
    """A choice of one sub-space; it matters in that one alone."""
    options = tuple(each.choice.options[at] for at in own)
    requires = (CHOICE, (index,)) if parts > 1 else None
    return replace(
        each.choice, name=f"{each.label}_{index + 1}", options=options, requires=requires, ends=None
    )


class SubSpaceStage(Stage):
    """One stage of the chain: a copy per sub-space, of which an architecture runs its own."""

    def __init__(self, division: Division, copies: Sequence[Stage]) -> None:
        super().__init__(division.space)
        self.division = division
        self.copies = nn.ModuleList(copies)
        self.depends_on = division.depends_on(copies[0].depends_on)
        self.routed_by = (CHOICE,)
        self.attends = copies[0].attends

    def _copy(self, arch: Sequence[int]) -> Stage:
        found: Stage = self.copies[self.division.part(arch)]  # type: ignore[assignment]
        return found

    def key(self, arch: Sequence[int]) -> Hashable:
        key = self._copy(arch).key(self.division.in_base(arch))
        return None if key is None else (self.division.part(arch), key)

    def forward(self, x: Any, arch: Sequence[int], statistics: Statistics | None = None) -> Any:
        return self._copy(arch)(x, self.division.in_base(arch), statistics)

    def attention(self, x: Any, arch: Sequence[int]) -> Attention:
        return self._copy(arch).attention(x, self.division.in_base(arch))

    def extract(self, arch: Sequence[int], statistics: Statistics | None) -> nn.Module:
        return self._copy(arch).extract(self.division.in_base(arch), statistics)

    def cost(self, arch: Sequence[int]) -> StageCost:
        found = self._copy(arch).cost(self.division.in_base(arch))
        return replace(found, counted={**found.counted, "part": self.division.part(arch)})

    def branch(self, x: Any, archs: Sequence[Sequence[int]], context: BranchContext) -> list[Any]:
        """As each sub-space's copy does it for the siblings that lie there."""
        found: dict[int, Any] = {}
        for part in sorted({self.division.part(arch) for arch in archs}):
            own = [place for place, arch in enumerate(archs) if self.division.part(arch) == part]
            siblings = [self.division.in_base(archs[place]) for place in own]
            outputs = self._copy(archs[own[0]]).branch(x, siblings, context)
            found |= dict(zip(own, outputs, strict=True))
        return [found[place] for place in range(len(archs))]


def stages_of(bases: Sequence[Supernet], division: Division) -> list[Stage]:
    """The chain: each stage of the base, one copy per sub-space."""
    return [SubSpaceStage(division, each) for each in zip(*(base.chain for base in bases), strict=True)]


class SubSpaces(Supernet):
    """Sub-spaces by size of a supernet, each with weights of its own; one space, one front."""

    source = "Xu et al., AutoDistil, NeurIPS 2022 (sub-spaces found by parameters; layers alike in each)"
    made_from = "a supernet"
    Config: ClassVar[type[SubSpacesConfig]]

    def __init__(self, config: SubSpacesConfig) -> None:
        family, settings = FAMILIES.get(config.base), config.of_base()
        bases: list[Supernet] = [family(settings) for _ in config.parts]
        division = Division(bases[0].space, config.parts)
        super().__init__(config, division.space, stages_of(bases, division))
        self.division = division
        # Not modules of this one: their stages are, and one tensor has one name.
        self._bases = tuple(bases)

    def orderable(self) -> list[Orderable]:
        found = []
        for part, base in enumerate(self._bases):
            for each in base.orderable():
                slices = tuple(replace(s, parameter=name_in(s.parameter, part)) for s in each.slices)
                found.append(Orderable(f"sub-space {part + 1}, {each.label}", each.size, slices))
        return found

    @classmethod
    def small(
        cls, base: str, given: InputConfig, options: Sequence[Mapping[str, Sequence[int]]]
    ) -> InputConfig:
        """A configuration of this family from one of a base, with these options of each sub-space."""
        said = given.model_dump(mode="json")
        shared = {name: said.pop(name) for name in cls.Config.Shared.model_fields}
        parts = [{"options": each} for each in options]
        return cls.Config.model_validate({**shared, "base": base, "config": said, "parts": parts})


def name_in(name: str, part: int) -> str:
    """A parameter of the base, as it is called in the whole for one sub-space."""
    stages, stage, *rest = name.split(".")
    return ".".join([stages, stage, "copies", str(part), *rest])


def divided(net: Supernet, n: int) -> Supernet:
    """A supernet in n sub-spaces by size; each starts from the weights of the given one.

    Args:
        net: stays as it is. Its choices need an order.
        n: sub-spaces.

    Raises:
        InvalidInput: it is for other data than texts and images, its options have no order, or there are too few.
    """
    family = _FAMILIES.get(net.task_name)
    if family is None:
        raise InvalidInput("Only supernets for texts and for images can be divided into sub-spaces.")
    said = net.config.model_dump(mode="json")
    shared = {name: said.pop(name) for name in net.task.Inputs.model_fields}
    parts = by_size(net, n)
    cls = FAMILIES.get(family)
    config = cls.Config.model_validate({**shared, "base": net.name, "config": said, "parts": parts})
    with torch.random.fork_rng(devices=[]):
        made: Supernet = cls(config)
    state = net.state_dict()
    made.load_state_dict({name_in(name, part): state[name] for name in state for part in range(n)})
    made.tokenizer = net.tokenizer
    return made.to(next(net.parameters()).device)


def by_size(net: Supernet, n: int) -> list[SubSpaceConfig]:
    """Sub-spaces that do not overlap in parameters, with as many options of each choice as that leaves.

    Each gets a part of the widths; of every other choice a run of options, the smaller the further down.

    Raises:
        InvalidInput: the options of a choice have no order, or there are fewer widths than sub-spaces.
    """
    if not 1 <= n <= MOST:
        raise InvalidInput(f"A supernet is divided into 1 to {MOST} sub-spaces.")
    groups = tied(net.space)
    unordered = next((each.label for each in groups if not each.choice.ordinal), None)
    if unordered is not None:
        raise InvalidInput(f"Sub-spaces by size need options in order; those of {unordered} are not.")
    widths = [each for each in groups if each.choice.kind == "width"]
    if not widths or any(len(each.choice.options) < n for each in widths):
        raise InvalidInput(
            f"{n} sub-spaces need at least {n} widths each: give the supernet more widths, or divide it into fewer."
        )
    lengths = {each.label: len(each.choice.options) for each in groups if each.choice.kind != "width"}
    while not _apart(net, groups, n, lengths):
        longest = max(lengths, key=lambda label: lengths[label], default="")
        if not longest or lengths[longest] == 1:
            raise InvalidInput("This supernet has no sub-spaces that differ in size; divide it into fewer.")
        lengths[longest] -= 1
    for label in lengths:  # what did not have to be given up
        while lengths[label] < len(next(g for g in groups if g.label == label).choice.options):
            longer = {**lengths, label: lengths[label] + 1}
            if not _apart(net, groups, n, longer):
                break
            lengths = longer
    return [SubSpaceConfig(options=_runs(groups, part, n, lengths)) for part in range(n)]


def _apart(net: Supernet, groups: Sequence[Tied], n: int, lengths: Mapping[str, int]) -> bool:
    """Whether the largest of each sub-space has fewer parameters than the smallest of the next."""
    parts = [_runs(groups, part, n, lengths) for part in range(n)]
    return all(_params(net, below, -1) < _params(net, above, 0) for below, above in pairwise(parts))


def _runs(
    groups: Sequence[Tied], part: int, n: int, lengths: Mapping[str, int]
) -> dict[str, tuple[int, ...]]:
    """Option indices of one sub-space: its share of the widths, runs of these lengths of other choices."""
    found = {}
    for each in groups:
        total = len(each.choice.options)
        if each.choice.kind == "width":
            found[each.label] = tuple(range(part * total // n, (part + 1) * total // n))
            continue
        length = lengths[each.label]
        start = round(part * (total - length) / (n - 1)) if n > 1 else total - length
        found[each.label] = tuple(range(start, start + length))
    return found


def _params(net: Supernet, options: Mapping[str, tuple[int, ...]], end: int) -> int:
    """Parameters of the smallest (0) or the largest (-1) architecture with these options."""
    picked = {name: options[each.label][end] for each in tied(net.space) for name in each.names}
    arch: Arch = net.space.canonical([picked[name] for name in net.space.names])
    return sum(int(cost.counted["params"]) for cost in net.costs(arch))
