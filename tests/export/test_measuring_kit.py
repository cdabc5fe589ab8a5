"""A measuring kit: small, whole, and timed by a script that has nothing but a runtime and numpy."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import onnx.numpy_helper
import pytest
import torch

from core.errors import InvalidInput
from core.evaluation.latency.profile import LatencyProfile, read_profile, require_same
from core.evaluation.latency.protocol import Patience, time_rounds
from core.export import measuring_kit
from core.export.measuring import common, device, measure_onnxruntime, measure_torch
from core.export.measuring_kit import KitMaker, Terms, measure_script
from core.export.onnx_parts import OnnxParts
from core.export.quantizing import can_quantize
from core.library import supernets
from core.library.latency import identity_of
from core.objectives.timing import Race
from core.supernets import FAMILIES
from core.supernets.files import dump_supernet
from tests.helpers.nets import disturb, small_cnn

N = 12
IDENTITY = {"title": "small", "family": "elastic_cnn", "layout": "a" * 64, "space": "b" * 64}


def kit_of(terms: Terms, family: str = "", n: int = N) -> dict[str, bytes]:
    """Files of a kit of some subnets."""
    if family:
        torch.manual_seed(0)
        net = disturb(FAMILIES.get(family)(FAMILIES.get(family).examples()[0]))
    else:
        net = small_cnn()
    kit = KitMaker(net, terms)
    rows = np.unique(net.space.sample_array(4 * n, np.random.default_rng(0)), axis=0)[:n]
    for row in rows.tolist():
        kit.add(tuple(row))
    with zipfile.ZipFile(io.BytesIO(kit.zip([0, n // 2, n - 1], IDENTITY))) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def onnx_kit() -> dict[str, bytes]:
    return kit_of(Terms(threads=1))


@pytest.fixture
def unpack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, bytes]], Path]:
    """Put a kit's files into a folder that the scripts take for their own."""

    def put(files: dict[str, bytes]) -> Path:
        for name, content in files.items():
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_bytes(content)
        for module in (common, device, measure_onnxruntime, measure_torch):
            monkeypatch.setattr(module, "HERE", tmp_path)
        return tmp_path

    return put


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rounds end as soon as they may: what a busy machine says does not matter here."""
    monkeypatch.setattr(common, "ENOUGH", -1.0)


# --- what is in it ------------------------------------------------------------------------------------


@pytest.mark.slow
def test_weights_lie_in_one_file_once_and_operations_are_those_of_the_plain_export(
    onnx_kit: dict[str, bytes],
) -> None:
    graphs = [name for name in onnx_kit if name.endswith(".onnx")]
    assert len(graphs) == N == len(json.loads(onnx_kit["kit.json"])["subnets"])
    net, pool = small_cnn(), len(onnx_kit["subnets/weights.bin"])
    parts = OnnxParts(net)
    largest = 0
    for name, arch_id in zip(sorted(graphs), json.loads(onnx_kit["kit.json"])["subnets"], strict=True):
        model = onnx.load_model_from_string(onnx_kit[name])
        plain = onnx.load_model_from_string(parts.file(net.space.from_id(arch_id)))
        assert Counter(n.op_type for n in model.graph.node) == Counter(n.op_type for n in plain.graph.node)
        assert [tuple(t.dims) for t in model.graph.initializer] == [
            tuple(t.dims) for t in plain.graph.initializer
        ]
        outside = [t for t in model.graph.initializer if t.data_location == onnx.TensorProto.EXTERNAL]
        assert outside
        assert not any(t.raw_data for t in outside)
        largest = max(largest, *(4 * int(np.prod(t.dims)) for t in outside))
    assert pool == largest
    assert sum(map(len, onnx_kit.values())) < 200_000


def test_only_weights_become_numbers_without_meaning() -> None:
    """A variance below zero would make every answer not a number; indices must stay what they are."""
    arrays = {
        "variance": np.ones(64, np.float32),
        "kernel": np.ones((8, 4, 3, 3), np.float32),
        "small": np.ones((2, 3), np.float32),
        "indices": np.ones((8, 16), np.int64),
    }
    model = onnx.helper.make_model(
        onnx.helper.make_graph(
            [], "g", [], [], [onnx.numpy_helper.from_array(a, n) for n, a in arrays.items()]
        )
    )
    assert measuring_kit._put_outside(model) == 4 * 8 * 4 * 9
    outside = [t.name for t in model.graph.initializer if t.data_location == onnx.TensorProto.EXTERNAL]
    assert outside == ["kernel"]


@pytest.mark.parametrize(("batch", "family"), [(6, ""), (1, ""), (1, "elastic_gcn")])
def test_a_batch_has_its_samples_and_a_graph_its_nodes(
    batch: int, family: str, unpack: Callable[[dict[str, bytes]], Path]
) -> None:
    unpack(kit_of(Terms(batch=batch), family, n=2))
    arrays = device.read_inputs(device.read_kit())
    if family:
        assert len(arrays[0]) == FAMILIES.get(family).examples()[0].nodes
    else:
        assert arrays[0].shape == (batch, 1, 8, 8)
        assert (arrays[0][: batch - 4] == arrays[0][4:]).all()


def test_equal_kits_are_equal_bytes() -> None:
    def made() -> bytes:
        kit = KitMaker(small_cnn(), Terms(batch=3))
        kit.add(kit._supernet.largest)
        return kit.zip([0], IDENTITY)

    assert made() == made()


@pytest.mark.parametrize(
    ("family", "terms", "said"),
    [
        ("elastic_cnn", Terms(runtime="torch", precision="int8"), "float32"),
        ("elastic_gcn", Terms(batch=2), "as a whole"),
    ],
)
def test_terms_that_no_kit_keeps_are_refused(family: str, terms: Terms, said: str) -> None:
    net = FAMILIES.get(family)(FAMILIES.get(family).examples()[0])
    with pytest.raises(InvalidInput, match=said):
        KitMaker(net, terms)


def test_int8_is_left_off_where_onnxruntime_cannot_quantize(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.export.measuring_kit.can_quantize", lambda: False)
    with pytest.raises(InvalidInput, match="cannot quantize; measure float32"):
        KitMaker(small_cnn(), Terms(precision="int8"))


# --- the script, in an environment of onnxruntime and numpy ---------------------------------------------


ALONE = """
import runpy, sys
class OnlyThese:
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top not in sys.stdlib_module_names and top not in ("numpy", "onnxruntime"):
            raise ModuleNotFoundError(f"{name} is not there", name=name)
sys.meta_path.insert(0, OnlyThese())
sys.argv = ["measure.py", *sys.argv[1:]]
runpy.run_path("measure.py", run_name="__main__")
"""


def alone(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run measure.py in a process that finds nothing but onnxruntime and numpy."""
    return subprocess.run(
        [sys.executable, "-c", ALONE, *arguments],
        cwd=folder,
        env={k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "OMP_NUM_THREADS")},
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.slow
def test_alone_on_a_device_it_writes_a_profile_of_this_supernet(
    onnx_kit: dict[str, bytes], unpack: Callable[[dict[str, bytes]], Path]
) -> None:
    folder = unpack(onnx_kit)
    done = alone(folder, "--threads", "2", "--name", "A device", "--minutes", "0.01")
    assert done.returncode == 0, done.stderr
    assert "profile.json is ready" in done.stdout
    profile = read_profile((folder / "profile.json").read_bytes())
    assert (profile.device.name, profile.device.threads, profile.device.batch) == ("A device", 2, 1)
    assert profile.supernet.model_dump() == IDENTITY
    assert list(profile.timings.arch_ids) == json.loads(onnx_kit["kit.json"])["subnets"]
    assert profile.planned == N
    assert profile.protocol.rounds >= common.LEAST_ROUNDS
    assert profile.objective.startswith("latency_ms.A-device_2-threads_")
    assert [profile.timings.arch_ids[at] for at in (0, N // 2, N - 1)] == list(profile.anchors.arch_ids)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        ({"kit.json": b"{"}, "kit.json is missing or damaged"),
        ({"kit.json": b"[]"}, "kit.json is missing or damaged"),
        ({"inputs.npz": b"PK"}, "inputs.npz is missing or damaged"),
        ({"subnets/0003.onnx": b"nothing"}, "cannot run 0003.onnx"),
        ({"subnets/0003.onnx": None}, "0003.onnx is missing"),
        ({"subnets/weights.bin": None}, "cannot run 0000.onnx"),
    ],
    ids=str,
)
def test_a_damaged_kit_is_said_in_a_sentence(
    spoil: dict[str, bytes | None],
    said: str,
    onnx_kit: dict[str, bytes],
    unpack: Callable[[dict[str, bytes]], Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = unpack(onnx_kit)
    for name, content in spoil.items():
        if content is None:
            (folder / name).unlink()
        else:
            (folder / name).write_bytes(content)
    with pytest.raises(SystemExit) as left:
        measure_onnxruntime.main([])
    assert left.value.code == 2
    message = capsys.readouterr().err
    assert said in message
    assert message.startswith("measure.py: ")
    assert message.count("\n") == 1


@pytest.mark.parametrize(
    "arguments", [["--threads", "0.5"], ["--threads", "-1"], ["--minutes", "0"], ["--provider", "Moon"]]
)
@pytest.mark.usefixtures("quick")
def test_wrong_options_are_refused(
    arguments: list[str],
    onnx_kit: dict[str, bytes],
    unpack: Callable[[dict[str, bytes]], Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    unpack(onnx_kit)
    with pytest.raises(SystemExit) as left:
        measure_onnxruntime.main(arguments)
    assert left.value.code == 2
    assert "measure.py" in capsys.readouterr().err


# --- stopping and going on, with a clock and networks of our own -----------------------------------------


class Machine:
    """Networks of known milliseconds on a clock that only they move; interrupted after so many answers."""

    def __init__(self, ms: list[float], stop_after: int = -1) -> None:
        self.now, self.asked, self.stop_after = 0, 0, stop_after
        self.answers = [lambda each=each: self.answer(each) for each in ms]

    def answer(self, ms: float) -> None:
        self.asked += 1
        if self.asked == self.stop_after:
            raise KeyboardInterrupt
        self.now += int(ms * 1e6)

    def clock(self) -> int:
        return self.now

    def kit(self) -> device.Kit:
        ids = tuple(f"{at:03d}" for at in range(len(self.answers)))
        return device.Kit("0" * 64, IDENTITY, 1, 1, True, "float32", ids, (0, len(ids) - 1))

    def measure(self, monkeypatch: pytest.MonkeyPatch) -> tuple[common.Measured, list[float]]:
        monkeypatch.setattr(common.time, "perf_counter_ns", self.clock)
        runtime = device.Runtime("onnxruntime", "1", "CPU", self.answers)
        return common.measure(self.kit(), runtime, "settings", 1e9)


MS = [0.5, 3.0, 1.25, 0.75, 9.0, 2.5, 4.0, 0.1]


def test_stopped_and_gone_on_with_gives_what_it_gives_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for module in (common, device):
        monkeypatch.setattr(module, "HERE", tmp_path)
    monkeypatch.setattr(common, "LEAST_ROUNDS", 10)
    whole, end = Machine(MS).measure(monkeypatch)
    (tmp_path / common.STATE).unlink()
    # After the anchors' rounds, in the middle of the fourth round of all.
    anchors = common.ANCHOR_ROUNDS * 2 * 5
    stopped = Machine(MS, stop_after=anchors + 3 * len(MS) * 5 + 7)
    with pytest.raises(SystemExit) as left:
        stopped.measure(monkeypatch)
    assert left.value.code == 130
    assert "Stopped after 3 rounds" in capsys.readouterr().err
    assert len(json.loads((tmp_path / common.STATE).read_text())["rounds"]) == 3
    again = Machine(MS)
    resumed, resumed_end = again.measure(monkeypatch)
    assert "Going on after 3 rounds" in capsys.readouterr().err
    assert resumed.rounds == whole.rounds
    assert len(resumed.rounds) == 10
    assert (resumed.start, resumed_end) == (whole.start, end)
    assert again.asked == (10 - 3) * len(MS) * 5 + anchors  # the anchors at the end alone


@pytest.mark.parametrize(
    "state",
    [
        "",
        "[]",
        '{"of": "settings"}',
        '{"of": "other", "start": [1, 2], "rounds": [[1, 1, 1, 1, 1, 1, 1, 1]], "seconds": 1}',
        '{"of": "settings", "start": [1, 2], "rounds": [[1, 2]], "seconds": 1}',
        '{"of": "settings", "start": [1], "rounds": [], "seconds": 1}',
        '{"of": "settings", "start": [1, 2], "rounds": [[0, 1, 1, 1, 1, 1, 1, 1]], "seconds": 1}',
        '{"of": "settings", "start": "ab", "rounds": [], "seconds": 1}',
    ],
)
def test_what_is_left_of_something_else_is_not_gone_on_with(state: str, tmp_path: Path, monkeypatch) -> None:
    for module in (common, device):
        monkeypatch.setattr(module, "HERE", tmp_path)
    (tmp_path / common.STATE).write_text(state)
    found = common.Measured.found("settings", 8, 2)
    assert (found.rounds, found.start) == ([], [])


def test_the_protocol_is_that_of_the_app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On one clock: the same subnets take the same time, and both stop when two halves agree."""
    for module in (common, device):
        monkeypatch.setattr(module, "HERE", tmp_path)
    measured, _ = Machine(MS).measure(monkeypatch)
    assert len(measured.rounds) == common.LEAST_ROUNDS
    assert np.array(measured.rounds).min(axis=0) == pytest.approx(MS)
    app = Machine(MS)
    sessions = iter(
        [SimpleNamespace(get_inputs=list, run=lambda _, feed, answer=a: answer()) for a in app.answers]
    )
    monkeypatch.setattr("core.objectives.timing.session", lambda model, threads: next(sessions))
    monkeypatch.setattr("core.objectives.timing.time.perf_counter_ns", app.clock)
    race = Race([b""] * len(MS), [])
    found = list(time_rounds(race, Patience(agreement=common.ENOUGH, most_seconds=1e9)))[-1]
    assert found.ms == pytest.approx(MS)
    assert found.rounds == len(measured.rounds)
    assert found.agreement == pytest.approx(common.agreement(measured.rounds))


@pytest.mark.parametrize(
    ("rounds", "expected"),
    [
        ([], 0.0),
        ([[1.0, 2.0, 3.0]], 0.0),
        ([[1, 2, 3], [10, 20, 30]], 1.0),
        ([[1, 2, 3], [3, 2, 1]], -1.0),
        ([[5, 5, 5], [1, 2, 3]], 0.0),
        ([[1, 1, 2, 3], [1, 2, 2, 3]], 0.8333333),
        # Minima of rounds 0 and 2 against those of 1 and 3.
        # The even rounds say one order, the odd ones the other: no two halves in time would.
        ([[1, 2, 3], [3, 2, 1], [1, 2, 3], [3, 2, 1]], -1.0),
        ([[9, 1, 2], [1, 2, 3], [1, 5, 6], [9, 9, 9]], 0.8660254),
    ],
)
def test_agreement_is_the_rank_correlation_of_two_halves(rounds: list[list[float]], expected: float) -> None:
    from scipy.stats import spearmanr

    assert common.agreement(rounds) == pytest.approx(expected)
    if len(rounds) > 1 and expected:
        table = np.array(rounds)
        reference = spearmanr(table[::2].min(axis=0), table[1::2].min(axis=0)).statistic
        assert common.agreement(rounds) == pytest.approx(reference)


@pytest.mark.parametrize(
    ("rounds", "agreed", "spent", "over"),
    [(4, 1.0, 0, False), (6, 0.98, 0, False), (6, 0.99, 0, True), (400, 0.1, 0, True), (8, 0.1, 60, True)],
)
def test_when_there_are_rounds_enough(rounds: int, agreed: float, spent: float, over: bool) -> None:
    assert common.finished(rounds, agreed, spent, 60) is over


# --- torch, other data ------------------------------------------------------------------------------------


@pytest.fixture
def torch_as_it_was() -> object:
    threads, gradients = torch.get_num_threads(), torch.is_grad_enabled()
    modules, path = set(sys.modules), list(sys.path)
    yield
    torch.set_num_threads(threads)
    torch.set_grad_enabled(gradients)
    sys.path[:] = path
    if "blocks" not in modules:
        sys.modules.pop("blocks", None)


@pytest.mark.usefixtures("torch_as_it_was", "quick")
@pytest.mark.parametrize("family", ["", "elastic_encoder"])
def test_a_kit_for_torch_holds_the_structure_and_no_weights(
    family: str, unpack: Callable[[dict[str, bytes]], Path]
) -> None:
    files = kit_of(Terms(runtime="torch", batch=2), family, n=3)
    assert not any(name.endswith((".onnx", ".bin")) for name in files)
    folder = unpack(files)
    measure_torch.main(["--device", "cpu"])
    told = json.loads((folder / "profile.json").read_text())
    assert [told["device"][name] for name in ("runtime", "provider", "batch")] == ["torch", "cpu", 2]
    assert len(told["timings"]["ms"]) == 3


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("family", "terms"),
    [
        ("nas_bench_201", Terms(batch=5)),
        ("elastic_vit", Terms()),
        ("elastic_encoder", Terms(batch=6)),
        ("elastic_gcn", Terms()),
        ("elastic_cnn", Terms(precision="int8")),
    ],
    ids=str,
)
def test_every_family_can_be_measured(
    family: str, terms: Terms, unpack: Callable[[dict[str, bytes]], Path]
) -> None:
    if terms.precision == "int8" and not can_quantize():
        pytest.skip("onnxruntime cannot quantize here")
    folder = unpack(kit_of(terms, family, n=2))
    measure_onnxruntime.main(["--name", "x"])
    told = json.loads((folder / "profile.json").read_text())
    assert [told["device"][name] for name in ("batch", "precision")] == [terms.batch, terms.precision]
    assert min(told["timings"]["ms"]) > 0


def test_the_script_imports_what_it_says_and_nothing_else() -> None:
    import ast

    for runtime in ("onnxruntime", "torch"):
        tree = ast.parse(measure_script(runtime))
        names = {
            name.split(".")[0]
            for node in ast.walk(tree)
            if isinstance(node, ast.Import | ast.ImportFrom)
            for name in ([a.name for a in node.names] if isinstance(node, ast.Import) else [node.module])
        }
        assert names - sys.stdlib_module_names - {"blocks"} == {"numpy", runtime}


def test_a_profile_of_the_kit_is_of_the_supernet_and_of_no_other() -> None:
    net = small_cnn()
    entry = supernets.from_bytes(dump_supernet(net, {"title": "Small"}), title="Small")
    other = supernets.from_bytes(dump_supernet(small_cnn(stem_kernel=5), {"title": "Other"}), title="Other")
    told = LatencyProfile.model_construct(supernet=identity_of(entry))
    require_same(told, identity_of(entry))
    with pytest.raises(InvalidInput, match="another supernet"):
        require_same(told, identity_of(other))
