"""Lesson 5 measures what the pages show, counts as they do, and goes on where it was cut."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from core.lessons.base import SUPERNET, Shown, shipped
from core.lessons.recalibration import Recalibration, _with_those_of_the_largest
from core.lessons.trainings import SIZES, middle
from core.library import supernets
from tests.lessons.small import resumed

LESSON = Recalibration()
ENTRY = supernets.find(None, SUPERNET)


@pytest.mark.slow
def test_it_goes_on_from_a_checkpoint_to_the_same_bits() -> None:
    assert resumed("recalibration", (0,), draws=2) == [1]


def test_its_own_calibration_images_give_what_the_pages_show() -> None:
    table = supernets.table(ENTRY)
    assert table is not None
    known = dict(zip(table["arch_id"], table["accuracy"], strict=True))
    (link,) = LESSON.further(shipped(LESSON))
    space = ENTRY.space
    for size, arch in zip(SIZES, (space.smallest, middle(space), space.largest), strict=True):
        assert link.numbers[size] == pytest.approx(known[space.arch_id(arch)], abs=5e-5)


def test_statistics_of_the_largest_are_wrong_for_a_part_and_right_for_itself() -> None:
    """An extracted network whose BatchNorm layers got the first of the largest one's numbers answers the same."""
    net, data = supernets.load(ENTRY), supernets.dataset(ENTRY)
    space = net.space
    (said,) = _with_those_of_the_largest(net, data, (space.smallest,))
    small, large = (net.extract(a, net.calibrate_on(a, data)) for a in (space.smallest, space.largest))
    norms = ([m for m in part.modules() if isinstance(m, nn.BatchNorm2d)] for part in (small, large))
    for own, of in zip(*norms, strict=True):
        own.running_mean.copy_(of.running_mean[: len(own.running_mean)])
        own.running_var.copy_(of.running_var[: len(own.running_var)])
    with torch.inference_mode():
        answers = small(torch.from_numpy(data.validation.x)).argmax(1).numpy()
    assert said == round(float((answers == data.validation.y).mean()), 4)
    evidence = shipped(LESSON)
    assert evidence.before[0] == said
    assert evidence.before[2] == evidence.shown[2]


def test_bars_that_are_not_revealed_are_not_in_the_figure() -> None:
    evidence = shipped(LESSON)
    before, after = (
        LESSON.figure(evidence, Shown({"images": "64"}, revealed=seen)) for seen in (False, True)
    )
    assert len(before.hidden) == 2
    assert all(np.isnan(before.series[label]).all() for label in before.hidden)
    assert before.names == after.names == SIZES
    means = [100 * np.mean(each[evidence.images.index(64)]) for each in evidence.after]
    assert after.series["own, from 64 images, as chosen"] == pytest.approx(means)
