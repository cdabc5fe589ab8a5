"""A decoder whose layers are elastic: a small language model, Llama- or GPT-2-like by its settings.

Of every layer the hidden units of its MLP (nested, as in MatFormer) and its heads (whole groups of a key head) are
choices, and whether it is there at all; the size of a token's vector is one choice for all. Every smaller setting is a
prefix of the largest, which computes exactly what the network does that it was made from. The norms look at one vector
alone, so no subnet needs recalibration.

Only scored positions are multiplied with the vocabulary, and the chain's last layer, if it is not skipped, computes
queries, MLP and what it hands on for them alone; keys and values it makes of all.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from torch import Tensor, nn
from torch.nn import functional as F

from core.networks.blocks.decoder_embedding import DecoderEmbedding
from core.networks.blocks.decoder_head import DecoderHead
from core.spaces import SearchSpace
from core.supernets.base import Stage, Supernet
from core.supernets.decoder_costs import embedding_counts, head_counts
from core.supernets.decoder_layer import Flow, LayerStage, any_norm, copy_first, normed, picked
from core.supernets.decoder_space import ElasticDecoderConfig, decoder_space
from core.supernets.drop_path import faded
from core.supernets.families import FAMILIES
from core.supernets.orderable import Orderable
from core.supernets.ordering import orderable_of_blocks
from core.supernets.stage_cost import StageCost
from core.supernets.statistics import Statistics
from core.tasks.base import InputConfig


@FAMILIES.register("elastic_decoder")
class ElasticDecoder(Supernet):
    """Decoder for language with elastic hidden units, heads and width, and layers that may be skipped."""

    label = "Elastic decoder"
    source = (
        "Devvrit et al., MatFormer, NeurIPS 2024 (nested MLPs; here mixed freely); Radford et al., GPT-2, 2019; "
        "Touvron et al., Llama, 2023"
    )
    Config = ElasticDecoderConfig
    task_name = "language"

    def __init__(self, config: ElasticDecoderConfig) -> None:
        space = decoder_space(config)
        embedding = EmbeddingStage(space, config)
        layers = [LayerStage(space, config, index) for index in range(1, config.layers + 1)]
        head = HeadStage(space, config, embedding.token if config.tied else None)
        super().__init__(config, space, [embedding, *layers, head])

    def orderable(self) -> list[Orderable]:
        return orderable_of_blocks(self, {"key": "key_", "linear": "table"})

    @classmethod
    def examples(cls) -> list[InputConfig]:
        llama = ElasticDecoderConfig.model_validate(
            {
                "input_shape": (7,),
                "vocabulary": 11,
                "classes": 11,
                "scored": 3,
                "layers": 3,
                "widths": (6, 8),
                "hidden": (16, 40, 48),
                "heads": (2, 6),
                "kv_heads": 3,
                "head_size": 4,
                "skippable": (1, 3),
                "theta": 500.0,
            }
        )
        other = {
            "norm": "layer",
            "positions": "learned",
            "mlp": "gelu_tanh",
            "biases": "all",
            "layers": 2,
            "widths": (8,),
            "heads": (1, 2),
            "kv_heads": 0,
            "skippable": (2,),
            "context": 9,
            "tied": False,
            "epsilon": 1e-3,
        }
        return [llama, ElasticDecoderConfig.model_validate(llama.model_dump() | other)]


class _End(Stage):
    """What is common to the first and the last stage: they know the width alone."""

    def __init__(self, space: SearchSpace, config: ElasticDecoderConfig) -> None:
        super().__init__(space)
        self.config = config
        self.depends_on = ("width",) if "width" in space.position else ()

    def width(self, arch: Sequence[int]) -> int:
        """Size of a token's vector."""
        return int(self.option(arch, "width")) if "width" in self.space.position else self.config.widths[-1]

    def key(self, arch: Sequence[int]) -> Hashable:
        return self.width(arch)


class EmbeddingStage(_End):
    """Token numbers to vectors; tokens and scored positions flow in."""

    def __init__(self, space: SearchSpace, config: ElasticDecoderConfig) -> None:
        super().__init__(space, config)
        width = config.widths[-1]
        self.token = nn.Embedding(config.vocabulary, width)
        self.position = nn.Embedding(config.length, width) if config.positions == "learned" else None
        # As large as rows of the head's table may be, which it may be as well.
        nn.init.normal_(self.token.weight, std=width**-0.5)
        if self.position is not None:
            nn.init.normal_(self.position.weight, std=0.5 * width**-0.5)

    def forward(self, x: Flow, arch: Sequence[int], statistics: Statistics | None = None) -> Flow:
        tokens, scored = x
        width = self.width(arch)
        vectors = F.embedding(tokens, self.token.weight[:, :width])
        if self.position is not None:
            vectors = vectors + self.position.weight[: tokens.shape[1], :width]
        return vectors, scored

    def extract(self, arch: Sequence[int], statistics: Statistics | None) -> nn.Module:
        config = self.config
        table = "shared" if config.tied else "own"
        block = DecoderEmbedding(config.vocabulary, self.width(arch), config.length, config.positions, table)
        for name, layer in block.named_children():
            copy_first(getattr(self, name), layer)
        return block

    def cost(self, arch: Sequence[int]) -> StageCost:
        width, tokens = self.width(arch), self.config.input_shape[0]
        return StageCost(
            label="embedding",
            group="embedding",
            kind="stem",
            counted=embedding_counts(self.config, width),
            output_shape=(tokens, width),
            channels=width,
            detail=f"{self.config.vocabulary} tokens",
        )


class HeadStage(_End):
    """Norm and the product with the vocabulary at the scored positions; the table may be the embedding's."""

    def __init__(self, space: SearchSpace, config: ElasticDecoderConfig, shared: nn.Embedding | None) -> None:
        super().__init__(space, config)
        last = f"hidden{config.layers}"
        if config.layers in config.skippable:  # then what flows in are all positions
            self.depends_on = (*self.depends_on, last)
        self.last = last if config.layers in config.skippable else ""
        self.norm = any_norm(config)
        self.table: nn.Embedding | nn.Linear = shared or nn.Linear(
            config.widths[-1], config.vocabulary, bias=False
        )
        if shared is None:
            nn.init.normal_(self.table.weight, std=config.widths[-1] ** -0.5)

    def forward(self, x: Flow, arch: Sequence[int], statistics: Statistics | None = None) -> Tensor:
        vectors = normed(self.norm, picked(*x))
        return F.linear(faded(vectors, arch), self.table.weight[:, : vectors.shape[2]])

    def extract(self, arch: Sequence[int], statistics: Statistics | None) -> nn.Module:
        config = self.config
        table = "shared" if config.tied else "own"
        head = DecoderHead(self.width(arch), config.vocabulary, config.norm, config.epsilon, table)
        copy_first(self.norm, head.norm)
        if head.linear is not None:
            copy_first(self.table, head.linear)
        return head

    def cost(self, arch: Sequence[int]) -> StageCost:
        config = self.config
        all_of_them = self.last and not self.option(arch, self.last)
        given = config.input_shape[0] if all_of_them else config.scored
        return StageCost(
            label="head",
            group="head",
            kind="head",
            counted=head_counts(config, self.width(arch), given=given),
            output_shape=(config.scored, config.vocabulary),
            channels=self.width(arch),
            detail=f"{config.vocabulary} tokens",
        )
