"""What two subnets wrote, side by side: their texts, how fast they were, and how that was measured."""

from __future__ import annotations

from collections.abc import Sequence

from core.library.writing import MOST_SECONDS, Ask, Written
from core.objectives.base import objective
from core.words import count_of, format_value

WHOSE = ("The picked subnet", "The largest subnet")


def heading(whose: str, written: Written) -> str:
    """Whose text it is, and how large it is."""
    return f"{whose}, {format_value(written.params, objective('params'))} parameters"


def speed(written: Written) -> str:
    """How long tokens took, in a line; "" before any was written."""
    if not written.tokens:
        return ""
    each = written.token_ms
    step = f"{each:.2f} ms per token" if each is not None else "too few tokens to time one"
    return f"{count_of(written.tokens, 'token')}, {step}; the prompt and the first token {written.prefill_ms:.1f} ms"


def compared(found: Sequence[Written]) -> str:
    """How the picked one's tokens compare with the largest one's, in a sentence; "" where they were not timed."""
    here, largest = (written.token_ms for written in found[:2])
    if here is None or largest is None or not here > 0:
        return ""
    ratio = largest / here
    if 0.95 < ratio < 1.05:
        return "A token takes both as long, within 5 %."
    word = "faster" if ratio > 1 else "slower"
    return f"A token takes the picked one {here:.2f} ms and the largest {largest:.2f} ms: {max(ratio, 1 / ratio):.1f} times {word} here."


def how_measured(ask: Ask, threads: int) -> str:
    """How the times above were obtained."""
    thread = "one thread" if threads == 1 else f"{threads} threads"
    return (
        f"Both began with the same prompt and drew with seed {ask.seed}, a token each in turn. Time per token: median over the "
        f"tokens after the first three, by the clock, on {thread} of the server's process with the KV cache in use, for one text; "
        "whatever else the machine does adds to it. The prompt is read at once and timed with the first token."
    )


def ended(found: Sequence[Written], ask: Ask) -> str:
    """Why there are fewer tokens than were asked for; "" where there are all."""
    if not found or min(written.tokens for written in found) >= ask.tokens:
        return ""
    return f"It ended after {MOST_SECONDS:.0f} s, or was stopped, before all {count_of(ask.tokens, 'token')} were written."
