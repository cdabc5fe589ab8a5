"""Llama: a decoder with RMSNorm, rotary positions, gated FFNs and keys shared by groups of heads.

Source: huggingface/transformers, modeling_llama.py and configuration_llama.py (Apache 2.0): names, shapes and formulas.
"""

from __future__ import annotations

from pydantic import Field

from core.config import Settings
from core.datasets.archives import shown
from core.errors import InvalidInput
from core.supernets.folders.base import ARCHITECTURES, Architecture, SaidConfig, said
from core.supernets.folders.decoders import DecoderSizes, layers_of
from core.supernets.folders.folder import Folder
from core.supernets.folders.options import FolderOptions
from core.supernets.folders.plan import Plan, Shapes, take

_ATTENTION = {
    "query": "self_attn.q_proj",
    "key_": "self_attn.k_proj",
    "value": "self_attn.v_proj",
    "project": "self_attn.o_proj",
}
_MLP = {"gate": "mlp.gate_proj", "expand": "mlp.up_proj", "contract": "mlp.down_proj"}
_NORMS = {"norm1": "input_layernorm", "norm2": "post_attention_layernorm"}


class LlamaConfig(SaidConfig):
    """What config.json of a Llama says; defaults are those of its class."""

    vocab_size: int = Field(32_000, ge=2, le=1_000_000)
    hidden_size: int = Field(4096, ge=1, le=16_384)
    intermediate_size: int = Field(11_008, ge=1, le=65_536)
    num_hidden_layers: int = Field(32, ge=1, le=128)
    num_attention_heads: int = Field(32, ge=1, le=256)
    num_key_value_heads: int | None = Field(None, ge=1, le=256)
    head_dim: int | None = Field(None, ge=1, le=1024)
    hidden_act: str = "silu"
    max_position_embeddings: int = Field(2048, ge=1, le=1_000_000)
    rms_norm_eps: float = Field(1e-6, ge=1e-8, le=0.1)
    rope_theta: float = Field(10_000.0, ge=100, le=1e9)
    rope_scaling: Settings | None = None
    rope_parameters: Settings | None = None
    partial_rotary_factor: float = 1.0
    attention_bias: bool = False
    mlp_bias: bool = False
    tie_word_embeddings: bool = False

    @property
    def size(self) -> int:
        """Of an attention head."""
        if self.head_dim is None and self.hidden_size % self.num_attention_heads:
            raise InvalidInput(
                f"config.json asks for {self.num_attention_heads} attention heads in a width of {self.hidden_size:,}, "
                "which they do not divide."
            )
        return self.head_dim or self.hidden_size // self.num_attention_heads

    @property
    def theta(self) -> float:
        """Base of the rotary frequencies; newer releases say it among further settings."""
        told = (self.rope_parameters or {}).get("rope_theta", self.rope_theta)
        if not isinstance(told, float | int) or isinstance(told, bool) or not 100 <= told <= 1e9:
            raise InvalidInput(
                "config.json gives a base of the rotary positions that is not between 100 and 1e9."
            )
        return float(told)


@ARCHITECTURES.register("llama")
class Llama(Architecture):
    """Decoder with RMSNorm, rotary positions, gated FFNs and grouped keys."""

    label = "Llama"
    source = "Touvron et al., Llama, 2023; huggingface/transformers"
    classes = ("LlamaForCausalLM", "LlamaModel")
    prefixes = ("model.",)

    def plan(self, folder: Folder, shapes: Shapes, options: FolderOptions) -> Plan:
        config = said(LlamaConfig, folder.config, self.label)
        _require_plain_positions(config)
        if config.hidden_act not in ("silu", "swish"):
            raise InvalidInput(f"The activation {shown(config.hidden_act)} is not known in a Llama; silu is.")
        tied = config.tie_word_embeddings
        sizes = DecoderSizes(
            layers=config.num_hidden_layers,
            width=config.hidden_size,
            heads=config.num_attention_heads,
            kv_heads=config.num_key_value_heads or config.num_attention_heads,
            head_size=config.size,
            hidden=config.intermediate_size,
            vocabulary=config.vocab_size,
            positions=config.max_position_embeddings,
            tied=tied,
            style={
                "norm": "rms",
                "epsilon": config.rms_norm_eps,
                "positions": "rotary",
                "theta": config.theta,
                "mlp": "gated_silu",
                "biases": _BIASES[config.attention_bias, config.mlp_bias],
            },
        )
        names = {
            "stages.0.token.weight": "embed_tokens.weight",
            **layers_of(_tables(config), config.num_hidden_layers, "layers.{}."),
            f"stages.{config.num_hidden_layers + 1}.norm.weight": "norm.weight",
        }
        if not tied:
            names[f"stages.{config.num_hidden_layers + 1}.table.weight"] = "lm_head.weight"
        unused = {".rotary_emb.inv_freq": "rotary frequencies are computed"}
        if tied:
            unused["lm_head.weight"] = "the head reads the table of tokens, as config.json says"
        return sizes.plan(options, {ours: take(theirs) for ours, theirs in names.items()}, unused)


_BIASES = {
    (False, False): "none",
    (True, False): "attention",
    (False, True): "mlp",
    (True, True): "all",
}
"""(attention, FFN) -> which linear layers have biases."""


def _tables(config: LlamaConfig) -> dict[str, str]:
    """Tensor of a layer, ours -> theirs."""
    names = {
        f"{ours}.weight": f"{theirs}.weight" for ours, theirs in {**_ATTENTION, **_MLP, **_NORMS}.items()
    }
    for there, layers in ((config.attention_bias, _ATTENTION), (config.mlp_bias, _MLP)):
        if there:
            names |= {f"{ours}.bias": f"{theirs}.bias" for ours, theirs in layers.items()}
    return names


def _require_plain_positions(config: LlamaConfig) -> None:
    """Rotary positions that are not stretched.

    Raises:
        InvalidInput: config.json scales them, or rotates a part of each head only.
    """
    for told in (config.rope_scaling, config.rope_parameters):
        kind = (told or {}).get("rope_type", (told or {}).get("type", "default"))
        if kind != "default":
            raise InvalidInput(
                f"This network stretches its rotary positions ({shown(str(kind))}), which is not supported; take one "
                "without rope scaling."
            )
    part = (config.rope_parameters or {}).get("partial_rotary_factor", config.partial_rotary_factor)
    if part != 1:
        raise InvalidInput("This network rotates only a part of each head, which is not supported.")
