"""Faults of decoders: what they compute, what they keep of a text, what of them is counted and timed."""

from __future__ import annotations

from tests.mutation.fault import Fault

_LAYER, _COSTS = "core/supernets/decoder_layer.py", "core/supernets/decoder_costs.py"
_BLOCK, _CONTINUING = "core/networks/blocks/decoder_block.py", "core/networks/continuing.py"
_IN_FAMILY, _IN_GENERATING = (
    ("tests/supernets/test_elastic_decoder.py",),
    ("tests/networks/test_generating.py",),
)
_IN_TRACING = ("tests/networks/test_onnx_tracing.py",)
_IN_SPEED = ("tests/objectives/test_decoder_speed.py",)

FAULTS = [
    Fault(
        "a decoder's positions turn by half as much again",
        _LAYER,
        "angles = at[..., None] * (1.0 / self.config.theta",
        "angles = at[..., None] * (1.5 / self.config.theta",
        _IN_FAMILY,
    ),
    Fault(
        "further heads read the first key heads",
        _LAYER,
        "shared = slice(low // group * size, high // group * size)",
        "shared = slice(0, (high - low) // group * size)",
        _IN_FAMILY,
    ),
    Fault(
        "a bias is added with every partial sum",
        _LAYER,
        "if layer.bias is not None and not low else None",
        "if layer.bias is not None else None",
        _IN_FAMILY,
    ),
    Fault(
        "a scored position sees the token that it is to tell",
        _LAYER,
        "mask = (at > scored[:, None, :, None])",
        "mask = (at > scored[:, None, :, None] + 1)",
        _IN_FAMILY,
    ),
    Fault(
        "every query head is counted as kept",
        _COSTS,
        "kv_cache_bytes=2 * keys * size",
        "kv_cache_bytes=2 * heads * size",
        _IN_FAMILY,
    ),
    Fault(
        "a tied table is counted twice",
        _COSTS,
        "count.params -= config.vocabulary * width if config.tied else 0",
        "count.params -= 0",
        _IN_FAMILY,
    ),
    Fault(
        "heads of a layer that is skipped are a choice",
        "core/supernets/decoder_space.py",
        "            if skips:\n",
        "            if not hidden:\n",
        _IN_FAMILY,
    ),
    Fault(
        "a token does not see itself once others are kept",
        _BLOCK,
        "device=x.device) > at[:, None])",
        "device=x.device) > at[:, None] - 1)",
        _IN_GENERATING,
    ),
    Fault(
        "a kept text's next token stands at its start",
        "core/networks/blocks/decoder_embedding.py",
        "self.position.weight[start : start + tokens.shape[1]]",
        "self.position.weight[: tokens.shape[1]]",
        _IN_GENERATING,
    ),
    Fault(
        "what is kept outlives the context",
        _CONTINUING,
        "            cache, new = None, window\n        with",
        "            pass\n        with",
        _IN_GENERATING,
    ),
    Fault(
        "a temperature changes nothing",
        _CONTINUING,
        "logits[order].double() / temperature",
        "logits[order].double()",
        _IN_GENERATING,
    ),
    Fault(
        "a key head goes with one query head of its group",
        _BLOCK,
        "queries = block.heads // block.kv_heads * block.head_size\n",
        "queries = block.head_size\n",
        ("tests/contracts/test_blocks.py",),
    ),
    Fault(
        "grouped attention in ONNX forgets its scale",
        "core/networks/onnx_tracing.py",
        "torch.tensor(size**-0.5)",
        "torch.tensor(1.0)",
        _IN_TRACING,
    ),
    Fault(
        "a step of writing is timed behind a whole window",
        "core/objectives/decode_tokens_per_s.py",
        "tokens.shape[1] // 2 + 1",
        "tokens.shape[1]",
        _IN_SPEED,
    ),
    Fault(
        "reading a window counts as one token",
        "core/objectives/prefill_tokens_per_s.py",
        "torch.from_numpy(tokens)), tokens.shape[1]",
        "torch.from_numpy(tokens)), 1",
        _IN_SPEED,
    ),
]
