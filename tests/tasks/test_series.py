"""What may be done to clips in training: moved, louder, noisier, silenced for a moment; and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from core.datasets import load_dataset
from core.tasks.base import task_of
from core.tasks.series import SeriesConfig, masked, shifted


def test_a_moved_clip_leaves_silence_and_never_comes_round() -> None:
    x = np.arange(1.0, 9, dtype=np.float32).reshape(1, 1, 8).repeat(3, 0)
    found = shifted(x, np.array([0.25, -0.25, 0.0]))
    assert found[:, 0].tolist() == [
        [0, 0, 1, 2, 3, 4, 5, 6],
        [3, 4, 5, 6, 7, 8, 0, 0],
        [1, 2, 3, 4, 5, 6, 7, 8],
    ]


def test_one_stretch_is_silenced_and_no_longer_than_said() -> None:
    x = np.ones((200, 2, 40), np.float32)
    found = masked(x, 0.3, np.random.default_rng(0))
    gone = found == 0
    assert (gone[:, 0] == gone[:, 1]).all(), "all channels together"
    sizes = gone[:, 0].sum(1)
    assert 0 < sizes.max() <= 12
    for row in gone[:, 0]:
        assert np.abs(np.diff(row.astype(int))).sum() <= 2, "one stretch"
    assert gone[:, 0, 0].any()
    assert gone[:, 0, -1].any(), "the ends too"


def test_louder_clips_are_the_same_clips() -> None:
    data = load_dataset("tones", clips=240, calibration=24)
    known = dict(zip(data.train.ids.tolist(), data.train.x, strict=True))
    ratios = []
    for batch in task_of(data).epoch(
        data, batch_size=24, seed=0, epoch=0, augmentation={"shift": 0, "gain": 12}
    ):
        for row, number in zip(batch.inputs.numpy(), batch.ids.tolist(), strict=True):
            ratio = row / known[number]
            np.testing.assert_allclose(ratio, ratio.flat[0], rtol=1e-4)
            ratios.append(20 * np.log10(float(ratio.flat[0])))
    assert -12 <= min(ratios) < -8
    assert 8 < max(ratios) <= 12


@pytest.mark.parametrize("shape", [(0, 10), (1, 0), (300, 10), (1, 10**9)])
def test_impossible_series_are_refused(shape: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="channels and a length"):
        SeriesConfig(input_shape=shape)


def test_random_clips_are_sounds() -> None:
    config = SeriesConfig(input_shape=(2, 50))
    x = task_of(load_dataset("tones", clips=240, calibration=24)).random_inputs(
        config, 30, torch.Generator().manual_seed(0)
    )
    assert x.shape == (30, 2, 50)
    assert x.abs().max() <= 1
    assert x.std((1, 2)).max() > 2 * x.std((1, 2)).min(), "of different loudness"


def test_tones_are_told_apart_by_what_they_do_and_not_by_loudness_or_pitch() -> None:
    data = load_dataset("tones", clips=800, calibration=24)
    loud = np.log(np.abs(data.train.x).max((1, 2)))
    spectrum = np.abs(np.fft.rfft(data.train.x[:, 0]))
    pitch = spectrum[:, 100:].argmax(1)
    for value in (loud, pitch.astype(float)):
        means = [value[data.train.y == label].mean() for label in range(len(data.classes))]
        within = np.mean([value[data.train.y == label].std() for label in range(len(data.classes))])
        assert np.ptp(means) < within, "no class can be known by it"
