"""`doctor --device`."""

from __future__ import annotations

import pytest

from core.cli.comparing_devices import compared
from core.device import Device, using
from core.errors import InvalidInput
from tests.helpers.fake_device import fake_device


@pytest.mark.slow
def test_it_says_how_near_they_are() -> None:
    with fake_device(room=2 << 30) as device:
        device.clock = lambda: 0.0
        lines = [*compared()]
    assert all(good for good, _ in lines)
    text = "\n".join(line for _, line in lines)
    assert "a strict device, float32: " in text
    assert "subnets of digits-cnn" in text
    assert "GB of its memory are free" in text
    assert "0 answers differ, 0 of them without being near-ties" in text


def test_the_processor_is_not_compared_with_itself() -> None:
    with using(Device()):
        assert [line for _, line in compared()] == [
            "The processor computes in float32; there is nothing to compare it with. Set PARETOSCOPE_DEVICE."
        ]


def test_a_setting_that_means_nothing_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARETOSCOPE_DEVICE", "tpu")
    with pytest.raises(InvalidInput, match="PARETOSCOPE_DEVICE must be one of"):
        list(compared())
