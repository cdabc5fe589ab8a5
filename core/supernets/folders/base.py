"""The contract of an architecture: how a folder of it becomes one of our supernets.

An architecture reads config.json and the shapes of the tensors, and answers with a `Plan`: the family and its settings,
from which of the folder's tensors each of ours is made, and what a person is told. Everything else is the same for all
and is done here: the plan is compared with the folder's shapes before a number is read, every tensor of ours is
accounted for, and whatever of the folder's is not used is named with its reason. Called in a confined process alone.
At the largest architecture the supernet computes what the folder's network computes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from core.config import Plugin, Settings
from core.datasets.archives import shown
from core.datasets.tokenizing import Tokenizing
from core.errors import InvalidInput, plain
from core.registry import Registry
from core.seeding import torch_drawing
from core.supernets.folders import weights
from core.supernets.folders.folder import Folder
from core.supernets.folders.options import FolderOptions
from core.supernets.folders.plan import Named, Plan, Shapes
from core.supernets.folders.tokenizer import described, tokenizing
from core.supernets.folders.understood import Understood

if TYPE_CHECKING:
    from core.supernets.base import Supernet

ARCHITECTURES: Registry[Architecture] = Registry("architecture", "core.supernets.folders", "ARCHITECTURES")
Said = TypeVar("Said", bound="SaidConfig")


class SaidConfig(BaseModel):
    """Fields of a config.json that an architecture looks at, with bounds; what else it says is left alone."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)


class Architecture(Plugin, ABC):
    """One kind of transformer; its registered name is what config.json calls `model_type`.

    Attributes:
        classes: what config.json may name under `architectures`.
        prefixes: beginnings of tensors' names that a class with a head puts before the base model's own.
        renamed: (old, new) endings of names that earlier releases of the library wrote.
    """

    classes: ClassVar[tuple[str, ...]]
    prefixes: ClassVar[tuple[str, ...]] = ()
    renamed: ClassVar[tuple[tuple[str, str], ...]] = ()

    @abstractmethod
    def plan(self, folder: Folder, shapes: Shapes, options: FolderOptions) -> Plan:
        """What a folder becomes; numbers of the weights are not looked at.

        Args:
            folder: its settings and tokenizer.
            shapes: plain name of each tensor -> its shape.
            options: what a person set.

        Raises:
            InvalidInput: config.json asks for something that is not supported; the sentence names it.
            KeyError: a tensor that decides the plan is not there.
        """

    def understood(self, folder: Folder, options: FolderOptions) -> Understood:
        """What a folder is and what would be made of it, before anything is built.

        Raises:
            InvalidInput: it is damaged, or not supported.
        """
        return self._planned(folder, options).told

    def supernet(self, folder: Folder, options: FolderOptions) -> tuple[Supernet, Understood]:
        """The supernet with the folder's weights, and what was understood.

        Raises:
            InvalidInput: as `understood`; or a tensor holds numbers that are not finite.
        """
        planned = self._planned(folder, options)
        plan, where = planned.plan, planned.where

        from core.supernets.files import build

        names = dict.fromkeys(name for each in plan.takes.values() for name in each.theirs)
        files = {where[name].name: where[name].stored for name in names}
        read = weights.read(folder, files, list(files))
        tensors = {name: read[where[name].name] for name in names}
        # What is drawn anew is the same whenever the same folder is loaded.
        with torch_drawing(0, "folder", "fresh"):
            net = build(plan.family, plan.config)
        state = {ours: each.of(tensors).contiguous() for ours, each in plan.takes.items()}
        net.load_state_dict(net.state_dict() | state)
        net.tokenizer = b"" if planned.tokenizer is None else planned.tokenizer.json()
        return net.requires_grad_(False), planned.told

    def _planned(self, folder: Folder, options: FolderOptions) -> _Planned:
        where = self._named(weights.stored(folder))
        shapes = {name: each.stored.shape for name, each in where.items()}
        try:
            plan = self.plan(folder, shapes, options)
        except KeyError as error:
            raise InvalidInput(
                f"This folder lacks the tensor {error.args[0]}, which {self.label} has."
            ) from error
        tokenizer, sentence = None, ""
        vocabulary = plan.config.get("vocabulary")
        if isinstance(vocabulary, int):  # it takes texts
            tokenizer = tokenizing(folder)
            sentence = described(folder, tokenizer, vocabulary)
        if tokenizer is not None:
            plan = replace(plan, config={**plan.config, "tokenizer": tokenizer.identity})
        from core.supernets.folders.checking import checked  # torch

        told = checked(self, class_of(folder, self), folder, plan, where, options, sentence)
        return _Planned(plan, where, tokenizer, told)

    def _named(self, found: Mapping[str, weights.Stored]) -> dict[str, Named]:
        """Tensors by their plain names."""
        named: dict[str, Named] = {}
        for name, entry in found.items():
            short = self.plain_name(name)
            if short in named:
                raise InvalidInput(f"The folder holds {shown(name)} twice, under two of its names.")
            named[short] = Named(name, entry)
        return named

    def plain_name(self, name: str) -> str:
        """A tensor's name without the base model's prefix, and as today's releases write it."""
        for prefix in self.prefixes:
            if name.startswith(prefix):
                name = name[len(prefix) :]
                break
        for old, new in self.renamed:
            if name.endswith(old):
                return name[: -len(old)] + new
        return name


@dataclass(frozen=True, eq=False)
class _Planned:
    """A plan that fits its folder: where each plainly named tensor lies, what splits texts, what a person is told."""

    plan: Plan
    where: Mapping[str, Named]
    tokenizer: Tokenizing | None
    told: Understood


def said(kind: type[Said], config: Settings, label: str) -> Said:
    """The fields of config.json that an architecture looks at.

    Raises:
        InvalidInput: one is missing, of another kind, or out of bounds.
    """
    try:
        return kind.model_validate(config)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(shown(str(part)) for part in first["loc"]) or "config.json"
        raise InvalidInput(
            f"config.json does not describe a {label} that is supported: {where}: {plain(first['msg'])}."
        ) from error


def architecture_of(folder: Folder) -> Architecture:
    """The architecture that a folder's config.json names.

    Raises:
        InvalidInput: it names none that is known, or weights that are quantized.
    """
    config = folder.config
    named = config.get("model_type")
    if not isinstance(named, str) or not named:
        raise InvalidInput("config.json does not say which network it is (`model_type`); save it again.")
    if named not in ARCHITECTURES.names():
        known = ", ".join(ARCHITECTURES.info(each).label for each in ARCHITECTURES.names())
        raise InvalidInput(f"The architecture {shown(named)} is not known here; known are {known}.")
    if config.get("quantization_config") is not None:
        raise InvalidInput(
            "The weights are quantized (config.json has a `quantization_config`), which is not read; take the network in "
            "float32, float16 or bfloat16."
        )
    if "auto_map" in config:
        raise InvalidInput(
            "This network needs code of its own (config.json has an `auto_map`), and code in a folder is never run here."
        )
    kind = ARCHITECTURES.create(named)
    classes = config.get("architectures")
    if classes is not None and (
        not isinstance(classes, list) or len(classes) != 1 or classes[0] not in kind.classes
    ):
        told = shown(str(classes[0] if isinstance(classes, list) and classes else classes))
        raise InvalidInput(
            f"config.json names the class {told}; of {kind.label}, {', '.join(kind.classes)} are read."
        )
    return kind


def class_of(folder: Folder, kind: Architecture) -> str:
    """The class that config.json names; the first that is known where it names none."""
    classes = folder.config.get("architectures")
    return str(classes[0]) if isinstance(classes, list) and classes else kind.classes[0]
