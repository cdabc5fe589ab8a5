"""Is the order right that a supernet puts its subnets in? Some are dealt, and each is trained alone.

A lesson trains them all; in a class every student trains one or two, and all of them are put together. What is
trained is what `core.workflows.train_alone` trains with the same seed, to the last bit; nothing is kept but the number.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

import numpy as np

from core.device import chosen_device
from core.errors import InvalidInput
from core.library import supernets
from core.library.alone import JUDGED
from core.library.results import Part
from core.library.trainings import training_of
from core.seeding import stream, torch_seed

if TYPE_CHECKING:
    from core.library.supernets import SupernetEntry

FEWEST = 8
"""Fewer have no order worth speaking of."""


class Alone(Part):
    """What one subnet's architecture learned alone.

    Attributes:
        arch_id: of the architecture.
        seed: of weights and order.
        accuracy: share of the test samples.
    """

    arch_id: str
    seed: int
    accuracy: float


def deal(entry: SupernetEntry, n: int, seed: int) -> tuple[str, ...]:
    """Ids of n different subnets, drawn at random; equal seeds deal equal ones, and fewer are the first of more.

    Raises:
        InvalidInput: the space has fewer than `FEWEST`.
    """
    size = entry.space.size
    if size < FEWEST:
        raise InvalidInput(f"{entry.title} has {size} subnets: too few to speak of an order.")
    rng, found = stream(seed, "ranking", "dealt"), dict[str, None]()
    while len(found) < min(n, size):
        found |= dict.fromkeys(entry.space.arch_ids(entry.space.sample_array(n, rng)))
    return tuple(found)[:n]


def inside(entry: SupernetEntry, arch_ids: tuple[str, ...]) -> tuple[float, ...]:
    """Test accuracy of subnets with the supernet's weights, as its table says; no torch.

    Raises:
        InvalidInput: the supernet is not measured whole.
    """
    table = supernets.table(entry)
    if table is None or JUDGED not in table:
        raise InvalidInput(
            "This supernet's subnets are not measured yet: measure all of them on the Front page first."
        )
    known = dict(zip(table["arch_id"], table[JUDGED].astype(float), strict=True))
    return tuple(known.get(arch_id, float("nan")) for arch_id in arch_ids)


def train_one(entry: SupernetEntry, arch_id: str, seed: int) -> Generator[float, None, Alone]:
    """Train one architecture alone, as its supernet was trained; yields the share that is done. Loads torch.

    Raises:
        InvalidInput: there is no such architecture.
        DataUnavailable: the data are neither here nor reachable.
        CoreError: training diverged.
    """
    import torch

    from core.networks.answers import accuracy
    from core.networks.calibration import recalibrate
    from core.networks.chain import fresh_like
    from core.training.plain import PlainStep, fit

    dataset, supernet = supernets.dataset(entry), supernets.load(entry)
    config, _ = training_of(entry, seed=seed)
    arch = entry.space.from_id(arch_id)
    device = chosen_device()
    net = fresh_like(supernet.extract(arch, supernet.calibrate_on(arch, dataset)), seed).requires_grad_(True)
    device.move(net)
    order = torch_seed(seed, "alone", "order")
    for at in fit(PlainStep(net, dataset, config), dataset, config, order_seed=order, what="a subnet alone"):
        if at.last:
            yield at.share
    recalibrate(net, torch.from_numpy(dataset.calibration.x))
    device.leave(net.requires_grad_(False))
    return Alone(arch_id=arch_id, seed=seed, accuracy=round(accuracy(net, dataset, "test"), 6))


def mean_ranks(values: tuple[float, ...]) -> tuple[float, ...]:
    """Ranks of values that are better the larger they are: 1 is best, ties share the mean; NaN stays NaN."""
    v = np.asarray(values, float)
    ahead = (v[None, :] > v[:, None]).sum(axis=1)
    level = (v[None, :] == v[:, None]).sum(axis=1)
    return tuple(np.where(np.isfinite(v), ahead + (level + 1) / 2, np.nan).tolist())
