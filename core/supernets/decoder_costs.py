"""What the stages of an elastic decoder cost, written down operation by operation as their blocks run. No torch.

One sample is a window of tokens, some of whose positions are scored. Attention is counted with all keys for every
query, those that the causal mask hides as well, as everywhere here.
"""

from __future__ import annotations

from core.supernets.counting import Count, Value
from core.supernets.decoder_space import ElasticDecoderConfig

_INT64, _BOOL = 8, 1
KEPT_BYTES = 4
"""Of one number of a key or a value that is kept (float32)."""


def embedding_counts(config: ElasticDecoderConfig, width: int) -> dict[str, int]:
    """Of the embedding, the table included that a tied head reads as well."""
    count, size = Count(), (config.input_shape[0],)
    tokens, scored = count.given(1, size, _INT64), count.given(1, (config.scored,), _INT64)
    x = count.made([tokens], width, size)
    count.params += config.vocabulary * width
    if config.positions == "learned":
        count.params += config.length * width
        x = count.over(x)
    return count.counted(x, scored)


def layer_counts(
    config: ElasticDecoderConfig, width: int, heads: int, hidden: int, *, last: bool
) -> dict[str, int]:
    """Of a layer that is not skipped.

    Args:
        config: of the supernet.
        width: of a vector.
        heads: query heads.
        hidden: units of the MLP.
        last: whether it is the chain's last layer, which tells of scored positions alone.
    """
    count, tokens, size = Count(), (config.input_shape[0],), config.head_size
    into, out, both = config.biased
    keys = heads // config.group
    x, scored = count.given(width, tokens), count.given(1, (config.scored,), _INT64)
    y = _normed(count, config, x)
    at = count.made([], 1, tokens, _INT64)
    turns = _turns(count, config, at)
    key = _turned(count, count.conv(y, keys * size, 1, bias=into), turns)
    value = count.conv(y, keys * size, 1, bias=into)
    told, handed_on = config.input_shape[0], scored
    mask: list[Value] = []
    if last:
        told = config.scored
        x, y = count.made([x, scored], width, (told,)), count.made([y, scored], width, (told,))
        turns = _turns(count, config, scored)
        hides = count.made([at, scored], 1, (told, *tokens), _BOOL)
        mask = [count.over(count.made([hides], 1, hides.size))]
        handed_on = count.made([], 1, (told,), _INT64)
    query = _turned(count, count.conv(y, heads * size, 1, bias=into), turns)
    count.macs += 2 * heads * size * told * tokens[0]
    attended = count.made([query, key, value, *mask], heads * size, (told,))
    x = count.over(x, count.conv(attended, width, 1, bias=out))
    y = _normed(count, config, x)
    inside = count.over(count.conv(y, hidden, 1, bias=both))
    if config.mlp == "gated_silu":
        inside = count.over(inside, count.conv(y, hidden, 1, bias=both))
    x = count.over(x, count.conv(inside, width, 1, bias=both))
    return count.counted(x, handed_on, kv_cache_bytes=2 * keys * size * KEPT_BYTES)


def head_counts(config: ElasticDecoderConfig, width: int, *, given: int) -> dict[str, int]:
    """Of the head; its table counts here where it is its own.

    Args:
        config: of the supernet.
        width: of a vector.
        given: positions that flow into it.
    """
    count = Count()
    x, scored = count.given(width, (given,)), count.given(1, (config.scored,), _INT64)
    y = _normed(count, config, count.made([x, scored], width, scored.size))
    logits = count.conv(y, config.vocabulary, 1)
    count.params -= config.vocabulary * width if config.tied else 0
    return count.counted(logits)


def _normed(count: Count, config: ElasticDecoderConfig, x: Value) -> Value:
    if config.norm == "layer":
        return count.scaled(x)
    count.params += x.channels
    mean = count.made([count.over(x)], 1, x.size)  # of the squares
    return count.over(count.over(x, count.over(mean)))


def _turns(count: Count, config: ElasticDecoderConfig, at: Value) -> list[Value]:
    """Cosine and sine of the angles at some positions; none where positions are learned."""
    if config.positions != "rotary":
        return []
    half = config.head_size // 2
    steps = count.over(count.over(count.made([], half)))  # divided, and the base to their power
    frequencies = count.over(count.made([steps], half))
    angles = count.over(at, frequencies, result=Value(half, at.size))
    return [count.made([angles], half, at.size), count.made([angles], half, at.size)]


def _turned(count: Count, x: Value, turns: list[Value]) -> Value:
    """Halves of a value, each multiplied by cosine and sine, added and joined."""
    if not turns:
        return x
    half, (cos, sin) = x.channels // 2, turns
    parts = []
    for _ in range(2):
        a, b = (count.over(x, turn, result=Value(half, x.size)) for turn in (cos, sin))
        parts.append(count.over(a, b))
    return count.made(parts, x.channels, x.size)
