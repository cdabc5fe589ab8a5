"""Pictures and texts of samples as HTML."""

from __future__ import annotations

import numpy as np

from core.plots.pictures import image_strip, sample_strip


def test_texts_are_escaped_cut_and_marked() -> None:
    made = sample_strip(["<b>open</b> the door", "x" * 400], ["class & value", "other"], marked=[False, True])
    assert "<b>" not in made
    assert "&lt;b&gt;open" in made
    assert "class &amp; value" in made
    assert "x" * 161 not in made
    assert made.count("ps-marked") == 1
    assert made.count("<li") == 2


def test_images_are_drawn_as_ever() -> None:
    images = np.zeros((2, 1, 4, 4), np.float32)
    assert sample_strip(images, ["a", "b"], size=9) == image_strip(images, ["a", "b"], size=9)
