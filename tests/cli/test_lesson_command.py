"""`lesson` at a terminal: the shipped evidence is what anybody can compute."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from core.lessons.base import shipped
from core.lessons.recalibration import Config, Recalibrated, Recalibration

pytestmark = pytest.mark.slow

Call = Callable[..., tuple[int, str, str]]


def test_shipped_evidence_is_what_the_command_computes(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Fewer(Config):
        draws: int = 2

    monkeypatch.setattr(Recalibration, "Config", Fewer)
    file = tmp_path / "lesson.json"
    assert call("lesson", "recalibration", "--out", str(file))[0] == 0
    computed, known = Recalibrated.decode(file.read_bytes()), shipped(Recalibration())
    # Another machine may round another way: one of 359 images.
    np.testing.assert_allclose(computed.before, known.before, atol=0.003)
    np.testing.assert_allclose(np.array(computed.after), np.array(known.after)[:, :, :2], atol=0.003)


@pytest.mark.parametrize(("name", "words"), [("sandwhich", "sandwich"), ("dominance", "computes nothing")])
def test_what_cannot_be_computed_is_one_plain_line(call: Call, name: str, words: str) -> None:
    status, _, error = call("lesson", name)
    assert status in (1, 2)
    assert words in error
    assert error.count("\n") == 1
