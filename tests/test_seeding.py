"""Chance by name: the same in every thread, and nobody else's is disturbed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import torch

from core.seeding import torch_drawing


def drawn(seed: int) -> list[float]:
    with torch_drawing(seed, "layers"):
        return [float(torch.rand(1)) for _ in range(200)]


def test_threads_that_draw_at_once_draw_what_each_draws_alone() -> None:
    alone = [drawn(seed) for seed in range(4)]
    assert alone[0] != alone[1]
    with ThreadPoolExecutor(4) as threads:
        for _ in range(20):
            assert list(threads.map(drawn, range(4))) == alone


def test_afterwards_chance_is_as_it_was() -> None:
    before = torch.random.get_rng_state()
    drawn(0)
    assert torch.equal(torch.random.get_rng_state(), before)
