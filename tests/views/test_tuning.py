"""One subnet in four ways: gains, shares and sentences of planted numbers."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from core.library import supernets
from core.library.alone import AloneNet
from core.library.fronts import front
from core.library.tuned import TunedNet
from core.objectives.base import objective
from core.plots.front import front_figure
from core.views import trained
from core.views.tuning import ALONE, SCRATCH, SHARED, TUNED, as_text, rows, sentence, told


def net(start: str, seed: int, test: float, validation: float = 0.5) -> TunedNet:
    return TunedNet(
        model_id=f"tuned:r:{seed}",
        run_id="r",
        index=seed,
        sha256="",
        supernet_id="s",
        supernet_sha256="0",
        arch_id="a",
        start=start,  # type: ignore[arg-type]
        seed=seed,
        epochs=3,
        learning_rate=0.02,
        teacher=False,
        accuracy=validation,
        test_accuracy=test,
        inside={"accuracy": 0.8, "test_accuracy": 0.8},
        seconds=6.0,
        finished=True,
    )


def alone(seed: int, test: float) -> AloneNet:
    return AloneNet(
        model_id="",
        run_id="q",
        index=0,
        seed=seed,
        supernet_id="s",
        sha256="0",
        arch_id="a",
        epochs=60,
        learning_rate=0.1,
        accuracy=test,
        test_accuracy=test,
        inside={},
        seconds=90.0,
        of=1,
        finished=True,
    )


NETS = [
    net("tuned", 1, 0.84, 0.91),
    net("scratch", 1, 0.82),
    net("tuned", 2, 0.86, 0.90),
    net("scratch", 2, 0.84),
]


def test_every_way_with_its_band_and_what_it_says() -> None:
    found = told(NETS, [alone(1, 0.87), alone(2, 0.89)])
    assert [way.name for way in found.ways] == [SHARED, TUNED, SCRATCH, ALONE]
    tuned = found.way(TUNED)
    assert tuned is not None
    assert (tuned.test_accuracy.mean, tuned.test_accuracy.low, tuned.test_accuracy.high) == pytest.approx(
        (0.85, 0.84, 0.86)
    )
    assert (found.gain, found.of_training) == pytest.approx((0.05, 0.03))
    assert found.short == pytest.approx((0.08, 0.03))
    assert found.best == "tuned:r:1", "by validation accuracy, not by test"
    assert "60 % of the gain is training" in sentence(found)
    assert "8.0 points above the subnet as shared and 3.0 points above the tuned one" in sentence(found)
    assert found.verdict.startswith("Tuning has more test accuracy")
    assert "in 2 of 2 equal seeds. No verdict" in found.verdict
    assert [row["n"] for row in rows(found)] == ["", "2", "2", "2"]
    assert as_text(found).count("\n") >= 5


def test_six_seeds_are_judged() -> None:
    many = [
        net(start, seed, 0.8 + gain + 0.001 * seed)
        for seed in range(6)
        for start, gain in (("tuned", 0.05), ("scratch", 0.02))
    ]
    assert "tuning is better on average" in told(many).verdict
    level = [
        replace(one, test_accuracy=0.8 + 0.001 * (one.seed * (1 if one.start == "tuned" else -1) % 7))
        for one in many
    ]
    assert "A tie" in told(level).verdict


@pytest.mark.parametrize(
    ("tuned", "scratch", "words"),
    [
        (0.84, 0.85, "all of the gain is training"),
        (0.84, 0.70, "from scratch reaches 70.0 % in as many epochs."),
        (0.78, 0.85, "by −2.0 points"),
        (0.78, 0.85, "from scratch reaches 85.0 % in as many epochs."),
    ],
)
def test_nothing_is_claimed_that_is_not_there(tuned: float, scratch: float, words: str) -> None:
    assert words in sentence(told([net("tuned", 1, tuned), net("scratch", 1, scratch)]))


def test_an_unfinished_run_says_what_there_is() -> None:
    first = told(NETS[:1])
    assert math.isnan(first.of_training)
    assert math.isnan(first.short[0])
    assert first.verdict == ""
    assert "from scratch" not in sentence(first)
    assert sentence(told([net("scratch", 1, 0.8)])) == "Nothing is tuned yet."


def test_points_beside_the_front_are_means_over_seeds_with_counted_costs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    entry = supernets.find(None, "digits-lesson")
    space = entry.space
    arch_id = space.arch_id(space.smallest)
    nets = [replace(one, arch_id=arch_id, supernet_sha256=entry.sha256) for one in NETS]
    # The same seed once more is no further seed; a network of other weights of the supernet is another training.
    nets += [replace(nets[0], test_accuracy=0.1), replace(nets[0], supernet_sha256="1", seed=9)]
    monkeypatch.setattr(trained, "list_tuned", lambda store, supernet_id: nets)
    monkeypatch.setattr(
        trained,
        "list_alone",
        lambda store, supernet_id: [replace(alone(5, 0.9), arch_id=arch_id, sha256=entry.sha256)],
    )
    found = trained.trained_points(None, entry)
    assert found["title"].tolist() == [
        f"{arch_id} tuned, 3 epochs (n = 2)",
        f"{arch_id} from scratch, 3 epochs (n = 2)",
        f"{arch_id} trained alone, 60 epochs (n = 1)",
    ]
    assert found["test_accuracy"].tolist() == pytest.approx([0.85, 0.83, 0.9])
    macs = supernets.counted(entry, space.from_ids([arch_id]), "macs")[0]
    assert found["macs"].tolist() == [macs] * 3
    table = supernets.table(entry)
    assert table is not None
    view = front(table, ("macs", "accuracy"))
    goals = (objective("macs"), objective("accuracy"))
    [stars] = [t for t in front_figure(view.table, *goals, trained=found).data if t.name == "trained"]
    assert list(stars.customdata) == [arch_id] * 3, "a click selects the subnet of that architecture"
    assert [float(y) for y in stars.y] == pytest.approx([100 * a for a in found["accuracy"]])
    monkeypatch.setattr(trained, "list_tuned", lambda store, supernet_id: [])
    monkeypatch.setattr(trained, "list_alone", lambda store, supernet_id: [])
    assert len(trained.trained_points(None, entry)) == 0
