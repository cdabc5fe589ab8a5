"""Work that is cut at any point and started again gives what it gives uncut, and repeats at most one part.

The work itself is replaced by arithmetic: what is tried here is the order of doing, writing down and saying.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from core.errors import Cancelled, DamagedArtifact, InvalidInput
from core.geometry import alignment, connectivity
from core.geometry.margins import Margins
from core.library import supernets
from core.library.benchmarks import load_margins
from core.library.evaluated import EvaluatedRecord
from core.library.experiments import ExperimentRecord
from core.library.maps import MapRecord
from core.library.mixing import MixingRecord
from core.library.model_map import Distances
from core.pruning.experiments.base import Row
from core.records import Progress
from core.store import MemoryLedger
from core.workflows import connect_models, evaluate_pruned, map_models, prune_experiment

NETS = tuple(f"subnet:digits-cnn:{name}" for name in "abcd")


class CutLedger(MemoryLedger):
    """Loses its worker at one writing: just before it, or just after it became durable."""

    def __init__(self, at: int, *, after: bool) -> None:
        super().__init__()
        self.left, self.after = at, after

    def _write(self, write: Callable[[], Any]) -> Any:
        self.left -= 1
        if self.left == -1 and not self.after:
            raise Cancelled("cut before")
        done = write()
        if self.left == -1:
            raise Cancelled("cut after")
        return done

    def checkpoint(self, data: bytes, *, fraction: float) -> None:
        self._write(lambda: super(CutLedger, self).checkpoint(data, fraction=fraction))

    def save_artifact(self, name: str, data: bytes, media_type: str) -> str:
        return str(self._write(lambda: super(CutLedger, self).save_artifact(name, data, media_type)))


class Work:
    """One workflow on fakes.

    Attributes:
        begun: every part of the work, whenever it is begun.
        run: starts the workflow on a ledger.
    """

    def __init__(self, run: Callable[[MemoryLedger], Iterator[Progress]], begun: list[Any]) -> None:
        self.run, self.begun = run, begun


def library(**more: Any) -> Any:
    """Networks that are small and named; what else is asked for is given."""

    def network(model_id: str) -> Any:
        net = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)).requires_grad_(False)
        for parameter in net.parameters():
            parameter.fill_(float(ord(model_id[-1])))
        calibration = SimpleNamespace(x=np.zeros((2, 2), np.float32))
        data = SimpleNamespace(calibration=calibration)
        entry = supernets.find(None, "digits-cnn")
        return SimpleNamespace(
            info=SimpleNamespace(title=model_id), net=net, labels=("one", "two"), dataset=data, entry=entry
        )

    return SimpleNamespace(network=network, store=None, **more)


def connecting(patch: pytest.MonkeyPatch) -> Work:
    begun: list[Any] = []

    def doubled(net: nn.Sequential, order: Any) -> nn.Sequential:
        other = copy.deepcopy(net)
        other[0].weight.mul_(2)
        return other

    def weight(net: nn.Sequential) -> float:
        return float(net[0].weight[0, 0])

    def curve(a: Any, b: Any, judge: Any, *, points: int, only: Any = None) -> Iterator[connectivity.Curve]:
        begun.append(("curve", weight(b), only is None or [only(f"{k}.weight") for k in range(2)]))
        t = np.linspace(0, 1, points)
        for upto in range(2, points + 1, 2):
            yield connectivity.Curve(t[:upto], np.sin(t[:upto] * weight(b)) / 3, t[:upto] / 7)

    def plane(a: Any, b: Any, c: Any, judge: Any, *, side: int) -> Iterator[tuple[int, connectivity.Plane]]:
        begun.append(("plane", weight(c)))
        for rows in range(1, side + 1):
            values = np.full((rows, side), weight(c) / 3)
            yield rows, connectivity.Plane(np.arange(side), np.arange(rows), values, values, np.zeros((3, 2)))

    probe = SimpleNamespace(x=np.zeros((5, 2), np.float32), y=np.zeros(5, np.int64))
    patch.setattr(connect_models, "common_probe", lambda a, b, choice: probe)
    patch.setattr(connectivity, "curve", curve)
    patch.setattr(connectivity, "plane", plane)
    patch.setattr(alignment, "match_weights", lambda a, b, seed: {})
    patch.setattr("core.networks.units.permute", doubled)
    request = connect_models.Request(
        a=NETS[0], b=NETS[1], c=NETS[2], points=5, side=5, matchings=("none", "weights")
    )
    return Work(lambda ledger: connect_models.run(request, ledger, library()), begun)


def evaluating(patch: pytest.MonkeyPatch) -> Work:
    begun: list[Any] = []

    def evaluate(net: Any, judge: Any, benchmarks: Sequence[str]) -> Iterator[tuple[str, Margins]]:
        begun.append(float(net[0].weight[0, 0]))
        for index, benchmark in enumerate(benchmarks):
            values = np.arange(3) * begun[-1] + index
            yield (
                benchmark,
                Margins(
                    values.astype(np.int64), values, values, values, values.astype(np.int64), values, values
                ),
            )

    judge = SimpleNamespace(probe=SimpleNamespace(fingerprint="f", tokenizer=b""))
    patch.setattr(evaluate_pruned, "evaluate_net", evaluate)
    request = evaluate_pruned.Request(
        parent=NETS[0],
        models=[NETS[1], NETS[2], NETS[1], NETS[0]],
        benchmarks={"severities": (2,), "attacks": ()},
    )
    lent = library(judge=lambda entry, seed: judge)
    return Work(lambda ledger: evaluate_pruned.run(request, ledger, lent), begun)


def mapping(patch: pytest.MonkeyPatch) -> Work:
    begun: list[Any] = []

    def measure(store: Any, entry: Any, choice: Any) -> Iterator[float | Distances]:
        begun.append("distances")
        yield from (0.25, 0.5, 0.75)
        values = np.abs(np.subtract.outer(np.arange(4), np.arange(4))) / 3
        yield Distances(NETS, NETS, ("", "0", "1", "2"), values, {"alone:gone:0": "is gone"})

    def embed(values: Any, *, neighbors: int, epochs: int, seed: int) -> Any:
        begun.append("embedding")
        return SimpleNamespace(points=np.asarray(values)[:, :2] * seed / neighbors)

    patch.setattr(map_models, "measure_distances", measure)
    patch.setattr(map_models, "umap_of_distances", embed)
    request = map_models.Request(choice={"supernet": "digits-cnn"}, seed=3)
    entry = SimpleNamespace(title="Digits", revision="r")
    lent = library(supernet=lambda name: entry)
    return Work(lambda ledger: map_models.run(request, ledger, lent), begun)


def asking(patch: pytest.MonkeyPatch) -> Work:
    begun: list[Any] = []

    class Fake:
        def parts(self) -> list[dict[str, Any]]:
            return [{"repetition": index} for index in range(3)]

        def run_part(self, task: Any, part: Mapping[str, Any]) -> Iterator[Progress | Row]:
            begun.append(part["repetition"])
            for x in range(3):
                yield Progress(x / 3, "on it", {"x": x})
                yield Row("ticket", task.seed + part["repetition"], x / 7, part["repetition"] / 3)

        def verdict(self, rows: Sequence[Row]) -> list[str]:
            return [f"{len(rows)} rows, {sum(row.y for row in rows):.3f} in all."]

    known = prune_experiment.EXPERIMENTS
    fake = SimpleNamespace(info=known.info, create=lambda name, config: Fake())
    patch.setattr(prune_experiment, "EXPERIMENTS", fake)
    request = prune_experiment.Request(experiment=known.names()[0], model=NETS[0], seed=8)
    return Work(lambda ledger: prune_experiment.run(request, ledger, library()), begun)


WORKS = {
    "connect_models": (connecting, MixingRecord),
    "evaluate_pruned": (evaluating, EvaluatedRecord),
    "map_models": (mapping, MapRecord),
    "prune_experiment": (asking, ExperimentRecord),
}


@pytest.fixture(params=sorted(WORKS))
def work(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Work:
    return WORKS[request.param][0](monkeypatch)


def files(ledger: MemoryLedger) -> dict[str, tuple[str, bytes]]:
    return {kept.name: (kept.media_type, ledger.artifact(kept.name)) for kept in ledger.artifacts()}


def run_to(work: Work, ledger: MemoryLedger, most: int | None = None) -> list[Progress]:
    """The steps said until the end, or until work is cancelled at one of them, as the worker does it."""
    steps, said = work.run(ledger), list[Progress]()
    for step in steps:
        said.append(step)
        if len(said) == most:
            with pytest.raises(Cancelled):
                steps.throw(Cancelled("stopped"))  # type: ignore[attr-defined]
            break
    return said


def whole(work: Work) -> tuple[dict[str, tuple[str, bytes]], list[Progress], list[Any]]:
    ledger = MemoryLedger()
    said = run_to(work, ledger)
    begun = list(work.begun)
    work.begun.clear()
    return files(ledger), said, begun


def check_again(
    work: Work, ledger: MemoryLedger, expected: dict[str, Any], said: list[Progress], begun: list[Any]
) -> None:
    """Finish, and compare with the uncut work."""
    again = run_to(work, ledger)
    assert files(ledger) == expected
    left_out = len(said) - len(again)
    assert any(again == said[:setup] + said[setup + left_out :] for setup in range(3)), (
        "what it says goes on where it was cut"
    )
    assert set(map(str, work.begun)) == set(map(str, begun)), "nothing else than the whole work does"


def test_progress_rises_from_nothing_to_the_end_and_repeats_itself(work: Work) -> None:
    _, said, _ = whole(work)
    fractions = [step.fraction for step in said]
    assert fractions == sorted(fractions)
    assert 0 <= fractions[0] < 0.3
    assert fractions[-1] == 1.0
    assert run_to(work, MemoryLedger()) == said


def test_cancelled_at_any_step_it_ends_as_if_it_had_not_been(work: Work) -> None:
    expected, said, begun = whole(work)
    for most in range(1, len(said) + 1):
        work.begun.clear()
        ledger = MemoryLedger()
        assert run_to(work, ledger, most) == said[:most], "the same steps in the same order"
        check_again(work, ledger, expected, said, begun)


@pytest.mark.parametrize("after", [False, True])
def test_a_worker_lost_at_any_writing_leaves_work_that_can_be_finished(work: Work, after: bool) -> None:
    expected, said, begun = whole(work)
    lost = 0
    while True:
        work.begun.clear()
        ledger = CutLedger(lost, after=after)
        try:
            run_to(work, ledger)
        except Cancelled:
            lost += 1
            check_again(work, ledger, expected, said, begun)
        else:
            break
    assert lost >= 2, "there were writings to be lost at"


@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(1, 12), max_size=6))
def test_cancelled_again_and_again_it_still_ends_the_same(work: Work, cuts: list[int]) -> None:
    work.begun.clear()
    expected, said, begun = whole(work)
    ledger = MemoryLedger()
    for most in cuts:
        run_to(work, ledger, most)
    check_again(work, ledger, expected, said, begun)


def test_finished_work_that_is_started_again_changes_nothing(work: Work) -> None:
    expected, _, _ = whole(work)
    ledger = MemoryLedger()
    run_to(work, ledger)
    work.begun.clear()
    run_to(work, ledger)
    assert files(ledger) == expected
    assert work.begun in ([], ["embedding"]), "only the plane is embedded anew"


@pytest.mark.parametrize(
    ("name", "repeats"),
    [("connect_models", 2), ("evaluate_pruned", 1), ("map_models", 1), ("prune_experiment", 1)],
)
def test_at_most_the_part_that_was_cut_is_done_twice(
    name: str, repeats: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = WORKS[name][0](monkeypatch)
    _, said, begun = whole(work)
    for most in range(1, len(said) + 1):
        work.begun.clear()
        ledger = MemoryLedger()
        run_to(work, ledger, most)
        run_to(work, ledger)
        # The curves of all stages are one part of mixing.
        assert len(begun) <= len(work.begun) <= len(begun) + repeats


# --- what the files say ---------------------------------------------------------------------------


def test_every_matching_has_its_own_line_and_its_own_stages(monkeypatch: pytest.MonkeyPatch) -> None:
    work = connecting(monkeypatch)
    ledger = MemoryLedger()
    run_to(work, ledger)
    record = MixingRecord.so_far(ledger)
    assert record is not None
    for name, weight in (("none", 98), ("weights", 196)):
        assert record.curves[name].loss == pytest.approx(np.sin(np.linspace(0, 1, 5)[:4] * weight) / 3)
        assert [record.stages[name][str(k)] for k in range(2)] == [record.curves[name].barrier] * 2
        assert ("curve", weight, [True, False]) in work.begun
        assert ("curve", weight, [False, True]) in work.begun
    assert record.plane is not None
    x, y, loss, corners = record.plane.arrays("loss")
    assert (x.shape, y.shape, loss.shape, corners.shape) == ((5,), (5,), (5, 5), (3, 2))
    assert (record.models, record.labels, record.n) == (NETS[:3], ("one", "two"), 5)


def test_every_network_is_evaluated_once_and_found_by_its_id(monkeypatch: pytest.MonkeyPatch) -> None:
    work = evaluating(monkeypatch)
    ledger = MemoryLedger()
    assert run_to(work, ledger)[-1].message.startswith("3 networks evaluated on ")
    record = EvaluatedRecord.so_far(ledger)
    assert record is not None
    assert list(record.files) == list(NETS[:3])
    assert work.begun == [97.0, 98.0, 99.0], "each once, the parent first"
    for model_id, name in record.files.items():
        kept = load_margins(ledger.artifact(name))
        assert kept.fingerprint == "f"
        assert "clean" not in kept.values
        first = next(iter(kept.values.values()))
        assert first["norm"].tolist() == [0, ord(model_id[-1]), 2 * ord(model_id[-1])]


def test_a_damaged_list_of_what_was_evaluated_is_measured_again(monkeypatch: pytest.MonkeyPatch) -> None:
    class Damaged(MemoryLedger):
        broken = True

        def artifact(self, name: str) -> bytes:
            if self.broken and name == EvaluatedRecord.FILE:
                raise DamagedArtifact("It has changed.")
            return super().artifact(name)

    work = evaluating(monkeypatch)
    expected, _, begun = whole(work)
    ledger = Damaged()
    run_to(work, ledger, 20)
    work.begun.clear()
    run_to(work, ledger)
    assert work.begun == begun
    ledger.broken = False
    assert files(ledger) == expected


def test_results_of_a_newer_release_are_not_overwritten(monkeypatch: pytest.MonkeyPatch) -> None:
    for make, kind in ((evaluating, EvaluatedRecord), (asking, ExperimentRecord)):
        work = make(monkeypatch)
        ledger = MemoryLedger()
        newer = b'{"format": 99, "what": "nobody knows"}'
        ledger.save_artifact(kind.FILE, newer, "application/json")
        with pytest.raises(InvalidInput, match="newer release"):
            run_to(work, ledger)
        assert ledger.artifact(kind.FILE) == newer


def test_a_verdict_is_said_after_every_part_and_by_the_rows_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    work = asking(monkeypatch)
    ledger = MemoryLedger()
    seen = []
    for _ in work.run(ledger):
        record = ExperimentRecord.so_far(ledger)
        if record is not None and record.verdict not in seen:
            seen.append(record.verdict)
            assert len(record.rows) == 3 * len(record.parts)
    assert seen == [("3 rows, 0.000 in all.",), ("6 rows, 1.000 in all.",), ("9 rows, 3.000 in all.",)]
    assert [row.seed for row in record.rows] == [8, 8, 8, 9, 9, 9, 10, 10, 10]  # type: ignore[union-attr]
