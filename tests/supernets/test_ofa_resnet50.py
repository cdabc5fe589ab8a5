"""Once-for-all's ResNet-50: its published widths and space, channels that change places, images of any shape."""

from __future__ import annotations

import pytest
import torch
from pydantic import ValidationError

from core.networks.outline import outline
from core.supernets.ofa_resnet50 import OFAResNet50, OFAResNet50Config
from core.supernets.resnet_stages import BottleneckStage
from core.supernets.widths import make_divisible
from tests.helpers.nets import disturb

PUBLISHED = {
    "input_shape": (3, 224, 224),
    "classes": 1000,
    "resolutions": (128, 224),
    "stem_channels": 64,
    "stem_stride": 2,
    "stem_pool": 2,
    "channels": (256, 512, 1024, 2048),
}


def test_the_published_widths_and_costs() -> None:
    """Widths as the authors' make_divisible gives them; the largest has the parameters of their largest file."""
    with outline():
        net = OFAResNet50(OFAResNet50Config.model_validate(PUBLISHED))
    blocks = [stage for stage in net.chain if isinstance(stage, BottleneckStage)]
    firsts = [stage for stage in blocks if stage.first]
    assert [len([s for s in blocks if s.place.group == g]) for g in (1, 2, 3, 4)] == [4, 4, 6, 4]
    assert [tuple(stage.place.width.channels.values()) for stage in firsts] == [
        (168, 208, 256),
        (336, 408, 512),
        (664, 816, 1024),
        (1328, 1640, 2048),
    ]
    assert firsts[0].inner == {
        **{(0.65, 0.2): 32, (0.65, 0.25): 40, (0.65, 0.35): 56},
        **{(0.8, 0.2): 40, (0.8, 0.25): 56, (0.8, 0.35): 72},
        **{(1.0, 0.2): 48, (1.0, 0.25): 64, (1.0, 0.35): 88},
    }
    assert sum(cost.params for cost in net.costs(net.largest)) == 48_105_992
    # Two stems, three widths of each part and of each group, and 3^blocks expansions at every depth.
    per_group = [3 * sum(3 ** (base + extra) for extra in (0, 1, 2)) for base in (2, 2, 4, 2)]
    assert net.space.size == 2 * 2 * 9 * torch.tensor(per_group).prod().item()


def test_rounding_never_takes_more_than_a_tenth() -> None:
    assert [make_divisible(n) for n in (3, 11, 12, 41.6, 166.4)] == [8, 16, 16, 40, 168]
    assert all(make_divisible(n) >= 0.9 * n for n in range(8, 500))


def test_sorted_channels_change_no_answer_of_the_largest_and_come_by_importance() -> None:
    torch.manual_seed(0)
    net = disturb(OFAResNet50(OFAResNet50.example((1, 8, 8))))
    images = torch.rand(12, 1, 8, 8)
    with torch.no_grad():
        before, small = net(images, net.largest), net(images, net.smallest)
        net.sort_channels()
        torch.testing.assert_close(net(images, net.largest), before, atol=1e-5, rtol=1e-5)
        assert not torch.allclose(net(images, net.smallest), small, atol=1e-3)
    for stage in net.chain:
        if isinstance(stage, BottleneckStage):
            for following in (stage.conv2, stage.conv3):
                importance = following.weight.abs().sum((0, 2, 3))
                assert (importance.diff() <= 1e-6).all()


def test_images_that_are_not_square_are_not_resized() -> None:
    example = OFAResNet50.example((1, 8, 8)).model_copy(update={"input_shape": (1, 6, 10), "resolutions": ()})
    net = OFAResNet50(example)
    assert "resolution" not in net.space.position
    assert net.costs(net.largest)[0].output_shape[1:] == (6, 10)
    assert net(torch.rand(2, 1, 6, 10), net.largest).shape == (2, 10)


@pytest.mark.parametrize(
    "wrong",
    [
        {"expand_ratios": (0.35, 0.2)},
        {"width_multipliers": ()},
        {"extra_depths": (0, 40)},
        {"base_depths": (1,)},
        {"channels": (0, 8)},
        {"resolutions": (224, 128)},
        {"resolutions": (10**6,)},
    ],
)
def test_impossible_settings_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        OFAResNet50Config.model_validate({**OFAResNet50.example((1, 8, 8)).model_dump(), **wrong})
