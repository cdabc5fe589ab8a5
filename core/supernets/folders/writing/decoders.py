"""Llama and GPT-2 as transformers has them.

Source: huggingface/transformers (Apache 2.0), modeling_llama.py and modeling_gpt2.py: names, shapes and what their
settings demand.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from core.config import Settings
from core.errors import InvalidInput
from core.supernets.folders.writing.written import (
    ACTIVATIONS,
    Shared,
    Tensors,
    Written,
    heads_that_fill,
    linear,
    norm,
    told_cost,
    told_padding,
)

_CAUSAL = "AutoModelForCausalLM"


def decoder(net: nn.Sequential) -> Written:
    """A language model: Llama or GPT-2, by what its layers compute.

    Args:
        net: DecoderEmbedding, DecoderBlocks, DecoderHead.

    Raises:
        InvalidInput: no class of transformers computes this, or it cannot have these sizes.
    """
    parts: list[Any] = list(net)
    first, *blocks, last = parts
    of = Shared(blocks)
    if last.arguments["epsilon"] != of["epsilon"] or last.arguments["norm"] != of["norm"]:
        raise InvalidInput(
            "The last norm of this network is another one than its layers have; take the bundle."
        )
    kind = (of["norm"], of["positions"], of["mlp"] == "gated_silu")
    if kind == ("rms", "rotary", True):
        return _llama(net, first, blocks, last, of)
    if kind == ("layer", "learned", False):
        return _gpt2(net, first, blocks, last, of)
    raise InvalidInput(
        "Llama has RMSNorm, rotary positions and a gated MLP, GPT-2 LayerNorm, learned positions and a plain one; this "
        "network mixes the two, and no class of transformers that is written here does. Take the bundle."
    )


def _llama(net: nn.Sequential, first: Any, blocks: Sequence[Any], last: Any, of: Shared) -> Written:
    width, size, group = first.token.embedding_dim, of["head_size"], _group(blocks)
    layers = [(block.heads, block.expand.out_features) for block in blocks]
    heads, hidden = _llama_heads(width, group, max(kept for kept, _ in layers)), max(h for _, h in layers)
    keys = heads // group
    attention, both = of["biases"] in ("queries", "attention", "all"), of["biases"] in ("mlp", "all")
    tensors: Tensors = {"model.embed_tokens.weight": first.token.weight}
    for index, block in enumerate(blocks):
        at = f"model.layers.{index}"
        tensors |= norm(f"{at}.input_layernorm", block.norm1)
        tensors |= linear(f"{at}.self_attn.q_proj", block.query, heads * size, biased=attention)
        tensors |= linear(f"{at}.self_attn.k_proj", block.key, keys * size, biased=attention)
        tensors |= linear(f"{at}.self_attn.v_proj", block.value, keys * size, biased=attention)
        # Its biases come for all four together: one that is not there is zero.
        tensors |= linear(f"{at}.self_attn.o_proj", block.project, inputs=heads * size, biased=attention)
        tensors |= norm(f"{at}.post_attention_layernorm", block.norm2)
        tensors |= linear(f"{at}.mlp.gate_proj", block.gate, hidden, biased=both)
        tensors |= linear(f"{at}.mlp.up_proj", block.expand, hidden, biased=both)
        tensors |= linear(f"{at}.mlp.down_proj", block.contract, inputs=hidden, biased=both)
    tensors |= norm("model.norm", last.norm) | _head(first, last)
    config: Settings = {
        "model_type": "llama",
        "vocab_size": first.token.num_embeddings,
        "hidden_size": width,
        "num_hidden_layers": len(blocks),
        "num_attention_heads": heads,
        "num_key_value_heads": keys,
        "head_dim": size,
        "intermediate_size": hidden,
        "hidden_act": "silu",
        "max_position_embeddings": first.context,
        "rms_norm_eps": of["epsilon"],
        "rope_parameters": {"rope_type": "default", "rope_theta": of["theta"]},
        "rope_theta": of["theta"],  # where releases before 5 look
        "attention_bias": attention,
        "mlp_bias": both,
        "tie_word_embeddings": last.linear is None,
    }
    padding = told_padding(layers, heads, hidden)
    return Written(
        config,
        tensors,
        class_name="LlamaForCausalLM",
        label="Llama",
        loader=_CAUSAL,
        padding=(*padding, *((told_cost(tensors, net),) if padding else ())),
    )


def _gpt2(net: nn.Sequential, first: Any, blocks: Sequence[Any], last: Any, of: Shared) -> Written:
    width = first.token.embedding_dim
    layers = [(block.heads, block.expand.out_features) for block in blocks]
    if _group(blocks) != 1:
        raise InvalidInput(
            "GPT-2 has a key head for each query head, this network shares them; take the bundle."
        )
    heads = heads_that_fill(width, of["head_size"], [kept for kept, _ in layers], "GPT-2")
    hidden = max(units for _, units in layers)
    tensors: Tensors = {
        "transformer.wte.weight": first.token.weight,
        "transformer.wpe.weight": first.position.weight,
    }
    for index, block in enumerate(blocks):
        at = f"transformer.h.{index}"
        three = [linear("part", getattr(block, each), width) for each in ("query", "key", "value")]
        tensors |= norm(f"{at}.ln_1", block.norm1) | norm(f"{at}.ln_2", block.norm2)
        # Its layers are stored (inputs, outputs).
        tensors[f"{at}.attn.c_attn.weight"] = torch.cat([each["part.weight"] for each in three]).T
        tensors[f"{at}.attn.c_attn.bias"] = torch.cat([each["part.bias"] for each in three])
        tensors |= _turned(linear(f"{at}.attn.c_proj", block.project, inputs=width))
        tensors |= _turned(linear(f"{at}.mlp.c_fc", block.expand, hidden))
        tensors |= _turned(linear(f"{at}.mlp.c_proj", block.contract, inputs=hidden))
    tensors |= norm("transformer.ln_f", last.norm) | _head(first, last)
    config: Settings = {
        "model_type": "gpt2",
        "vocab_size": first.token.num_embeddings,
        "n_positions": first.context,
        "n_embd": width,
        "n_layer": len(blocks),
        "n_head": heads,
        "n_inner": hidden,
        "activation_function": ACTIVATIONS[of["mlp"]],
        "layer_norm_epsilon": of["epsilon"],
        "resid_pdrop": 0.0,
        "embd_pdrop": 0.0,
        "attn_pdrop": 0.0,
        "tie_word_embeddings": last.linear is None,
    }
    padding = told_padding(layers, heads, hidden)
    return Written(
        config,
        tensors,
        class_name="GPT2LMHeadModel",
        label="GPT-2",
        loader=_CAUSAL,
        padding=(*padding, *((told_cost(tensors, net),) if padding else ())),
    )


def _group(blocks: Sequence[Any]) -> int:
    """Query heads that share a key head, the same in every layer."""
    groups = {block.heads // block.kv_heads for block in blocks}
    if len(groups) != 1:
        raise InvalidInput("The layers of this network share their key heads differently; take the bundle.")
    return int(groups.pop())


def _llama_heads(width: int, group: int, most: int) -> int:
    """The fewest heads that hold every layer's: Llama wants the width to be a multiple of them.

    Raises:
        InvalidInput: there is no such number.
    """
    fitting = [heads for heads in range(most, width + 1) if width % heads == 0 and heads % group == 0]
    if not fitting:
        raise InvalidInput(
            f"Llama of transformers wants a width that is a multiple of its heads; {width} is none of {most} or more in "
            f"groups of {group}. Take the bundle."
        )
    return fitting[0]


def _head(first: Any, last: Any) -> Tensors:
    """The table of the head, where it has one of its own."""
    assert last.linear is not None or first.shares
    return {} if last.linear is None else {"lm_head.weight": last.linear.weight}


def _turned(tensors: Tensors) -> Tensors:
    """Layers as GPT-2 stores them."""
    return {name: tensor.T if tensor.dim() == 2 else tensor for name, tensor in tensors.items()}
