"""Dividing samples: seeded, stratified, disjoint.

One idea does all the work. Samples are put in a *stratified order*: every prefix, hence every slice,
holds the classes in nearly the proportions of the whole. Splits, the calibration samples and limits
are then slices of that order, so a smaller limit is always a subset of a larger one.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.datasets.base import SPLITS, Raw, Split, SplitConfig
from core.errors import InvalidInput
from core.seeding import stream


@dataclass(frozen=True, eq=False)
class SplitIds:
    """Positions of the samples of each split, (n,) int64 each."""

    train: NDArray[np.int64]
    calibration: NDArray[np.int64]
    validation: NDArray[np.int64]
    test: NDArray[np.int64]


def stratified_order(y: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """A random order of (n,) labels whose every prefix is stratified.

    The members of each class are shuffled and spread evenly over the whole length, so a prefix of
    k samples holds k * share of each class to within one sample; equal places are drawn by lot.

    Returns:
        (n,) int64 positions.
    """
    shuffled = rng.permutation(len(y))
    place = np.empty(len(y))
    for label in np.unique(y):
        members = shuffled[y[shuffled] == label]
        place[members] = (np.arange(len(members)) + 0.5) / len(members)
    order: NDArray[np.int64] = np.lexsort((rng.random(len(y)), place)).astype(np.int64)
    return order


def split_ids(raw: Raw, held_out: tuple[int, int], config: SplitConfig, *, seed: int, name: str) -> SplitIds:
    """Which sample goes where.

    Args:
        raw: the samples; `y`, `n_test`, `groups` and `fixed` are read.
        held_out: number of (validation, test) samples; the second is not used where the data have
            an official test set, which then stays the test set whatever the seed.
        config: calibration size and limits.
        seed: decides the division.
        name: data set name; two data sets are divided independently.

    Raises:
        InvalidInput: nothing would be left for training.
    """
    if (known := raw.fixed()) is not None:
        return _fixed(raw, known, config, seed=seed, name=name)
    if (groups := raw.groups()) is not None:
        return _fixed(raw, _grouped(raw, groups, held_out, seed, name), config, seed=seed, name=name)
    n_validation, n_test = held_out
    n_pool = len(raw.y) - raw.n_test
    pool = stratified_order(raw.y[:n_pool], stream(seed, "dataset", name, "split"))
    if raw.n_test:
        test = n_pool + stratified_order(raw.y[n_pool:], stream(seed, "dataset", name, "test"))
    else:
        test, pool = pool[:n_test], pool[n_test:]
    validation, train = pool[:n_validation], pool[n_validation:]
    if not (len(train) and len(validation) and len(test)):
        raise InvalidInput(
            f"{len(raw.y)} samples are too few to hold out {n_validation} for validation and still train and test."
        )
    train = _limit(train, config.limit_train)
    return SplitIds(
        train=train,
        calibration=train[: config.calibration],
        validation=_limit(validation, config.limit_validation),
        test=_limit(test, config.limit_test),
    )


def _grouped(
    raw: Raw, groups: NDArray[np.int64], held_out: tuple[int, int], seed: int, name: str
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Whole groups for training, validation and test: (k,) positions each.

    The groups come in a stratified order, by the class of each one's first sample; those that a part has no more room for
    go to training, so a part is at most as large as asked for, and smaller by less than its smallest such group.

    Raises:
        InvalidInput: one group holds nearly everything.
    """
    _, first, of = np.unique(groups, return_index=True, return_inverse=True)
    sizes, order = np.bincount(of), stratified_order(raw.y[first], stream(seed, "dataset", name, "groups"))
    part = np.zeros(len(sizes), np.int64)
    n_validation, n_test = held_out
    for number, room in ((2, n_test), (1, n_validation)):
        for group in order:
            if not part[group] and sizes[group] <= room:
                part[group] = number
                room -= sizes[group]
    found = tuple(np.flatnonzero(part[of] == number) for number in range(3))
    if not all(len(ids) for ids in found):
        raise InvalidInput(
            f"{len(raw.y):,} samples that belong together in {len(sizes):,} groups are too few to hold out {n_validation:,} "
            f"for validation and {n_test:,} for the test."
        )
    return found[0], found[1], found[2]


def _fixed(
    raw: Raw,
    known: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]],
    config: SplitConfig,
    *,
    seed: int,
    name: str,
) -> SplitIds:
    """A division that others have made; the seed decides the order alone."""
    train, validation, test = (
        ids[stratified_order(raw.y[ids], stream(seed, "dataset", name, part))]
        for ids, part in zip(known, ("train", "validation", "test"), strict=True)
    )
    train = _limit(train, config.limit_train)
    return SplitIds(
        train=train,
        calibration=train[: config.calibration],
        validation=_limit(validation, config.limit_validation),
        test=_limit(test, config.limit_test),
    )


def _limit(ids: NDArray[np.int64], limit: int) -> NDArray[np.int64]:
    return ids[:limit] if limit else ids


def fingerprint(splits: dict[str, Split], classes: tuple[str, ...]) -> str:
    """SHA-256 (hex) of the class names and of every split's arrays, in a fixed order."""
    digest = hashlib.sha256("\x1f".join(classes).encode())
    for name in SPLITS:
        split = splits[name]
        for array in (*split.arrays(), split.y, split.ids):
            digest.update(f"{name}{array.dtype.str}{array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()
