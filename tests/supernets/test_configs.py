"""Configurations come from strangers' files too: what cannot be built or run is refused in one sentence."""

from __future__ import annotations

import pytest
import torch

from core.errors import InvalidInput
from core.supernets import FAMILIES
from core.supernets.files import build
from tests.helpers.families import IMAGE_FAMILIES

IMPOSSIBLE = {
    "no height": {"input_shape": (1, 0, 0)},
    "negative size": {"input_shape": (1, -8, -8)},
    "no channels": {"input_shape": (0, 8, 8)},
    "memory bomb": {"input_shape": (1, 1 << 30, 1 << 30)},
    "no classes": {"classes": 0},
    "negative classes": {"classes": -1},
    "more classes than anyone has": {"classes": 10**9},
    "division by zero": {"pixel_std": (0.0,)},
    "negative spread": {"pixel_std": (-1.0,)},
    "not a number": {"pixel_mean": (float("nan"),)},
    "infinite": {"pixel_std": (float("inf"),)},
    "two constants for three channels": {"input_shape": (3, 8, 8), "pixel_mean": (0.1, 0.2)},
    "three constants for one channel": {"pixel_mean": (0.1, 0.2, 0.3)},
    "no constants": {"pixel_mean": ()},
}


@pytest.mark.parametrize("family", IMAGE_FAMILIES)
@pytest.mark.parametrize("case", IMPOSSIBLE)
def test_impossible_images_are_refused(family: str, case: str) -> None:
    with pytest.raises(InvalidInput, match=f"The {family} configuration is wrong"):
        build(family, IMPOSSIBLE[case])


@pytest.mark.parametrize("family", IMAGE_FAMILIES)
def test_one_constant_may_serve_all_channels(family: str) -> None:
    shape = (3, 8, 8)
    config = FAMILIES.get(family).example(shape).model_dump(mode="json")
    one = build(family, config | {"pixel_mean": (0.2,), "pixel_std": (0.5,)})
    three = build(family, config | {"pixel_mean": (0.2,) * 3, "pixel_std": (0.5,) * 3})
    three.load_state_dict(one.state_dict())
    images = torch.rand(5, *shape)
    assert torch.equal(one(images, one.largest), three(images, three.largest))
    statistics = one.calibrate(one.largest, images)
    torch.testing.assert_close(
        one.extract(one.largest, statistics)(images), one(images, one.largest, statistics)
    )


@pytest.mark.parametrize(
    "settings",
    [
        {"input_shape": (1, 8, 10)},
        {"patch": 3},
        {"groups": [{"widths": [8, 4]}]},
        {"groups": [{"widths": [4, 4]}]},
        {"groups": [{"widths": []}]},
        {"groups": [{"widths": [4], "heads": [0, 1]}]},
        {"groups": [{"widths": [4], "depths": [17]}]},
        {"groups": []},
    ],
)
def test_an_impossible_transformer_is_refused(settings: dict) -> None:
    with pytest.raises(InvalidInput, match="The elastic_vit configuration is wrong"):
        build("elastic_vit", settings)
