"""GPT-2: a decoder with LayerNorm, learned positions and biases; its head reads the table of tokens.

Its linear layers are stored (inputs, outputs), with queries, keys and values side by side in one.

Source: huggingface/transformers, modeling_gpt2.py and configuration_gpt2.py (Apache 2.0): names, shapes and formulas.
"""

from __future__ import annotations

from pydantic import Field

from core.datasets.archives import shown
from core.errors import InvalidInput
from core.supernets.folders.base import ARCHITECTURES, Architecture, SaidConfig, said
from core.supernets.folders.decoders import DecoderSizes, layers_of
from core.supernets.folders.folder import Folder
from core.supernets.folders.options import FolderOptions
from core.supernets.folders.plan import Plan, Shapes, Take, take

_ACTIVATIONS = {
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "gelu_fast": "gelu_tanh",
    "gelu": "gelu",
}
"""What config.json calls them -> what the family does."""
_LAYERS = {"project": "attn.c_proj", "expand": "mlp.c_fc", "contract": "mlp.c_proj"}
_NORMS = {"norm1": "ln_1", "norm2": "ln_2"}
_SIDE_BY_SIDE = ("query", "key_", "value")


class Gpt2Config(SaidConfig):
    """What config.json of a GPT-2 says; defaults are those of its class."""

    vocab_size: int = Field(50_257, ge=2, le=1_000_000)
    n_positions: int = Field(1024, ge=1, le=1_000_000)
    n_embd: int = Field(768, ge=1, le=16_384)
    n_layer: int = Field(12, ge=1, le=128)
    n_head: int = Field(12, ge=1, le=256)
    n_inner: int | None = Field(None, ge=1, le=65_536)
    activation_function: str = "gelu_new"
    layer_norm_epsilon: float = Field(1e-5, ge=1e-8, le=0.1)
    scale_attn_weights: bool = True
    scale_attn_by_inverse_layer_idx: bool = False
    add_cross_attention: bool = False
    tie_word_embeddings: bool = True


@ARCHITECTURES.register("gpt2")
class Gpt2(Architecture):
    """Decoder with LayerNorm, learned positions and biases."""

    label = "GPT-2"
    source = "Radford et al., GPT-2, 2019; huggingface/transformers"
    classes = ("GPT2LMHeadModel", "GPT2Model")
    prefixes = ("transformer.",)

    def plan(self, folder: Folder, shapes: Shapes, options: FolderOptions) -> Plan:
        config = said(Gpt2Config, folder.config, self.label)
        _require_known(config)
        width, layers, tied = config.n_embd, config.n_layer, config.tie_word_embeddings
        sizes = DecoderSizes(
            layers=layers,
            width=width,
            heads=config.n_head,
            kv_heads=config.n_head,
            head_size=width // config.n_head,
            hidden=config.n_inner or 4 * width,
            vocabulary=config.vocab_size,
            positions=config.n_positions,
            tied=tied,
            style={
                "norm": "layer",
                "epsilon": config.layer_norm_epsilon,
                "positions": "learned",
                "mlp": _ACTIVATIONS[config.activation_function],
                "biases": "all",
            },
        )
        takes = {
            "stages.0.token.weight": take("wte.weight"),
            "stages.0.position.weight": take("wpe.weight"),
            f"stages.{layers + 1}.norm.weight": take("ln_f.weight"),
            f"stages.{layers + 1}.norm.bias": take("ln_f.bias"),
            **_layers(layers, width),
        }
        unused = {
            ".attn.bias": "a mask of what comes later, which is computed",
            ".attn.masked_bias": "a mask of what comes later, which is computed",
        }
        if tied:
            unused["lm_head.weight"] = "the head reads the table of tokens, as config.json says"
        else:
            takes[f"stages.{layers + 1}.table.weight"] = take("lm_head.weight")
        return sizes.plan(options, takes, unused)


def _layers(count: int, width: int) -> dict[str, Take]:
    """All layers' tensors."""
    norms = {
        f"{ours}.{part}": f"{theirs}.{part}" for ours, theirs in _NORMS.items() for part in ("weight", "bias")
    }
    biases = {f"{ours}.bias": f"{theirs}.bias" for ours, theirs in _LAYERS.items()}
    weights = {f"{ours}.weight": f"{theirs}.weight" for ours, theirs in _LAYERS.items()}
    found = {ours: take(theirs) for ours, theirs in layers_of({**norms, **biases}, count, "h.{}.").items()}
    found |= {
        ours: take(theirs, transposed=True) for ours, theirs in layers_of(weights, count, "h.{}.").items()
    }
    for part, name in enumerate(_SIDE_BY_SIDE):
        rows = (part * width, (part + 1) * width)
        for index in range(count):
            at, layer = f"stages.{index + 1}.{name}", f"h.{index}.attn.c_attn"
            found[f"{at}.weight"] = take(
                f"{layer}.weight", transposed=True, rows=rows, stored=(width, 3 * width)
            )
            found[f"{at}.bias"] = take(f"{layer}.bias", rows=rows, stored=(3 * width,))
    return found


def _require_known(config: Gpt2Config) -> None:
    """It computes as the family does.

    Raises:
        InvalidInput: it does not; the sentence says what is different.
    """
    if config.n_embd % config.n_head:
        raise InvalidInput(
            f"config.json asks for {config.n_head} attention heads in a width of {config.n_embd:,}, which they do not divide."
        )
    if config.activation_function not in _ACTIVATIONS:
        raise InvalidInput(
            f"The activation {shown(config.activation_function)} is not known in a GPT-2; {', '.join(_ACTIVATIONS)} are."
        )
    if not config.scale_attn_weights or config.scale_attn_by_inverse_layer_idx:
        raise InvalidInput(
            "This GPT-2 scales its attention in another way than the original, which is not supported."
        )
    if config.add_cross_attention:
        raise InvalidInput(
            "This GPT-2 reads another network (`add_cross_attention`), which is not supported."
        )
