"""The severity table of the shipped digits net: within tolerance, well above chance, kept on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.cache import Cache
from core.datasets.corruptions import names_for
from core.library import severities as robustness
from core.library.activations import ProbeChoice, probe_of
from core.library.networks import Model, load_model
from core.networks.answers import predictions
from tests.helpers.attacking import fgsm, pgd


@pytest.fixture(scope="module")
def largest() -> Model:
    return load_model(None, "subnet:digits-cnn:311131113111")


@pytest.fixture(scope="module")
def table(largest: Model, tmp_path_factory: pytest.TempPathFactory) -> robustness.Severities:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PARETOSCOPE_HOME", str(tmp_path_factory.mktemp("home")))
        return robustness.severity_table(largest)


@pytest.mark.slow
def test_severity_5_is_hard_but_not_chance(largest: Model, table: robustness.Severities) -> None:
    assert sorted(table) == names_for("image")
    probe = probe_of(largest, robustness.CALIBRATION_PROBE)
    for name, found in table.items():
        accuracy = np.mean(predictions(largest.net, robustness.corrupted(probe, table, name, 5).x) == probe.y)
        assert accuracy == pytest.approx(found.accuracy)
        assert found.accuracy > 0.4, name
        assert list(found.strengths) == sorted(found.strengths)
        if found.reached:
            assert found.accuracy == pytest.approx(found.clean - 0.35, abs=0.02), name
        else:
            assert found.reason.endswith("."), name
    assert sum(found.reached for found in table.values()) >= 13


@pytest.mark.slow
def test_calibration_carries_over_to_the_test_images(largest: Model, table: robustness.Severities) -> None:
    probe = probe_of(largest, ProbeChoice(split="test"))
    for name, found in table.items():
        accuracy = np.mean(predictions(largest.net, robustness.corrupted(probe, table, name, 5).x) == probe.y)
        assert accuracy == pytest.approx(found.accuracy, abs=0.1), name


@pytest.mark.slow
def test_kept_in_memory_and_on_disk(
    largest: Model, table: robustness.Severities, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert robustness.severity_table(largest) is table
    monkeypatch.setenv("PARETOSCOPE_HOME", str(tmp_path))
    monkeypatch.setattr(robustness, "_tables", Cache(16))
    made: list[str] = []

    def instead(*_: object) -> dict[str, object]:
        made.append("made")
        return dict(table)

    monkeypatch.setattr(robustness, "_calibrated", instead)
    robustness.severity_table(largest)
    (file,) = (tmp_path / "severities").glob("*.json")
    monkeypatch.setattr(robustness, "_tables", Cache(16))
    assert robustness.severity_table(largest) == table
    assert made == ["made"]
    file.write_text("[{}]", encoding="utf-8")
    monkeypatch.setattr(robustness, "_tables", Cache(16))
    assert robustness.severity_table(largest) == table
    assert made == ["made", "made"]


def test_corrupted_probes(largest: Model, table: robustness.Severities) -> None:
    probe = probe_of(largest, ProbeChoice(n=50))
    same = robustness.corrupted(probe, table, "fog", 0)
    np.testing.assert_array_equal(same.x, probe.x)
    assert same.fingerprint == probe.fingerprint
    foggy = robustness.corrupted(probe, table, "fog", 3)
    assert foggy.x is robustness.corrupted(probe, table, "fog", 3).x
    assert foggy.fingerprint not in (
        probe.fingerprint,
        robustness.corrupted(probe, table, "fog", 4).fingerprint,
    )
    with pytest.raises(ValueError, match="read-only"):
        foggy.x[0] = 0


def test_attacks_on_the_shipped_net(largest: Model) -> None:
    probe = probe_of(largest, ProbeChoice(n=200))
    clean = predictions(largest.net, probe.x) == probe.y
    np.testing.assert_array_equal(fgsm(largest.net, probe.x, probe.y, 0), probe.x)
    one = predictions(largest.net, fgsm(largest.net, probe.x, probe.y, 0.1)) == probe.y
    many = predictions(largest.net, pgd(largest.net, probe.x, probe.y, 0.1, ids=probe.ids)) == probe.y
    assert many.mean() <= one.mean() < clean.mean()
    assert not any(module.training for module in largest.net.modules())
    assert all(parameter.grad is None for parameter in largest.net.parameters())
