"""GPT-2 and Llama by their published formulas, from tensors by the names that transformers gives them.

Written with torch.nn.functional alone, one layer after another, every position: what the family is compared with.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

Tensors = dict[str, Tensor]


def gpt2_logits(t: Tensors, config: dict[str, Any], tokens: Tensor) -> Tensor:
    """(n, t, vocabulary) of token numbers (n, t), of a GPT2LMHeadModel's tensors."""
    heads, epsilon = config["n_head"], config["layer_norm_epsilon"]
    at = "transformer."

    def norm(name: str, x: Tensor) -> Tensor:
        weight, bias = t[f"{at}{name}.weight"], t[f"{at}{name}.bias"]
        centered = x - x.mean(-1, keepdim=True)
        return centered / (centered.square().mean(-1, keepdim=True) + epsilon).sqrt() * weight + bias

    def layer(name: str, x: Tensor) -> Tensor:
        return x @ t[f"{at}{name}.weight"] + t[f"{at}{name}.bias"]

    x = t[f"{at}wte.weight"][tokens] + t[f"{at}wpe.weight"][: tokens.shape[1]]
    for index in range(config["n_layer"]):
        y = layer(f"h.{index}.attn.c_attn", norm(f"h.{index}.ln_1", x))
        queries, keys, values = (_cut(part, heads) for part in y.chunk(3, 2))
        x = x + layer(f"h.{index}.attn.c_proj", _attention(queries, keys, values))
        y = layer(f"h.{index}.mlp.c_fc", norm(f"h.{index}.ln_2", x))
        y = 0.5 * y * (1 + torch.tanh((2 / torch.pi) ** 0.5 * (y + 0.044715 * y**3)))
        x = x + layer(f"h.{index}.mlp.c_proj", y)
    head = t.get("lm_head.weight", t[f"{at}wte.weight"])
    return norm("ln_f", x) @ head.T


def llama_logits(t: Tensors, config: dict[str, Any], tokens: Tensor) -> Tensor:
    """(n, t, vocabulary) of token numbers (n, t), of a LlamaForCausalLM's tensors."""
    heads, groups, size = config["num_attention_heads"], config["num_key_value_heads"], config["head_dim"]

    def norm(name: str, x: Tensor) -> Tensor:
        scale = (x.square().mean(-1, keepdim=True) + config["rms_norm_eps"]).rsqrt()
        return x * scale * t[f"model.{name}.weight"]

    def layer(name: str, x: Tensor) -> Tensor:
        return F.linear(x, t[f"model.{name}.weight"], t.get(f"model.{name}.bias"))

    x = t["model.embed_tokens.weight"][tokens]
    for index in range(config["num_hidden_layers"]):
        at = f"layers.{index}"
        y = norm(f"{at}.input_layernorm", x)
        queries = _turned(_cut(layer(f"{at}.self_attn.q_proj", y), heads), config["rope_theta"], size)
        keys = _turned(_cut(layer(f"{at}.self_attn.k_proj", y), groups), config["rope_theta"], size)
        values = _cut(layer(f"{at}.self_attn.v_proj", y), groups)
        keys, values = (each.repeat_interleave(heads // groups, 1) for each in (keys, values))
        x = x + layer(f"{at}.self_attn.o_proj", _attention(queries, keys, values))
        y = norm(f"{at}.post_attention_layernorm", x)
        gate = layer(f"{at}.mlp.gate_proj", y)
        y = gate / (1 + torch.exp(-gate)) * layer(f"{at}.mlp.up_proj", y)
        x = x + layer(f"{at}.mlp.down_proj", y)
    head = t.get("lm_head.weight", t["model.embed_tokens.weight"])
    return norm("norm", x) @ head.T


def _cut(x: Tensor, heads: int) -> Tensor:
    """(n, t, heads * size) -> (n, heads, t, size)."""
    return x.unflatten(2, (heads, -1)).transpose(1, 2)


def _attention(queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """(n, t, heads * size): softmax over what came before, scaled by the root of a head's size."""
    scores = queries @ keys.transpose(2, 3) / queries.shape[-1] ** 0.5
    later = torch.ones(scores.shape[2:]).triu(1).bool()
    return (scores.masked_fill(later, float("-inf")).softmax(-1) @ values).transpose(1, 2).flatten(2)


def _turned(x: Tensor, theta: float, size: int) -> Tensor:
    """Pairs (i, i + size / 2) of each head turned by position / theta^(2i / size)."""
    steps = theta ** (-torch.arange(0, size, 2).float() / size)
    angles = torch.arange(x.shape[2]).float()[:, None] * steps
    turn = torch.polar(torch.ones_like(angles), angles)
    half = size // 2
    pairs = torch.complex(x[..., :half].contiguous(), x[..., half:].contiguous()) * turn
    return torch.cat([pairs.real, pairs.imag], -1)
