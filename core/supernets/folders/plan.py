"""What a folder becomes: the supernet, from which of the folder's tensors each of its own is made, and what is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from core.config import Settings
from core.supernets.folders.understood import Elastic, FixedPart
from core.supernets.folders.weights import Stored

if TYPE_CHECKING:
    from torch import Tensor

Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Take:
    """How a tensor of ours is made of tensors of the folder.

    Attributes:
        theirs: their names without the base model's prefix; several are joined along the first axis.
        transposed: whether theirs is stored (inputs, outputs), as GPT-2's layers are; rows are taken afterwards.
        rows: (first, last + 1) rows of theirs that are ours; None takes all.
        stored: the shape that theirs has in the folder; asked for where rows are taken, since other rows could be there.
        shape: ours is theirs in this shape; None leaves it.
    """

    theirs: tuple[str, ...]
    transposed: bool = False
    rows: tuple[int, int] | None = None
    stored: tuple[int, ...] | None = None
    shape: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        assert self.rows is None or self.stored is not None, f"of {self.theirs} other rows could be there"

    def of(self, tensors: Mapping[str, Tensor]) -> Tensor:
        """Ours, of their tensors."""
        import torch

        found = [tensors[name].T if self.transposed else tensors[name] for name in self.theirs]
        made = found[0] if len(found) == 1 else torch.cat(found)
        if self.rows is not None:
            made = made[slice(*self.rows)]
        return made if self.shape is None else made.reshape(self.shape)


def take(*theirs: str, **how: Any) -> Take:
    """A `Take` of these tensors."""
    return Take(theirs, **how)


@dataclass(frozen=True, eq=False)
class Plan:
    """What a folder becomes.

    Attributes:
        family, config: of the supernet, as `core.supernets.files.build` takes them.
        takes: tensor of ours -> what it is made of.
        sizes: (what, how much) for a person, in order ("layers", "12").
        elastic: what can change.
        fixed: parts that every subnet has as they are, and why.
        unused: tensor of the folder, or the beginning of its name up to a dot -> why it is not used.
        fresh: tensors of ours, or beginnings, that the folder does not hold and that are drawn anew.
        facts: further sentences.
        title: a name to propose; the folder's if left out.
    """

    family: str
    config: Settings
    takes: Mapping[str, Take]
    sizes: Sequence[tuple[str, str]] = ()
    elastic: Sequence[Elastic] = ()
    fixed: Sequence[FixedPart] = ()
    unused: Mapping[str, str] = field(default_factory=dict)
    fresh: Sequence[str] = ()
    facts: Sequence[str] = ()
    title: str = ""


@dataclass(frozen=True)
class Named:
    """A tensor's name in its file, and what is stored under it."""

    name: str
    stored: Stored
