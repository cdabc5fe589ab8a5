"""predict.py for texts and for graphs: counts written out, and whatever arrays a file holds, one plain end."""

from __future__ import annotations

import io
import json
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from core.export.predicting import common, predict_graph, predict_tokens
from core.supernets.families import FAMILIES
from tests.helpers.nets import disturb

LENGTH, WORDS, FEATURES, CLASSES = 7, 11, 5, 3
SCRIPTS = {"elastic_encoder": predict_tokens, "elastic_gcn": predict_graph}
KINDS = ("int64", "int8", "uint8", "uint64", "float32", "float64", "float16", "complex64", "bool")
STRANGE = ("m8[s]", "M8[D]", "S3", "U2", "V4", "i4,f4", ">i4", "longdouble")


def net_of(family: str) -> nn.Sequential:
    torch.manual_seed(0)
    cls = FAMILIES.get(family)
    net = disturb(cls(cls.examples()[0]))
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(torch.randn(parameter.shape))
        subnet = net.extract(net.largest)
        # Else one class wins everywhere, and any mistake counts the same.
        inputs = net.task.random_inputs(net.config, 200, torch.Generator().manual_seed(0))
        subnet[-1].linear.bias -= subnet(inputs).mean(0)
    return subnet


@pytest.fixture(scope="module")
def nets() -> dict[str, nn.Sequential]:
    return {family: net_of(family) for family in SCRIPTS}


@pytest.fixture
def folder(tmp_path: Path, nets: dict[str, nn.Sequential], monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a download was unpacked, with its network already loaded."""
    monkeypatch.setattr(common, "HERE", tmp_path)
    for family, script in SCRIPTS.items():
        monkeypatch.setattr(script, "load_subnet", lambda family=family: nets[family])
    return tmp_path


def ended(folder: Path, family: str, arrays: dict[str, Any]) -> tuple[int, str, str]:
    """(exit status, output, errors)."""
    shape = [LENGTH] if family == "elastic_encoder" else [FEATURES]
    about = {"input_shape": shape, "classes": [str(i) for i in range(CLASSES)]}
    (folder / "architecture.json").write_text(json.dumps(about))
    np.savez(folder / "given.npz", **arrays)
    out, err, status = io.StringIO(), io.StringIO(), 0
    with redirect_stdout(out), redirect_stderr(err):
        try:
            SCRIPTS[family].main([str(folder / "given.npz")])
        except SystemExit as end:
            status = int(str(end.code))
    return status, out.getvalue(), err.getvalue()


def counted(folder: Path, family: str, **arrays: Any) -> int:
    status, out, err = ended(folder, family, arrays)
    assert (status, err) == (0, "")
    answer = json.loads(out)
    assert answer["n"] == len(arrays["y"])
    assert answer["accuracy"] == answer["correct"] / answer["n"]
    return int(answer["correct"])


def texts(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.integers(1, WORDS, (n, LENGTH))
    x[np.arange(LENGTH) >= rng.integers(1, LENGTH + 1, (n, 1))] = 0
    return x, rng.integers(0, CLASSES, n)


def graph(n: int, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    pairs = rng.integers(0, n, (2, 2 * n))
    pairs = pairs[:, pairs[0] != pairs[1]]
    x = rng.normal(size=(n, FEATURES)).astype(np.float32)
    return {"x": x, "edges": np.concatenate([pairs, pairs[::-1]], 1), "y": rng.integers(0, CLASSES, n)}


@torch.no_grad()
def one_by_one(net: nn.Module, x: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Predicted classes, one text at a time."""
    rows = [
        net((torch.from_numpy(x[i : i + 1]), torch.from_numpy(mask[i : i + 1]))).argmax(1)
        for i in range(len(x))
    ]
    return torch.cat(rows).numpy()


@pytest.mark.parametrize("n", [1, 255, 256, 257])
def test_texts_are_counted_as_one_by_one(folder: Path, nets: dict[str, nn.Sequential], n: int) -> None:
    x, y = texts(n)
    expected = int((one_by_one(nets["elastic_encoder"], x, x != 0) == y).sum())
    assert counted(folder, "elastic_encoder", x=x, y=y) == expected


def test_a_given_mask_counts_and_not_the_zeros(folder: Path, nets: dict[str, nn.Sequential]) -> None:
    x, _ = texts(60)
    mask = np.random.default_rng(1).random(x.shape) < 0.6
    found = one_by_one(nets["elastic_encoder"], x, mask)
    assert (found != one_by_one(nets["elastic_encoder"], x, x != 0)).any(), "else this test sees nothing"
    assert counted(folder, "elastic_encoder", x=x, y=found, mask=mask) == 60


def test_shorter_rows_are_filled_with_padding(folder: Path, nets: dict[str, nn.Sequential]) -> None:
    x, y = texts(40)
    short = x[:, :4].copy()
    x[:, 4:] = 0
    found = one_by_one(nets["elastic_encoder"], x, x != 0)
    assert counted(folder, "elastic_encoder", x=short, y=found) == 40
    assert counted(folder, "elastic_encoder", x=short, y=y) == int((found == y).sum())


@pytest.mark.parametrize("kind", ["int8", "uint8", "int32", "uint64", ">i2"])
def test_whole_numbers_of_any_size_are_the_same_texts(folder: Path, kind: str) -> None:
    x, y = texts(30)
    plain = counted(folder, "elastic_encoder", x=x, y=y)
    assert counted(folder, "elastic_encoder", x=np.asfortranarray(x.astype(kind)), y=y.astype(kind)) == plain


def test_only_the_first_nodes_are_counted_and_all_of_them_speak(
    folder: Path, nets: dict[str, nn.Sequential]
) -> None:
    whole = graph(50)
    with torch.no_grad():
        answers = nets["elastic_gcn"]((torch.from_numpy(whole["x"]), torch.from_numpy(whole["edges"])))
    found = answers.argmax(1).numpy()
    for k in (1, 20, 50):
        assert counted(folder, "elastic_gcn", **whole | {"y": found[:k]}) == k
    others = whole | {"x": np.concatenate([whole["x"][:20], 3 - whole["x"][20:]]), "y": found[:20]}
    assert counted(folder, "elastic_gcn", **others) < 20, "messages of uncounted nodes matter"


def test_a_graph_without_edges_is_its_nodes_alone(folder: Path, nets: dict[str, nn.Sequential]) -> None:
    whole = graph(20) | {"edges": np.zeros((2, 0), np.int64)}
    with torch.no_grad():
        alone = [
            nets["elastic_gcn"](
                (torch.from_numpy(row[None]), torch.zeros((2, 0), dtype=torch.int64))
            ).argmax()
            for row in whole["x"]
        ]
    assert counted(folder, "elastic_gcn", **whole | {"y": np.array([int(c) for c in alone])}) == 20


def test_numbers_beyond_float32_are_not_finite_here(folder: Path) -> None:
    whole = graph(9)
    whole["x"] = whole["x"].astype(np.float64)
    whole["x"][3, 2] = 1e300
    status, out, err = ended(folder, "elastic_gcn", whole)
    assert (status, out) == (2, "")
    assert err == "predict.py: x holds numbers that are not finite.\n"


@pytest.mark.parametrize("end", [-1, 9])
def test_an_edge_to_nobody_is_refused_to_the_last_node(folder: Path, end: int) -> None:
    whole = graph(9)
    edges = whole["edges"].copy()
    edges[1, 4] = end
    assert counted(folder, "elastic_gcn", **whole | {"edges": np.clip(edges, 0, 8)}) >= 0
    status, out, err = ended(folder, "elastic_gcn", whole | {"edges": edges})
    assert (status, out, err) == (2, "", "predict.py: edges names nodes outside 0 to 8.\n")


def not_a_time(shape: tuple[int, ...]) -> np.ndarray:
    return np.full(shape, np.timedelta64("NaT"))


@pytest.mark.parametrize(
    ("family", "name", "array"),
    [
        ("elastic_encoder", "x", not_a_time((4, LENGTH))),
        ("elastic_encoder", "y", not_a_time((4,))),
        ("elastic_encoder", "x", np.zeros((4, LENGTH), "i4,i4")),
        ("elastic_encoder", "mask", np.zeros((4, LENGTH), "V1")),
        ("elastic_gcn", "edges", not_a_time((2, 5))),
        ("elastic_gcn", "x", np.zeros((6, FEATURES), "f4,f4")),
        ("elastic_gcn", "y", not_a_time((6,))),
    ],
)
def test_times_and_records_are_no_numbers(folder: Path, family: str, name: str, array: np.ndarray) -> None:
    x, y = texts(4)
    sound = {"x": x, "y": y} if family == "elastic_encoder" else graph(6)
    status, out, err = ended(folder, family, sound | {name: array})
    assert (status, out) == (2, "")
    assert err == f"predict.py: given.npz holds an array {name} that is not made of plain numbers.\n"


@st.composite
def any_array(draw: st.DrawFn, likely: tuple[int, ...]) -> np.ndarray:
    """An array of any type, mostly of a shape that is asked for, with numbers around the bounds."""
    sides = st.lists(st.integers(0, 8), max_size=3).map(tuple)
    shape = draw(st.just(likely) | sides)
    kind = draw(st.sampled_from(KINDS + STRANGE))
    values = draw(
        st.lists(st.sampled_from([0, 1, 2, 3, 10, 11, -1, 2**31, -(2**63)]), min_size=1, max_size=6)
    )
    raw = np.resize(np.array(values, np.int64), shape)
    if draw(st.booleans()):
        raw = np.abs(raw) % 3
    if np.dtype(kind).kind == "V":
        return np.zeros(shape, kind)
    with np.errstate(all="ignore"):
        return raw.astype(kind)


def assert_plain_end(status: int, out: str, err: str) -> None:
    if status == 0:
        assert err == ""
        assert set(json.loads(out)) == {"accuracy", "correct", "n"}
    else:
        assert (status, out) == (2, "")
        assert err.startswith("predict.py: ")
        assert err.endswith(".\n")
        assert err.count("\n") == 1


given_once = settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@given_once
@given(x=any_array((4, LENGTH)), y=any_array((4,)), mask=st.none() | any_array((4, LENGTH)))
def test_texts_of_any_arrays_end_plainly(
    folder: Path, x: np.ndarray, y: np.ndarray, mask: np.ndarray | None
) -> None:
    given = {"x": x, "y": y} | ({} if mask is None else {"mask": mask})
    assert_plain_end(*ended(folder, "elastic_encoder", given))


@given_once
@given(x=any_array((3, FEATURES)), edges=any_array((2, 4)), y=any_array((2,)))
def test_graphs_of_any_arrays_end_plainly(
    folder: Path, x: np.ndarray, edges: np.ndarray, y: np.ndarray
) -> None:
    assert_plain_end(*ended(folder, "elastic_gcn", {"x": x, "edges": edges, "y": y}))


def test_weights_that_cannot_be_loaded_are_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import sys

    monkeypatch.setattr(common, "HERE", tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "model", raising=False)
    (tmp_path / "model.py").write_text("def load(path):\n    raise RuntimeError('two\\nlines')\n")
    with pytest.raises(SystemExit) as end:
        common.load_subnet()
    sys.modules.pop("model", None)
    assert end.value.code == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "RuntimeError" in said
    assert "unpack the download again" in said
