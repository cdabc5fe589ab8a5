"""What was understood of a folder, for a person to look at before anything is built. No torch."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from core.supernets.folders.options import FolderOptions
from core.supernets.loaders.understood import FixedPart

__all__ = ["Elastic", "FixedPart", "Understood"]


class Elastic(BaseModel):
    """Something that subnets can have less of.

    Attributes:
        part: what it is ("hidden units of an FFN").
        options: the sizes proposed, ascending; the last is the network's own.
        choices: how often it can be chosen: once for each layer, or once for all.
    """

    model_config = ConfigDict(frozen=True)

    part: str
    options: tuple[int, ...]
    choices: int = 1


class Understood(BaseModel):
    """A folder before anything is built of it.

    Attributes:
        architecture, label: registry name and label of what it is.
        class_name: what config.json calls the class.
        title: a name to propose.
        family, family_label, task: of the supernet it would become.
        input_shape, classes: of what that takes and answers.
        sizes: (what, how much), in order.
        params: of the supernet as a whole.
        size, choices: of its space.
        elastic: what can change, with the options proposed.
        fixed: what stays as it is, and why.
        skipped: what the folder holds and is not used, and why.
        fresh: tensors that the folder does not hold, drawn anew.
        tokenizer: what texts are split by, in a sentence; "" where the model takes none.
        facts: further sentences.
        options: what the plan was made with.
    """

    model_config = ConfigDict(frozen=True)

    architecture: str
    label: str
    class_name: str
    title: str
    family: str
    family_label: str
    task: str
    input_shape: tuple[int, ...]
    classes: int
    sizes: tuple[tuple[str, str], ...] = ()
    params: int
    size: int
    choices: int
    elastic: tuple[Elastic, ...] = ()
    fixed: tuple[FixedPart, ...] = ()
    skipped: tuple[FixedPart, ...] = ()
    fresh: tuple[str, ...] = ()
    tokenizer: str = ""
    facts: tuple[str, ...] = ()
    options: FolderOptions = FolderOptions()
