"""What the encoders have in common: sizes of equal layers, what of them becomes elastic, and a classifier to keep or draw.

Depth is a prefix of the layers, as in InstaTune's spaces of BERT and ViT: the first half of them stays in every subnet.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from pydantic import Field

from core.config import Settings
from core.datasets.archives import shown
from core.errors import InvalidInput
from core.supernets.folders.base import SaidConfig
from core.supernets.folders.options import FolderOptions, options_of
from core.supernets.folders.plan import Shapes, Take, take
from core.supernets.folders.understood import Elastic

_ACTIVATIONS = {
    "gelu": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "relu": "relu",
}
"""What config.json calls them -> what the families do."""
_NAMED = 12


class EncoderConfig(SaidConfig):
    """Fields that BERT, ViT and DeiT share."""

    hidden_size: int = Field(768, ge=1, le=2048)
    num_hidden_layers: int = Field(12, ge=1, le=48)
    num_attention_heads: int = Field(12, ge=1, le=64)
    intermediate_size: int = Field(3072, ge=1, le=16_384)
    hidden_act: str = "gelu"
    layer_norm_eps: float = Field(1e-12, ge=1e-12, le=0.1)
    id2label: dict[str, str] | None = None
    problem_type: str | None = None

    def family(self, options: FolderOptions) -> Settings:
        """The settings that the families share.

        Raises:
            InvalidInput: heads do not divide the width, or the MLP's activation is another one.
        """
        size = self.size_of_heads()
        if self.hidden_act not in _ACTIVATIONS:
            raise InvalidInput(
                f"The activation {shown(self.hidden_act)} is not known here; {', '.join(_ACTIVATIONS)} are."
            )
        return {
            **{name: list(options) for name, options in self._lists(options).items()},
            "head_size": size,
            "activation": _ACTIVATIONS[self.hidden_act],
            "epsilon": self.layer_norm_eps,
        }

    def size_of_heads(self) -> int:
        """Entries of an attention head: the width's share.

        Raises:
            InvalidInput: heads do not divide the width.
        """
        if self.hidden_size % self.num_attention_heads:
            raise InvalidInput(
                f"config.json asks for {self.num_attention_heads} attention heads in a width of {self.hidden_size}, which "
                "they do not divide."
            )
        return self.hidden_size // self.num_attention_heads

    def elastic(self, options: FolderOptions) -> list[Elastic]:
        """What of it can change."""
        layers, lists = self.num_hidden_layers, self._lists(options)
        every = [
            Elastic(part="attention heads of a layer", options=lists["heads"], choices=layers),
            Elastic(part="hidden units of a layer's MLP", options=lists["hidden"], choices=layers),
            Elastic(part="layers, the first ones", options=lists["depths"]),
            Elastic(part="width of the vectors", options=lists["widths"]),
        ]
        return [each for each in every if len(each.options) > 1]

    def _lists(self, options: FolderOptions) -> dict[str, tuple[int, ...]]:
        layers = self.num_hidden_layers
        return {
            "widths": options_of(self.hidden_size, options.width),
            "depths": tuple(range((layers + 1) // 2 if options.skip else layers, layers + 1)),
            "heads": options_of(self.num_attention_heads, options.heads),
            "hidden": options_of(self.intermediate_size, options.ffn),
        }

    def sizes(self) -> list[tuple[str, str]]:
        """(what, how much), for a person."""
        return [
            ("layers", str(self.num_hidden_layers)),
            ("width", str(self.hidden_size)),
            ("attention heads", str(self.num_attention_heads)),
            ("hidden units", f"{self.intermediate_size:,}"),
        ]

    def names(self, classes: int) -> list[str]:
        """What config.json calls the classes; empty where it does not name them all."""
        told = self.id2label or {}
        names = [told.get(str(number)) for number in range(classes)]
        # The library writes LABEL_0, ... where nobody said anything.
        return (
            [n for n in names if n is not None and n != f"LABEL_{names.index(n)}"]
            if None not in names
            else []
        )


def layers_of(tables: Mapping[str, str], count: int, layer: str) -> Iterator[tuple[str, Take]]:
    """(tensor of ours, theirs) of all layers.

    Args:
        tables: layer of ours -> theirs, each with a weight and a bias.
        count: number of layers; the first is stage 1.
        layer: beginning of their names, with the number left open.
    """
    for index in range(count):
        for ours, theirs in tables.items():
            yield from pair(f"stages.{index + 1}.{ours}", layer.format(index) + theirs)


def pair(ours: str, theirs: str) -> list[tuple[str, Take]]:
    """Weight and bias of a layer."""
    return [(f"{ours}.{each}", take(f"{theirs}.{each}")) for each in ("weight", "bias")]


class Classifier:
    """A folder's classifier, kept or drawn afresh.

    Args:
        heads: beginnings of the names of its layers, one per token that answers.
        shapes: of the folder's tensors.
        config: of the folder.
        options: what a person set.

    Raises:
        InvalidInput: it answers with a number instead of classes, or with yes or no for each.
    """

    def __init__(
        self, heads: Sequence[str], shapes: Shapes, config: EncoderConfig, options: FolderOptions
    ) -> None:
        self.heads, self._there = tuple(heads), all(f"{head}.weight" in shapes for head in heads)
        theirs = shapes[f"{heads[0]}.weight"][0] if self._there and shapes[f"{heads[0]}.weight"] else 0
        self.theirs, self.classes = theirs, options.classes or theirs or 2
        self.kept = self._there and self.classes == theirs
        if self.kept and (theirs < 2 or config.problem_type in ("regression", "multi_label_classification")):
            what = "one number" if theirs < 2 else "a number for each of several questions at once"
            raise InvalidInput(
                f"This network answers with {what}, not with one class; set a number of classes, and a new classifier is drawn."
            )
        self._names = config.names(theirs) if self.kept else []

    def takes(self, ours: Sequence[str]) -> dict[str, Take]:
        """Its tensors, where it is kept; `ours` are beginnings as `heads` are theirs."""
        found: dict[str, Take] = {}
        for mine, head in zip(ours, self.heads, strict=True):
            found |= dict(pair(mine, head)) if self.kept else {}
        return found

    def unused(self) -> dict[str, str]:
        """The folder's tensors that are left out for a new one."""
        if self.kept or not self._there:
            return {}
        why = f"it tells {self.theirs} classes apart; a new one for {self.classes} is drawn"
        return {f"{head}.": why for head in self.heads}

    def facts(self) -> list[str]:
        """What a person is told of it."""
        if not self.kept:
            where = (
                "The folder has no classifier"
                if not self._there
                else "The folder's classifier has other classes"
            )
            return [
                f"{where}: a new one for {self.classes} classes is drawn, and knows nothing before it is trained."
            ]
        if not self._names:
            return []
        more = len(self._names) - _NAMED
        told = ", ".join(shown(name) for name in self._names[:_NAMED])
        return [f"Its classes: {told}{f' and {more:,} more' if more > 0 else ''}."]
