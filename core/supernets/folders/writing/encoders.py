"""BERT as transformers has it, and what its encoders have in common.

Source: huggingface/transformers (Apache 2.0), modeling_bert.py: names and shapes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

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

_BERT = {
    "query": "attention.self.query",
    "key": "attention.self.key",
    "value": "attention.self.value",
    "project": "attention.output.dense",
    "norm1": "attention.output.LayerNorm",
    "expand": "intermediate.dense",
    "contract": "output.dense",
    "norm2": "output.LayerNorm",
}


def bert(net: nn.Sequential, classes: Sequence[str]) -> Written:
    """A BERT classifier.

    Args:
        net: BertEmbedding, PostNormBlocks, PooledTokenHead.
        classes: their names.

    Raises:
        InvalidInput: BERT of transformers cannot have these sizes.
    """
    parts: list[Any] = list(net)
    first, *blocks, last = parts
    of = Shared(blocks)
    width = first.token.embedding_dim
    layers = [(block.heads, block.expand.out_features) for block in blocks]
    heads = heads_that_fill(width, of["head_size"], [kept for kept, _ in layers], "BERT")
    if first.norm.eps != of["epsilon"]:
        raise InvalidInput("The norms of this network add different epsilons, which BERT cannot have.")
    hidden = max(units for _, units in layers)
    tensors: Tensors = {
        "bert.embeddings.word_embeddings.weight": first.token.weight,
        "bert.embeddings.token_type_embeddings.weight": first.token_type.weight,
        "bert.embeddings.position_embeddings.weight": first.position[0],
        **norm("bert.embeddings.LayerNorm", first.norm),
        **layers_of(blocks, _BERT, "bert.encoder.layer", heads * of["head_size"], hidden),
        # Entries that pooling lacks are tanh(0), and read by nobody.
        **linear("bert.pooler.dense", last.pooler, width),
        **linear("classifier", last.linear, inputs=width),
    }
    config: Settings = {
        "model_type": "bert",
        "vocab_size": first.token.num_embeddings,
        "max_position_embeddings": first.position.shape[1],
        "type_vocab_size": first.token_type.num_embeddings,
        "pad_token_id": 0,
        **settings_of(width, len(blocks), heads, hidden, of, classes),
    }
    padding = told_padding(layers, heads, hidden)
    cost = (told_cost(tensors, net),) if padding else ()
    return Written(
        config,
        tensors,
        class_name="BertForSequenceClassification",
        label="BERT",
        loader="AutoModelForSequenceClassification",
        padding=(*padding, *cost),
    )


def layers_of(
    blocks: Sequence[Any], names: Mapping[str, str], prefix: str, inner: int, hidden: int
) -> Tensors:
    """Tensors of all layers, padded to the same sizes; `inner` is the width of all heads together."""
    tensors: Tensors = {}
    for index, block in enumerate(blocks):
        at = {ours: f"{prefix}.{index}.{theirs}" for ours, theirs in names.items()}
        for each in ("query", "key", "value"):
            tensors |= linear(at[each], getattr(block, each), inner)
        tensors |= linear(at["project"], block.project, inputs=inner)
        tensors |= linear(at["expand"], block.expand, hidden)
        tensors |= linear(at["contract"], block.contract, inputs=hidden)
        tensors |= norm(at["norm1"], block.norm1) | norm(at["norm2"], block.norm2)
    return tensors


def settings_of(
    width: int, layers: int, heads: int, hidden: int, of: Shared, classes: Sequence[str]
) -> Settings:
    return {
        "hidden_size": width,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "intermediate_size": hidden,
        "hidden_act": ACTIVATIONS[of["activation"]],
        "layer_norm_eps": of["epsilon"],
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
        "id2label": {str(index): name for index, name in enumerate(classes)},
        "label2id": {name: index for index, name in enumerate(classes)},
    }
