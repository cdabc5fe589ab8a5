"""A subnet against networks trained alone: the whole chain from stored runs to the verdict."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from core.errors import InvalidInput, NotFound
from core.library import alone, supernets
from core.library import networks as models
from core.library.activations import ProbeChoice
from core.library.alone import KIND, AloneNet, list_alone
from core.library.library import Library
from core.networks.capture import capture
from core.networks.file import dump_net
from core.records import RunState
from core.similarity.base import MEASURES
from core.similarity.seed_spread import Verdict
from core.store import RunStore
from core.views.shared_or_alone import SharedOrAlone, shared_or_alone
from core.workflows import train_alone
from core.workflows.train_alone import Request

ARCH = "201020001010"
CHOICE = ProbeChoice(n=200)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunStore]:
    """Three networks of a shipped subnet's architecture, trained for a few epochs."""
    home: Path = tmp_path_factory.mktemp("alone")
    with RunStore("sqlite://", home) as opened:
        asked = Request(supernet="digits-cnn", arch=ARCH, epochs=6)
        run_id = opened.create_run(KIND, asked.model_dump(), title="alone", state=RunState.RUNNING)
        for _ in train_alone.run(asked, opened.ledger(run_id), Library(opened)):
            pass
        opened.set_state(run_id, RunState.DONE)
        yield opened


@pytest.fixture(scope="module")
def nets(store: RunStore) -> list[AloneNet]:
    return list_alone(store, "digits-cnn", ARCH)


@pytest.fixture(scope="module")
def found(store: RunStore, nets: list[AloneNet]) -> SharedOrAlone:
    return shared_or_alone(store, nets, choice=CHOICE)


@pytest.mark.slow
def test_the_answer_covers_every_stage_and_every_measure_of_outputs(found: SharedOrAlone) -> None:
    entry = supernets.find(None, "digits-cnn")
    rows = supernets.stage_rows(entry, entry.space.from_id(ARCH))
    assert [s.label for s in found.stages] == [row.label for row in rows]
    assert [s.units for s in found.stages] == [row.channels for row in rows]
    names = {info.name for info in MEASURES.describe() if MEASURES.get(info.name).of == "outputs"}
    assert {s.layer_id for s in found.outputs} == names
    assert all(len(s.shared) == 3 and len(s.alone) == 3 and s.n == 200 for s in found.stages)
    assert (found.seeds, found.epochs, found.pooling) == ((1, 2, 3), 6, "pooled")
    assert found.probe == "200 validation images of Digits (8x8)"


@pytest.mark.slow
def test_values_are_those_of_plain_activations(
    store: RunStore, nets: list[AloneNet], found: SharedOrAlone
) -> None:
    """The head's values again, from networks loaded and run by hand."""
    measure = MEASURES.create("cka")
    loaded = [models.load_model(store, f"subnet:digits-cnn:{ARCH}").net]
    loaded += [alone.load_alone(store, net.run_id, net.index) for net in nets]
    from core.datasets.probe import make_probe

    probe = make_probe(supernets.dataset(supernets.find(None, "digits-cnn")), n=200)
    last = str(len(loaded[0]) - 1)
    heads = [measure.prepare(capture(n, probe.x, [last])[last].astype(np.float64)) for n in loaded]
    assert found.stages[-1].shared == pytest.approx([measure.compare(heads[0], h) for h in heads[1:]])
    assert found.stages[-1].alone[2] == pytest.approx(measure.compare(heads[2], heads[3]))


def test_shuffled_samples_have_nothing_in_common(found: SharedOrAlone) -> None:
    for stage in found.stages:
        assert abs(stage.null_mean) < 0.03
        assert stage.null_sd < 0.05


def test_accuracies_are_the_cards(found: SharedOrAlone, nets: list[AloneNet]) -> None:
    table = supernets.table(supernets.find(None, "digits-cnn")).set_index("arch_id")
    assert found.inside["test_accuracy"] == pytest.approx(table["test_accuracy"][ARCH], abs=1e-9)
    assert found.inside["accuracy"] == pytest.approx(table["accuracy"][ARCH], abs=1e-9)
    assert dict(nets[0].inside) == pytest.approx(dict(found.inside))
    assert found.alone["test_accuracy"] == tuple(net.test_accuracy for net in nets)


def test_the_answer_is_kept_and_follows_what_is_asked(
    store: RunStore, nets: list[AloneNet], found: SharedOrAlone
) -> None:
    assert shared_or_alone(store, nets, choice=CHOICE) is found
    other = shared_or_alone(store, nets, "procrustes", pooling="flattened", choice=CHOICE)
    assert (other.distance, other.pooling) == (MEASURES.create("procrustes").kind == "distance", "flattened")
    assert other.stages[1].units > found.stages[1].units
    two = shared_or_alone(store, nets[:2], choice=CHOICE)
    assert {s.verdict for s in two.stages} == {Verdict.UNKNOWN}
    assert two.sentence.startswith("No verdict: 2 networks trained alone")


@pytest.mark.parametrize("name", MEASURES.names())
def test_every_measure_gives_values_or_reasons(store: RunStore, nets: list[AloneNet], name: str) -> None:
    if MEASURES.get(name).of == "outputs":
        with pytest.raises(InvalidInput, match="compares answers"):
            shared_or_alone(store, nets, name, choice=CHOICE)
        return
    for stage in shared_or_alone(store, nets, name, choice=CHOICE).stages:
        assert np.isfinite([*stage.shared, *stage.alone]).all() or stage.reason.endswith(".")


def test_a_copy_of_the_subnet_as_every_seed_is_as_alike(store: RunStore, nets: list[AloneNet]) -> None:
    """Networks "trained alone" that are the subnet itself: all values are those of identical layers."""
    subnet = models.load_model(store, f"subnet:digits-cnn:{ARCH}").net
    asked = {"supernet": "digits-cnn", "arch": ARCH}
    run_id = store.create_run(KIND, asked, title="copies", state=RunState.RUNNING)
    ledger = store.ledger(run_id)
    kept = store.ledger(nets[0].run_id).artifact(alone.AloneRecord.FILE)
    for index in range(3):
        data = dump_net(subnet, (1, 8, 8), {"seed": index})
        ledger.save_artifact(alone.net_file(index), data, "application/octet-stream")
    ledger.save_artifact(alone.AloneRecord.FILE, kept, "application/json")
    store.set_state(run_id, RunState.DONE)
    copies = [net for net in list_alone(store, "digits-cnn", ARCH) if net.run_id == run_id]
    answer = shared_or_alone(store, copies, choice=CHOICE)
    for stage in (*answer.stages, *answer.outputs):
        assert stage.verdict is Verdict.AS_ALIKE
    assert answer.stages[0].shared == pytest.approx((1.0,) * 3)
    store.delete_run(run_id)


def test_an_untrained_network_is_not_what_the_subnet_computes(
    store: RunStore, nets: list[AloneNet], found: SharedOrAlone
) -> None:
    """A subnet that answers at random: its head is far below what two seeds share."""
    from core.networks.calibration import recalibrate
    from core.networks.chain import fresh_like

    model = models.load_model(store, f"subnet:digits-cnn:{ARCH}")
    random = fresh_like(model.net, 123)
    recalibrate(random, torch.from_numpy(model.dataset.calibration.x))
    probe = {"n": 200}
    from core.datasets.probe import make_probe
    from core.similarity.seed_spread import compare_stages

    x = make_probe(model.dataset, **probe).x
    others = [capture(alone.load_alone(store, n.run_id, n.index), x, ["4"]) for n in nets]
    [stage] = compare_stages(capture(random, x, ["4"]), others, MEASURES.create("cka"))
    assert np.mean(stage.shared) < min(stage.alone)
    assert np.mean(found.stages[-1].shared) > np.mean(stage.shared)


def test_nothing_or_a_mixture_is_refused(store: RunStore, nets: list[AloneNet]) -> None:
    with pytest.raises(InvalidInput, match="not been trained alone"):
        shared_or_alone(store, [])
    with pytest.raises(InvalidInput, match="different architectures"):
        shared_or_alone(store, [nets[0], replace(nets[1], arch_id="000000000000")])
    with pytest.raises(NotFound):
        shared_or_alone(store, nets, "no_such")
