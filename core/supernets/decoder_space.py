"""What an elastic decoder may look like: its settings, and the choices that follow from them."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from core.spaces import Choice, SearchSpace
from core.spaces.choice import require_ascending
from core.tasks.language import LanguageConfig

Norm = Literal["rms", "layer"]
Positions = Literal["rotary", "learned"]
Mlp = Literal["gated_silu", "gelu_tanh", "gelu"]
Biases = Literal["none", "queries", "attention", "mlp", "all"]

MOST_WIDTH, MOST_LAYERS, MOST_HIDDEN, MOST_HEADS, MOST_CONTEXT = 16_384, 128, 65_536, 256, 1_000_000


class ElasticDecoderConfig(LanguageConfig):
    """An elastic decoder: Llama- or GPT-2-like by its settings.

    Llama: norm "rms", positions "rotary", mlp "gated_silu", biases "none". GPT-2: norm "layer", positions "learned",
    mlp "gelu_tanh", biases "all", tied.
    """

    layers: int = Field(4, ge=1, le=MOST_LAYERS, description="Number of layers.")
    widths: tuple[int, ...] = Field((64,), description="Size of a token's vector; one choice for all layers.")
    hidden: tuple[int, ...] = Field(
        (32, 64, 128, 256), description="Hidden units of a layer's MLP; a choice of each layer."
    )
    heads: tuple[int, ...] = Field(
        (4,), description="Query heads of a layer, whole groups of a key head; a choice of each layer."
    )
    kv_heads: int = Field(
        0, ge=0, le=MOST_HEADS, description="Key heads beside the most query heads; 0 for as many."
    )
    head_size: int = Field(16, ge=1, le=1024, description="Size of an attention head.")
    skippable: tuple[int, ...] = Field((), description="Layers, counted from 1, that may be left out.")
    norm: Norm = Field("rms", description="What normalizes before each part: RMSNorm or LayerNorm.")
    epsilon: float = Field(1e-5, ge=1e-8, le=0.1, description="Added to variances by the norms.")
    positions: Positions = Field("rotary", description="Rotated queries and keys, or a learned vector each.")
    theta: float = Field(10_000.0, ge=100, le=1e9, description="Base of the rotary frequencies.")
    context: int = Field(
        0, ge=0, le=MOST_CONTEXT, description="Most positions it knows; 0 for the length of a sample."
    )
    mlp: Mlp = Field("gated_silu", description="A gate by SiLU beside the hidden units, or GELU of them.")
    biases: Biases = Field(
        "none", description="Which linear layers have them: of queries, keys and values, or of more."
    )
    tied: bool = Field(True, description="The head reads the table of the embedding instead of its own.")

    @model_validator(mode="after")
    def _possible(self) -> ElasticDecoderConfig:
        require_ascending({name: getattr(self, name) for name in ("widths", "hidden", "heads")})
        if self.skippable:
            require_ascending({"skippable layers": self.skippable})
            if self.skippable[-1] > self.layers:
                raise ValueError("only layers that there are can be skipped")
        if self.widths[-1] > MOST_WIDTH or self.hidden[-1] > MOST_HIDDEN or self.heads[-1] > MOST_HEADS:
            raise ValueError(
                f"a decoder has at most width {MOST_WIDTH:,}, {MOST_HIDDEN:,} hidden units and {MOST_HEADS} heads"
            )
        if self.heads[-1] % self.most_kv_heads or any(h % self.group for h in self.heads):
            raise ValueError("heads must be whole groups of query heads, one for each key head")
        choices = max(map(len, (self.widths, self.heads, self.hidden))) > 1 or self.skippable
        if not choices:
            raise ValueError(
                "a decoder needs at least one choice: widths, heads, hidden units or layers that may be skipped"
            )
        if self.positions == "rotary" and self.head_size % 2:
            raise ValueError("rotary positions need heads of an even size")
        if self.input_shape[0] > self.length:
            raise ValueError("samples must not be longer than the context")
        return self

    @property
    def most_kv_heads(self) -> int:
        """Key heads of the largest architecture."""
        return self.kv_heads or self.heads[-1]

    @property
    def group(self) -> int:
        """Query heads that share a key head."""
        return self.heads[-1] // self.most_kv_heads

    @property
    def biased(self) -> tuple[bool, bool, bool]:
        """Which linear layers have biases: of queries, keys and values; of what projects heads; of the MLP."""
        return (
            self.biases in ("queries", "attention", "all"),
            self.biases in ("attention", "all"),
            self.biases in ("mlp", "all"),
        )

    @property
    def length(self) -> int:
        """Most positions that it knows."""
        return self.context or self.input_shape[0]


def decoder_space(config: ElasticDecoderConfig) -> SearchSpace:
    """The choices: `width` for all layers, and of layer b `hidden{b}`, 0 where the layer is skipped, and `heads{b}`.

    What there is but one option of is no choice.
    """
    choices = []
    if len(config.widths) > 1:
        choices.append(Choice("width", config.widths, "width", unit="channels"))
    for b in range(1, config.layers + 1):
        skips = (0,) if b in config.skippable else ()
        hidden, requires = skips + config.hidden, None
        if len(hidden) > 1:
            choices.append(Choice(f"hidden{b}", hidden, "hidden", unit="units"))
            if skips:
                requires = (f"hidden{b}", tuple(range(1, len(hidden))))
        if len(config.heads) > 1:
            choices.append(Choice(f"heads{b}", config.heads, "heads", unit="heads", requires=requires))
    return SearchSpace(choices)
