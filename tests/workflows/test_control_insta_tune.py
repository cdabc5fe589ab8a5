"""InstaTune and its controls as a job: what is compared, that it resumes, and what is said of it."""

from __future__ import annotations

import copy
import json
from typing import Any

import numpy as np
import pytest
import torch

from core.datasets import load_dataset
from core.errors import InvalidInput
from core.library import supernets
from core.library.library import Library
from core.library.order_controls import (
    ALONE,
    CUT,
    CUT_RANDOM,
    TUNED,
    TUNED_RANDOM,
    WAYS,
    OrderControlsRecord,
    Reached,
)
from core.networks.chain import fresh_like
from core.plots.order_controls import order_controls_figure
from core.store import MemoryLedger
from core.supernets.elastic_vit import ElasticViT, ElasticViTConfig, TokenGroupConfig
from core.supernets.files import dump_supernet, load_supernet
from core.supernets.ordering import order_units
from core.training.alone import train_alone
from core.training.config import TrainingConfig
from core.training.loop import train
from core.views import order_controls as view
from core.workflows import control_insta_tune
from core.workflows.control_insta_tune import Request, three_sizes
from tests.helpers.earlier_parts import EarlierLedger
from tests.helpers.elsewhere import InCalls
from tests.training.small import digits, fresh_net

pytestmark = pytest.mark.slow

SMALL = {"limit_train": 96, "calibration": 64, "limit_validation": 200, "limit_test": 100}


@pytest.fixture(scope="module")
def entry() -> supernets.SupernetEntry:
    """A transformer whose largest subnet was trained a little."""
    torch.manual_seed(0)
    group = TokenGroupConfig(widths=(8, 16), depths=(1, 2), heads=(1, 2), mlp_ratios=(1, 2))
    net = ElasticViT(
        ElasticViTConfig(groups=(group,), patch=4, head_size=4, pixel_mean=(0.3,), pixel_std=(0.38,))
    )
    config = TrainingConfig(
        strategy="largest_alone", epochs=8, batch_size=16, optimizer="adamw", learning_rate=0.01
    )
    list(train(net, digits(), config, MemoryLedger()))
    data = load_dataset("digits", **SMALL)
    card = {
        "title": "Given",
        "data": {"name": "digits", "config": SMALL, "seed": 0, "fingerprint": data.fingerprint},
    }
    return supernets.from_bytes(dump_supernet(net, card), title="Given", supernet_id="given")


@pytest.fixture(autouse=True)
def found(entry: supernets.SupernetEntry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supernets, "resolve", lambda store, name: entry)


def request(**changes: Any) -> Request:
    training = {"batch_size": 32}
    return Request.model_validate(
        {"supernet": "given", "epochs": 2, "seeds": 2, "seed": 4, "training": training, **changes}
    )


def ended(ledger: MemoryLedger, asked: Request) -> OrderControlsRecord:
    list(control_insta_tune.run(asked, ledger, Library()))
    record = OrderControlsRecord.so_far(ledger)
    assert record is not None
    return record


@pytest.fixture(scope="module")
def whole(entry: supernets.SupernetEntry) -> OrderControlsRecord:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(supernets, "resolve", lambda store, name: entry)
        return ended(MemoryLedger(), request())


def test_every_subnet_is_got_in_every_way_with_every_seed(whole: OrderControlsRecord) -> None:
    got = {(each.way, each.seed, each.size) for each in whole.reached}
    assert got == {(way, seed, size) for way in WAYS for seed in (4, 5) for size in range(3)}
    assert [(each.seed, each.way) for each in whole.reached[::3]] == [
        (seed, way) for seed in (4, 5) for way in (CUT, TUNED, CUT_RANDOM, TUNED_RANDOM, ALONE)
    ], "in one order, whichever training ended first"
    assert whole.macs[0] < whole.macs[1] < whole.macs[2]
    for each in whole.reached:
        assert (each.epochs > 0) == (each.seconds > 0) == (each.way not in (CUT, CUT_RANDOM))
    # The largest is the given network, whatever the order, until something is trained.
    assert {
        each.test_accuracy for each in whole.reached if each.way in (CUT, CUT_RANDOM) and each.size == 2
    } == {whole.given}
    assert len({each.test_accuracy for each in whole.of(CUT, 0).values()}) == 1, "an order without chance"


def test_what_is_cut_and_tuned_is_what_the_parts_do_by_themselves(
    whole: OrderControlsRecord, entry: supernets.SupernetEntry
) -> None:
    net, _ = load_supernet(entry.read())
    data = load_dataset("digits", **SMALL)
    smallest = three_sizes(net)[0]

    def accuracies(made: Any) -> tuple[float, float]:
        found = []
        for split in (data.validation, data.test):
            batch = made.task.batch(data, split)
            with torch.no_grad():
                found.append(float((made(batch.inputs, smallest).argmax(1) == batch.targets).float().mean()))
        return found[0], found[1]

    cuts = set()
    for way, criterion, seed in (
        (CUT, "taylor", 4),
        (CUT_RANDOM, "random_units", 4),
        (CUT_RANDOM, "random_units", 5),
    ):
        cut = copy.deepcopy(net)
        order_units(cut, criterion, data, seed)
        reached = whole.of(way, 0)[seed]
        assert (reached.accuracy, reached.test_accuracy) == pytest.approx(accuracies(cut))
        cuts.add(accuracies(cut))
    assert len(cuts | {accuracies(net)}) > 2, "orders differ in what they leave the smallest"
    settings = {**whole.training, "strategy": "insta_tune", "seed": 5}
    config = TrainingConfig.model_validate({**settings, "strategy_config": {"criterion": "random_units"}})
    tuned = copy.deepcopy(net)
    list(train(tuned, data, config, MemoryLedger()))
    reached = whole.of(TUNED_RANDOM, 0)[5]
    assert (reached.accuracy, reached.test_accuracy) == pytest.approx(accuracies(tuned))


def test_training_alone_takes_the_time_that_tuning_took(whole: OrderControlsRecord) -> None:
    assert set(whole.planned) == {
        f"{seed} {size}" for seed in (4, 5) for size in ("smallest", "median", "largest")
    }
    for each in whole.reached:
        if each.way == ALONE:
            assert each.epochs == whole.planned[f"{each.seed} {view.SIZES[each.size]}"]
    # Epochs of a small network are short: more of them fit.
    assert whole.planned["4 smallest"] >= whole.planned["4 largest"]


def test_a_run_that_was_cut_goes_on_to_the_same_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control_insta_tune, "_fitting", lambda *_: 2)
    asked = request(seeds=1)

    uncut = MemoryLedger()
    ended(uncut, asked)
    for patience in (4, 9, 14):
        ledger = MemoryLedger()
        work = control_insta_tune.run(asked, ledger, Library())
        for _ in range(patience):
            next(work)
        work.close()
        ended(ledger, asked)
        assert plain(ledger) == plain(uncut)


def plain(ledger: MemoryLedger) -> list[dict[str, Any]]:
    record = OrderControlsRecord.so_far(ledger)
    assert record is not None
    return [each.model_dump(exclude={"seconds"}) for each in record.reached]


def test_elsewhere_it_comes_to_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control_insta_tune, "_fitting", lambda *_: 2)
    here, there = MemoryLedger(), MemoryLedger()
    ended(here, request(seeds=1))
    monkeypatch.setattr(control_insta_tune, "chosen", lambda _: InCalls())
    ended(there, request(seeds=1))
    assert plain(there) == plain(here)
    rows = [
        [{n: v for n, v in row.items() if n not in ("seconds", "memory")} for row in ledger.metrics()]
        for ledger in (here, there)
    ]
    assert rows[0] == rows[1]


def test_a_half_done_run_of_an_earlier_release_is_taken_up(
    entry: supernets.SupernetEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two trainings are done, and of the network that is trained alone one of two epochs."""
    monkeypatch.setattr(control_insta_tune, "_fitting", lambda *_: 2)
    whole, ledger = MemoryLedger(), MemoryLedger()
    record = ended(whole, request(seeds=1))
    done = tuple(each for each in record.reached if each.way != ALONE)
    record.model_copy(update={"reached": done, "planned": {"4 smallest": 2}}).save(ledger)
    net, data = load_supernet(entry.read())[0], load_dataset("digits", **SMALL)
    smallest = three_sizes(net)[0]
    alone = fresh_like(net.extract(smallest, net.calibrate_on(smallest, data)), 4)
    config = TrainingConfig.model_validate({**record.training, "seed": 4, "epochs": 2})
    earlier: Any = EarlierLedger(ledger, 2)
    steps = train_alone(alone, data, config, earlier)
    while not ledger.metrics():
        next(steps)
    [(kept, row)] = [(row["step"], row) for row in ledger.metrics()]
    ended(ledger, request(seeds=1))
    assert plain(ledger) == plain(whole)
    assert {row["step"]: row for row in ledger.metrics()}[kept] == row, (
        "its first epoch was not trained again"
    )


def test_without_training_alone_there_is_none() -> None:
    record = ended(MemoryLedger(), request(alone=False, seeds=1, epochs=1))
    assert {each.way for each in record.reached} == set(WAYS) - {ALONE}
    assert not record.planned
    said = view.sentences(view.order_controls(record))
    assert said[-1].startswith("No verdict")
    assert not any("training alone" in each for each in said)


def test_what_cannot_be_controlled_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidInput, match="InstaTune: no_such"):
        ended(MemoryLedger(), request(strategy={"no_such": 1}))
    net = fresh_net()
    other = supernets.from_bytes(
        dump_supernet(net, {"title": "x", "data": {"name": "digits", "config": SMALL, "seed": 0}}),
        title="x",
        supernet_id="x",
    )
    monkeypatch.setattr(supernets, "resolve", lambda store, name: other)
    with pytest.raises(InvalidInput, match="cannot change places"):
        ended(MemoryLedger(), request())


# --- what is said of it -----------------------------------------------------------------------------------------------


def record_of(whole: OrderControlsRecord, values: dict[str, list[float]], seeds: int) -> OrderControlsRecord:
    """The record with these accuracies of the smallest subnet, by way and seed, and 0.9 of all others."""
    reached = [
        Reached(
            way=way,
            seed=seed,
            size=size,
            accuracy=0.5,
            test_accuracy=values[way][seed] if size == 0 else 0.9,
            seconds=10.0,
            epochs=0 if way in (CUT, CUT_RANDOM) else 2,
        )
        for way in WAYS
        for seed in range(seeds)
        for size in range(3)
    ]
    update = {"seeds": tuple(range(seeds)), "reached": tuple(reached), "given": 0.95}
    return whole.model_copy(update=update)


def test_gains_are_differences_over_equal_seeds_with_a_ruling(whole: OrderControlsRecord) -> None:
    values = {
        CUT: [0.6, 0.6, 0.6],
        CUT_RANDOM: [0.30, 0.32, 0.31],
        TUNED: [0.80, 0.82, 0.81],
        TUNED_RANDOM: [0.79, 0.83, 0.81],
        ALONE: [0.90, 0.92, 0.91],
    }
    found = view.order_controls(record_of(whole, values, 3))
    by = {(gain.what, gain.size): gain for gain in found.gains}
    cut = by["Without tuning, ordering by importance", 0]
    assert cut.comparison.difference == pytest.approx(0.29)
    assert cut.ruling == "gain"
    assert by["After InstaTune, ordering by importance", 0].ruling == "tie"
    assert by["InstaTune", 0].comparison.difference == pytest.approx(-0.1)
    assert by["InstaTune", 0].ruling == "loss"
    assert by["InstaTune", 2].ruling == "tie"
    first, second, third = view.sentences(found)
    assert "+29.0" in first
    assert "(3 seeds)" in first
    assert "(tie)" in second
    assert "over training alone as long" in third
    rows = view.rows(found)
    assert [row["way"] for row in rows] == list(WAYS)
    assert rows[1]["n"] == "3"
    assert "31.0 %" in next(cell for name, cell in rows[1].items() if name.startswith("smallest"))


def test_below_three_seeds_there_is_no_ruling(whole: OrderControlsRecord) -> None:
    values = {way: [0.1 * (place + 1)] * 2 for place, way in enumerate(WAYS)}
    found = view.order_controls(record_of(whole, values, 2))
    assert {gain.ruling for gain in found.gains} == {""}
    assert view.sentences(found)[-1] == "No verdict: that takes 3 seeds."


def test_the_figure_has_a_point_per_way_and_subnet_and_the_given_network(whole: OrderControlsRecord) -> None:
    found = view.order_controls(whole)
    figure = order_controls_figure(found)
    assert [trace.name for trace in figure.data] == [TUNED, TUNED_RANDOM, ALONE, CUT, CUT_RANDOM]
    for trace in figure.data:
        assert len(trace.y) == 3
        for size, value in enumerate(trace.y):
            mean = np.mean([each.test_accuracy for each in whole.of(trace.name, size).values()])
            assert value == pytest.approx(100 * mean)
    places = [round(x, 6) for trace in figure.data for x in trace.x]
    assert len(set(places)) == len(places), "no point hides another"
    assert figure.layout.shapes[0].y0 == pytest.approx(100 * whole.given)


def test_the_table_has_a_row_per_way_subnet_and_seed(whole: OrderControlsRecord) -> None:
    lines = view.csv(whole).decode().splitlines()
    assert len(lines) == 1 + len(whole.reached)
    assert lines[1].split(",")[-1] == str(whole.reached[0].epochs)
    assert json.loads(whole.encode())["criterion"] == "taylor"
