"""Pictures of sounds: inked where the sound reaches, each to its own loudness, silence a line."""

from __future__ import annotations

import numpy as np

from core.plots.waveforms import waveform_pictures


def test_a_picture_is_inked_from_the_lowest_to_the_highest_sample() -> None:
    ends = np.array([[[-0.5, 0.0, -0.1], [0.0, 0.5, 0.1]], np.zeros((2, 3)), [[-0.01] * 3, [0.01] * 3]])
    found = waveform_pictures(ends.astype(np.float32), height=41)
    assert found.shape == (3, 1, 41, 3)
    inked = found[:, 0] < 0.5
    assert inked[0, 20:, 0].sum() == 19
    assert not inked[0, :20, 0].any(), "low samples hang down"
    assert inked[0, :21, 1].sum() == 19
    assert 1 < inked[0, :, 2].sum() < 19
    assert inked[1].sum(0).tolist() == [1, 1, 1], "silence is a line"
    assert inked[2].sum(0).tolist() == [37, 37, 37], "a soft sound is drawn as large as a loud one"
    assert found.min() > 0
    assert found.max() < 1
