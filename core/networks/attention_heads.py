"""What each attention head of a block puts out, before the heads are mixed."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from core.errors import InvalidInput
from core.networks.blocks.base import known_kind
from core.networks.capture import MOST_ROWS, inputs_of, token_mask
from core.networks.trees import n_rows

_MIXER = "project"


def blocks_with_heads(net: nn.Sequential) -> dict[str, int]:
    """Stage, as `LayerInfo.layer_id` names it, -> its number of heads; empty where nothing attends by heads."""
    found = {}
    for index, block in enumerate(net):
        kind, mixer = known_kind(block), getattr(block, _MIXER, None)
        size = getattr(block, "head_size", None)
        if kind is not None and kind.attends and isinstance(mixer, nn.Linear) and isinstance(size, int):
            found[str(index)] = mixer.in_features // size
    return found


def head_outputs(net: nn.Sequential, inputs: Any, stage: str, *, pooling: str) -> NDArray[np.float32]:
    """(rows, heads, head size) what each head of a stage puts out.

    Args:
        net: any network of plain blocks.
        inputs: samples; where they come with a mask, padding is no row and counts in no mean.
        stage: one of `blocks_with_heads`.
        pooling: "pooled" for one row per sample, the mean over its tokens; "positions" for one per token.

    Raises:
        InvalidInput: the stage has no heads, there are too many tokens to have a row each, or another pooling is asked for.
    """
    if stage not in (known := blocks_with_heads(net)):
        raise InvalidInput(f"Stage {stage} of this network has no attention heads.")
    if pooling not in ("pooled", "positions"):
        raise InvalidInput("Heads are compared pooled over tokens or by token; choose one of these features.")
    entered = inputs_of(net, inputs, f"{stage}.{_MIXER}")
    if entered.ndim != 3:
        raise InvalidInput(f"Stage {stage} of this network does not attend from token to token.")
    n, tokens, _ = entered.shape
    if pooling == "positions" and n * tokens > MOST_ROWS:
        raise InvalidInput(
            f"Stage {stage} has {n * tokens:,} tokens on these {n_rows(inputs):,} samples, more than {MOST_ROWS:,}: choose "
            "pooled features or a smaller probe."
        )
    by_head = entered.reshape(n, tokens, known[stage], -1)
    mask = token_mask(inputs)
    shown = np.ones((n, tokens), np.bool_) if mask is None else mask.numpy()
    if shown.shape != (n, tokens):  # the stage looked at some of the tokens alone
        shown = np.ones((n, tokens), np.bool_)
    if pooling == "positions":
        return np.asarray(by_head[shown])
    counted: NDArray[np.float32] = shown[:, :, None, None].astype(np.float32)
    return np.asarray((by_head * counted).sum(1) / np.maximum(counted.sum(1), 1))
