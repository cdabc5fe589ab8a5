"""Order and augmentation: every image once, shifts against an oracle, nothing global."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from core.datasets.base import Split
from core.tasks.base import steps_per_epoch
from core.tasks.image import epoch_batches, shifted


def numbered(n: int = 50, size: int = 6) -> Split:
    """Image i is all i + 1, except a mark at its upper left."""
    x = np.broadcast_to(np.arange(1, n + 1, dtype=np.float32)[:, None, None, None], (n, 1, size, size)).copy()
    x[:, 0, 0, 0] = -1
    return Split(x, np.arange(n), np.arange(n))


def labels(seed: int, epoch: int, batch_size: int = 16, **changes: object) -> list[int]:
    options = {"shift": 0, "flip": False} | changes
    return torch.cat(
        [b.targets for b in epoch_batches(numbered(), batch_size, seed, epoch, **options)]
    ).tolist()


@pytest.mark.parametrize(("batch_size", "used"), [(16, 48), (50, 50), (500, 50), (3, 48)])
def test_an_epoch_holds_every_image_at_most_once_in_full_batches(batch_size: int, used: int) -> None:
    found = labels(0, 0, batch_size)
    assert len(found) == len(set(found)) == used
    assert steps_per_epoch(50, batch_size) * min(batch_size, 50) == used


def test_the_order_is_a_function_of_seed_and_epoch() -> None:
    torch.manual_seed(1)
    first = labels(0, 4)
    torch.manual_seed(2)
    assert labels(0, 4) == first
    assert labels(0, 4, shift=2, flip=True) == first
    assert labels(0, 5) != first
    assert labels(1, 4) != first


def test_images_keep_their_labels_and_their_pixels() -> None:
    for batch in epoch_batches(numbered(), 16, 0, 0, shift=0, flip=False):
        x, y = batch.inputs, batch.targets
        assert torch.equal(x[:, 0, 3, 3].long(), y + 1)
        assert torch.equal(x, torch.from_numpy(numbered().x[y.numpy()]))


@pytest.mark.parametrize("margin", [1, 2])
def test_shifting_moves_the_image_and_fills_with_zeros(margin: int) -> None:
    rng = np.random.default_rng(0)
    images = rng.random((20, 2, 5, 7)).astype(np.float32)
    offsets = rng.integers(0, 2 * margin + 1, (20, 2))
    moved = shifted(torch.from_numpy(images), offsets, margin).numpy()
    for image, (down, right), result in zip(images, offsets - margin, moved, strict=True):
        oracle = np.zeros_like(image)
        for r in range(5):
            for c in range(7):
                if 0 <= r + down < 5 and 0 <= c + right < 7:
                    oracle[:, r, c] = image[:, r + down, c + right]
        np.testing.assert_array_equal(result, oracle)


def test_shifts_reach_every_offset_about_equally() -> None:
    where: dict[tuple[int, int], int] = {}
    for epoch in range(60):
        for x in (b.inputs for b in epoch_batches(numbered(), 50, 0, epoch, shift=1, flip=False)):
            padded = torch.nn.functional.pad(x, (1, 1, 1, 1))
            for image in padded[:, 0]:
                mark = (image == -1).nonzero()
                key = tuple(mark[0].tolist()) if len(mark) else (-1, -1)
                where[key] = where.get(key, 0) + 1
    # The mark sits in a corner: of 9 offsets 4 keep it in sight, 5 push it out.
    seen = [n for key, n in where.items() if key != (-1, -1)]
    assert len(seen) == 4
    assert min(seen) > 3000 / 9 * 0.8
    assert max(seen) < 3000 / 9 * 1.2


def test_flips_mirror_about_half_of_the_images() -> None:
    mirrored = total = 0
    for epoch in range(20):
        for x in (b.inputs for b in epoch_batches(numbered(), 50, 0, epoch, shift=0, flip=True)):
            left, right = x[:, 0, 0, 0] == -1, x[:, 0, 0, -1] == -1
            assert torch.equal(left, ~right)
            mirrored, total = mirrored + int(right.sum()), total + len(x)
    assert 0.44 < mirrored / total < 0.56


def test_only_a_share_is_shifted_another_one_in_each_epoch() -> None:
    plain = torch.cat([b.inputs for b in epoch_batches(numbered(), 50, 0, 0, shift=0, flip=False)])
    moved = []
    for epoch in range(40):
        order = np.arange(len(numbered()))
        found = epoch_batches(numbered(), 50, 0, epoch, shift=1, shifted_share=0.25, flip=False, order=order)
        still = epoch_batches(numbered(), 50, 0, epoch, shift=0, flip=False, order=order)
        pairs = zip(found, still, strict=True)
        moved.append(torch.cat([(a.inputs != b.inputs).flatten(1).any(1) for a, b in pairs]))
    each = torch.stack(moved).double()
    # A ninth of the offsets is none at all.
    assert abs(float(each.mean()) - 0.25 * 8 / 9) < 0.02
    assert float(each.mean(0).max()) < 0.7, "no image is always shifted"
    assert len(plain) == each.shape[1]


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("shift", [0, 1])
def test_batches_are_laid_out_channels_first(shift: int, flip: bool) -> None:
    # Channels last crashes oneDNN's AVX2 kernels on nets with few channels.
    whole = numbered()
    two = Split(np.repeat(whole.x, 2, axis=1), whole.y, whole.ids)
    for batch in epoch_batches(two, 16, 0, 0, shift=shift, flip=flip):
        assert batch.inputs.stride() == (72, 36, 6, 1)
    for batch in epoch_batches(whole, 16, 0, 0, shift=shift, flip=flip):
        assert batch.inputs.stride() == (36, 36, 6, 1)
