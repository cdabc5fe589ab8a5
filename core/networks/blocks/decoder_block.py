"""The block of decoders: causal attention and MLP, as Llama and GPT-2 have them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from core.config import Settings
from core.networks.blocks.base import BLOCKS, Argument, BlockKind, Count, Epsilon, Example, Name, Shapes
from core.networks.groups import Place, UnitWalk


class DecoderBlock(nn.Module):
    """Causal attention and MLP, each behind a norm and beside a shortcut, on vectors (n, t, width).

    What flows is the tuple of vectors, scored positions (n, p) and what else comes along. The last block may compute
    its outputs at the scored positions alone (outputs="scored"), since nobody reads the others.
    """

    def __init__(
        self,
        width: int,
        heads: int,
        kv_heads: int,
        head_size: int,
        hidden: int,
        norm: str = "rms",
        epsilon: float = 1e-5,
        positions: str = "rotary",
        theta: float = 10000.0,
        mlp: str = "gated_silu",
        biases: str = "none",
        outputs: str = "all",
    ) -> None:
        super().__init__()
        self.arguments = {
            "width": width,
            "heads": heads,
            "kv_heads": kv_heads,
            "head_size": head_size,
            "hidden": hidden,
            "norm": norm,
            "epsilon": epsilon,
            "positions": positions,
            "theta": theta,
            "mlp": mlp,
            "biases": biases,
            "outputs": outputs,
        }
        self.heads, self.kv_heads, self.head_size = heads, kv_heads, head_size
        self.rotary, self.theta, self.mlp, self.outputs = positions == "rotary", theta, mlp, outputs
        make = nn.RMSNorm if norm == "rms" else nn.LayerNorm
        into, out, both = (
            biases in ("queries", "attention", "all"),
            biases in ("attention", "all"),
            biases in ("mlp", "all"),
        )
        self.norm1 = make(width, epsilon)
        self.query = nn.Linear(width, heads * head_size, bias=into)
        self.key = nn.Linear(width, kv_heads * head_size, bias=into)
        self.value = nn.Linear(width, kv_heads * head_size, bias=into)
        self.project = nn.Linear(heads * head_size, width, bias=out)
        self.norm2 = make(width, epsilon)
        self.expand = nn.Linear(width, hidden, bias=both)
        self.gate = nn.Linear(width, hidden, bias=both) if mlp == "gated_silu" else None
        self.contract = nn.Linear(hidden, width, bias=both)

    def forward(self, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        x, scored, *rest = inputs
        y = self.norm1(x)
        at = torch.arange(x.shape[1], device=x.device)
        turns, mask = self.turns(at), None
        keys, values = self.turned(self.cut(self.key(y)), turns), self.cut(self.value(y))
        if self.outputs == "scored":
            picked = scored[:, :, None].expand(-1, -1, x.shape[2])
            x, y, turns = x.gather(1, picked), y.gather(1, picked), self.turns(scored[:, None])
            mask = (at > scored[:, None, :, None]).to(x.dtype) * -1e4
            scored = torch.arange(scored.shape[1], device=x.device).expand_as(scored)
        queries = self.turned(self.cut(self.query(y)), turns)
        return self.mixed(x + self.attended(queries, keys, values, mask)), scored, *rest

    def extended(
        self, x: Tensor, past: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """The same for the next tokens of texts whose past keys and values are kept.

        Args:
            x: (n, t, width) vectors of the next t tokens.
            past: keys and values (n, key heads, tokens so far, head size) of this block; None at the start.

        Returns:
            Vectors (n, t, width), and keys and values with those of the new tokens.
        """
        y, before, mask = self.norm1(x), 0 if past is None else past[0].shape[2], None
        at = torch.arange(before, before + x.shape[1], device=x.device)
        turns = self.turns(at)
        keys, values = self.turned(self.cut(self.key(y)), turns), self.cut(self.value(y))
        if past is not None:
            keys, values = torch.cat([past[0], keys], 2), torch.cat([past[1], values], 2)
            mask = (torch.arange(keys.shape[2], device=x.device) > at[:, None]).to(x.dtype) * -1e4
        queries = self.turned(self.cut(self.query(y)), turns)
        return self.mixed(x + self.attended(queries, keys, values, mask)), (keys, values)

    def cut(self, x: Tensor) -> Tensor:
        """(n, t, heads * head size) -> (n, heads, t, head size)."""
        return x.unflatten(2, (-1, self.head_size)).transpose(1, 2)

    def turns(self, at: Tensor) -> tuple[Tensor, Tensor] | None:
        """Cosine and sine (..., t, head size / 2) of the angles by which positions (..., t) turn; None if none does."""
        if not self.rotary:
            return None
        steps = torch.arange(0, self.head_size, 2, device=at.device, dtype=torch.float32)
        angles = at[..., None] * (1.0 / self.theta ** (steps / self.head_size))
        return angles.cos(), angles.sin()

    def turned(self, x: Tensor, turns: tuple[Tensor, Tensor] | None) -> Tensor:
        """Queries or keys (n, heads, t, head size), rotated; number i and number i + half are a pair, as Llama's."""
        if turns is None:
            return x
        cos, sin = turns[0].to(x.dtype), turns[1].to(x.dtype)
        first, second = x.chunk(2, 3)
        return torch.cat([first * cos - second * sin, second * cos + first * sin], 3)

    def attended(self, queries: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None) -> Tensor:
        """(n, t, width) what attention adds; without a mask every query sees the keys up to its own place."""
        grouped = self.heads != self.kv_heads
        y = F.scaled_dot_product_attention(
            queries, keys, values, attn_mask=mask, is_causal=mask is None, enable_gqa=grouped
        )
        return self.project(y.transpose(1, 2).flatten(2))

    def mixed(self, x: Tensor) -> Tensor:
        """(n, t, width) vectors, and what the MLP adds to them."""
        y = self.norm2(x)
        if self.gate is not None:
            return x + self.contract(F.silu(self.gate(y)) * self.expand(y))
        return x + self.contract(
            F.gelu(self.expand(y), approximate="tanh" if self.mlp == "gelu_tanh" else "none")
        )


class RotaryBase(Argument):
    """The base of rotary frequencies."""

    def accepts(self, value: Any) -> bool:
        return type(value) is float and 100 <= value <= 1e9


@BLOCKS.register("decoder_block")
class DecoderBlockKind(BlockKind):
    """Causal attention and MLP, each behind a norm and beside a shortcut; keys may be shared by groups of heads."""

    label = "Decoder block"
    source = (
        "Radford et al., GPT-2, 2019; Touvron et al., Llama, 2023; rotary positions: Su et al., RoFormer, 2021; "
        "grouped keys: Ainslie et al., EMNLP 2023; gated MLP: Shazeer, 2020"
    )
    module = DecoderBlock
    attends = True
    arguments = {
        "width": Count(),
        "heads": Count(),
        "kv_heads": Count(),
        "head_size": Count(),
        "hidden": Count(65_536),
        "norm": Name(("rms", "layer")),
        "epsilon": Epsilon(),
        "positions": Name(("rotary", "learned")),
        "theta": RotaryBase(),
        "mlp": Name(("gated_silu", "gelu_tanh", "gelu")),
        "biases": Name(("none", "queries", "attention", "mlp", "all")),
        "outputs": Name(("all", "scored")),
    }
    sizes = {"width": ("query.weight", 1), "hidden": ("expand.weight", 0)}
    example = Example(
        (6,),
        (
            ("DecoderEmbedding", {"vocabulary": 9, "width": 6, "context": 8, "table": "shared"}),
            (
                "DecoderBlock",
                {
                    "width": 6,
                    "heads": 6,
                    "kv_heads": 3,
                    "head_size": 4,
                    "hidden": 10,
                    "biases": "queries",
                    "theta": 500.0,
                },
            ),
            (
                "DecoderBlock",
                {
                    "width": 6,
                    "heads": 3,
                    "kv_heads": 3,
                    "head_size": 2,
                    "hidden": 7,
                    "norm": "layer",
                    "mlp": "gelu",
                    "biases": "all",
                    "outputs": "scored",
                },
            ),
            ("DecoderHead", {"width": 6, "vocabulary": 9, "table": "shared"}),
        ),
    )

    def units(self, block: DecoderBlock, walk: UnitWalk) -> None:
        (width,) = block.norm1.normalized_shape
        for name, norm in (("norm1", block.norm1), ("norm2", block.norm2)):
            walk.averages(name, width, shifted=isinstance(norm, nn.LayerNorm))
        parts = [
            name for name in ("query", "key", "value", "expand", "gate") if getattr(block, name) is not None
        ]
        for name in parts:
            walk.reads(f"{name}.weight", width)
        for name in ("project", "contract"):
            walk.makes(f"{name}.weight", width)
            if getattr(block, name).bias is not None:
                walk.scales([f"{name}.bias"], width)
        walk.shows(width)
        wide = [name for name in parts if name in ("expand", "gate")]
        walk.inner(
            "hidden",
            block.expand.out_features,
            made=[f"{name}.weight" for name in wide],
            scaled=[f"{name}.bias" for name in wide if getattr(block, name).bias is not None],
            read=["contract.weight"],
            shown="expand",
        )
        # A key head goes with all the query heads that share it.
        queries = block.heads // block.kv_heads * block.head_size
        entries = {"query": queries, "key": block.head_size, "value": block.head_size}
        biased = entries if block.query.bias is not None else {}
        made: list[Place] = [(f"{name}.weight", 0, each) for name, each in entries.items()]
        scaled: list[Place] = [(f"{name}.bias", 0, each) for name, each in biased.items()]
        walk.inner(
            "heads",
            block.kv_heads,
            made=made,
            scaled=scaled,
            read=[("project.weight", 0, queries)],
            shown="value",
            repeat=block.head_size,
        )

    def fitting(self, block: DecoderBlock, shapes: Shapes) -> Settings:
        heads = {
            argument: int(shapes[tensor][0]) // block.head_size
            for argument, tensor in (("heads", "query.weight"), ("kv_heads", "key.weight"))
        }
        return super().fitting(block, shapes) | heads

    def droppable(self, block: DecoderBlock) -> bool:
        return True
