"""The loader contract: one of our supernets from the bytes of a file that may come from anybody.

Loaders run in a confined process (`core.supernets.loaders.worker`), never in a server's own. They execute nothing of
a file; pickles are read by torch's weights-only reader or not at all. What comes out is a supernet of a registered
family, which is written as one of our own files, so whatever works on supernets works on it. Modules here import torch
inside functions only: most files are refused before it is needed.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from core.config import JsonObject, Plugin
from core.errors import InvalidInput
from core.registry import Registry

if TYPE_CHECKING:
    from core.supernets.base import Supernet

LOADERS: Registry[Loader] = Registry("loader", "core.supernets.loaders", "LOADERS")


@dataclass(frozen=True)
class Fixed:
    """A part of what was loaded that every subnet has as it is.

    Attributes:
        part: its name in the file.
        why: one sentence.
    """

    part: str
    why: str


@dataclass(frozen=True, eq=False)
class Loaded:
    """What a loader made of a file.

    Attributes:
        supernet: with its weights.
        card: what its file will say of it, see `core.supernets.cards`.
        title: a name to propose; "" where the file has none.
        facts: what was understood, and what was not, a sentence each.
        fixed: what stays as it is, and why.
        needs_data: whether nothing is known of the data its subnets are measured on.
        file: the supernet's file where the bytes given are one already; None writes it.
        beside: further files by name, for a supernet that comes with its table.
    """

    supernet: Supernet
    card: JsonObject
    title: str = ""
    facts: tuple[str, ...] = ()
    fixed: tuple[Fixed, ...] = ()
    needs_data: bool = True
    file: bytes | None = None
    beside: Mapping[str, bytes] = field(default_factory=dict)


class Loader(Plugin, ABC):
    """One kind of file.

    Attributes:
        suffixes: endings of such files' names, without dots, for a chooser of files.
        rank: loaders with smaller numbers are asked first whether a file is theirs.
        takes: what a person may bring, in half a sentence ("an ONNX file of an image classifier").
    """

    suffixes: ClassVar[tuple[str, ...]]
    rank: ClassVar[int]
    takes: ClassVar[str]

    @abstractmethod
    def fits(self, name: str, data: bytes) -> bool:
        """Whether a file is of this kind, by its contents; cheap, without torch, and never an error.

        Args:
            name: of the file, which may lie.
            data: its bytes.
        """

    @abstractmethod
    def load(self, name: str, data: bytes) -> Loaded:
        """The supernet in a file.

        Raises:
            InvalidInput: it is damaged, hostile, or cannot be one; the sentence says what to do.
        """


def loader_of(name: str, data: bytes) -> Loader:
    """The loader of a file.

    Raises:
        InvalidInput: no loader knows it.
    """
    if not data.strip(b" \t\r\n\0"):
        raise InvalidInput("This file is empty.")
    for loader in sorted((LOADERS.create(each) for each in LOADERS.names()), key=lambda each: each.rank):
        if loader.fits(name, data):
            return loader
    raise InvalidInput(f"This file is nothing that can be loaded here: {', or '.join(taken())}.")


def taken() -> list[str]:
    """What can be loaded, by loader."""
    kinds = [LOADERS.get(name) for name in LOADERS.names()]
    return [kind.takes for kind in sorted(kinds, key=lambda each: each.rank)]


def suffixes() -> list[str]:
    """Endings of the files that can be loaded."""
    return sorted({ending for name in LOADERS.names() for ending in LOADERS.get(name).suffixes})
