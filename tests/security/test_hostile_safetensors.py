"""T4: weights from strangers. Every case is made by hand; none may be believed or cost memory."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from core.errors import InvalidInput, NotFound
from core.networks import untrusted_files as safe_files
from core.networks.untrusted_files import load_tensors, read_header, refuse_reason
from tests.security.hostile_files import entry, plain_sentence, safetensors

EIGHT = b"\0" * 8
BIG = "9" * 5000
DEEP = b'{"a":' * 100_000 + b"1" + b"}" * 100_000
MANY = {f"t{n}": entry(shape=[0], offsets=[0, 0]) for n in range(20_001)}
FEWER = b"{" + b",".join(b'"%d":{}' % n for n in range(330_000)) + b"}"
MILLION = (
    b"{"
    + b",".join(b'"%d":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}' % n for n in range(200_000))
    + b"}"
)

HOSTILE = {
    "empty file": b"",
    "seven bytes": b"\0" * 7,
    "only a length": (2).to_bytes(8, "little"),
    "length beyond the file": safetensors({}, length=1000),
    "length of 2**63": safetensors({}, length=2**63),
    "length zero": safetensors(b"", EIGHT),
    "header of 5 MB": safetensors(b"{" + b" " * (5 * 2**20) + b"}"),
    "not JSON": safetensors(b"{nothing}"),
    "JSON cut short": safetensors(b'{"a": '),
    "not UTF-8": safetensors(b'{"\xff\xfe": 1}'),
    "a list": safetensors([1, 2]),
    "a number": safetensors(b"12"),
    "leading blanks": safetensors(b'   {"a": 1}'),
    "byte order mark": safetensors(b"\xef\xbb\xbf{}"),
    "two values": safetensors(b"{} {}"),
    "a tensor twice": safetensors(
        b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}',
        EIGHT,
    ),
    "a field twice": safetensors(
        b'{"a":{"dtype":"F32","dtype":"I64","shape":[1],"data_offsets":[0,8]}}', EIGHT
    ),
    "metadata twice": safetensors(b'{"__metadata__":{"k":"1","k":"2"}}'),
    "huge zero dimension": safetensors({"a": entry(shape=[0, 2**62], offsets=[0, 0])}),
    "zero dimension": safetensors({"a": entry(shape=[0], offsets=[0, 0])}),
    "dimension of 2**31": safetensors({"a": entry(shape=[2**31])}, EIGHT),
    "product beyond 64 bits": safetensors({"a": entry(shape=[2**30] * 4)}, EIGHT),
    "negative dimension": safetensors({"a": entry(shape=[-2])}, EIGHT),
    "two negative dimensions": safetensors({"a": entry(shape=[-2, -1])}, EIGHT),
    "fractional dimension": safetensors({"a": entry(shape=[2.0])}, EIGHT),
    "boolean dimension": safetensors({"a": entry(shape=[True, 2])}, EIGHT),
    "text dimension": safetensors({"a": entry(shape="2")}, EIGHT),
    "rank 100": safetensors({"a": entry(shape=[1] * 99 + [2])}, EIGHT),
    "a number of 5000 digits": safetensors(
        b'{"a":{"dtype":"F32","shape":[%s],"data_offsets":[0,8]}}' % BIG.encode(), EIGHT
    ),
    "NaN in the header": safetensors(b'{"a":{"dtype":"F32","shape":[NaN],"data_offsets":[0,8]}}', EIGHT),
    "infinite offset": safetensors(b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,Infinity]}}', EIGHT),
    "offsets reversed": safetensors({"a": entry(offsets=[8, 0])}, EIGHT),
    "negative offset": safetensors({"a": entry(offsets=[-8, 0])}, EIGHT),
    "three offsets": safetensors({"a": entry(offsets=[0, 4, 8])}, EIGHT),
    "offsets beyond the file": safetensors({"a": entry(shape=[4], offsets=[0, 16])}, EIGHT),
    "offsets of 2**62": safetensors({"a": entry(offsets=[2**62, 2**62 + 8])}, EIGHT),
    "overlap": safetensors({"a": entry(), "b": entry(offsets=[4, 12])}, b"\0" * 12),
    "the same bytes twice": safetensors({"a": entry(), "b": entry()}, EIGHT),
    "a hole": safetensors({"a": entry(), "b": entry(offsets=[12, 20])}, b"\0" * 20),
    "a hole in front": safetensors({"a": entry(offsets=[4, 12])}, b"\0" * 12),
    "bytes left over": safetensors({"a": entry()}, EIGHT + b"extra"),
    "size not that of the shape": safetensors({"a": entry(shape=[3])}, EIGHT),
    "unknown type": safetensors({"a": entry(dtype="F128")}, EIGHT),
    "type is a list": safetensors({"a": entry(dtype=["F32"])}, EIGHT),
    "object type": safetensors({"a": entry(dtype="O")}, EIGHT),
    "missing field": safetensors({"a": {"dtype": "F32", "shape": [2]}}, EIGHT),
    "extra field": safetensors({"a": entry(code="import os")}, EIGHT),
    "entry is a list": safetensors({"a": [1, 2, 3]}, EIGHT),
    "name climbs out": safetensors({"../../etc/passwd": entry()}, EIGHT),
    "name is markup": safetensors({"<img src=x onerror=alert(1)>": entry()}, EIGHT),
    "name is empty": safetensors({"": entry()}, EIGHT),
    "name of 201": safetensors({"a" * 201: entry()}, EIGHT),
    "name with a newline": safetensors({"a\n": entry()}, EIGHT),
    "name right to left": safetensors({"a\u202eb": entry()}, EIGHT),
    "name is a half character": safetensors(
        b'{"\\ud800":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}', EIGHT
    ),
    "metadata is a list": safetensors({"__metadata__": ["x"]}),
    "metadata holds a number": safetensors({"__metadata__": {"x": 1}}),
    "metadata holds an object": safetensors({"__metadata__": {"x": {"y": "z"}}}),
    "metadata is half a character": safetensors(b'{"__metadata__": {"x": "\\udfff"}}'),
    "1000 metadata keys": safetensors({"__metadata__": {f"k{n}": "v" for n in range(1000)}}),
    "nested 100,000 deep": safetensors(DEEP),
    "20,001 tensors": safetensors(MANY),
    "200,000 empty tensors": safetensors(MILLION),
    "330,000 empty entries": safetensors(FEWER),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_header_is_refused_in_one_sentence(case, untouched):
    data = HOSTILE[case]
    for read in (read_header, load_tensors):
        with pytest.raises(InvalidInput) as refusal:
            read(data)
        assert plain_sentence(str(refusal.value)), str(refusal.value)
    assert plain_sentence(refuse_reason(data, "model.safetensors") or "")


@pytest.mark.parametrize(
    "case", ["330,000 empty entries", "200,000 empty tensors", "nested 100,000 deep", "rank 100"]
)
def test_refusing_costs_little_memory(case):
    tracemalloc.start()
    try:
        with pytest.raises(InvalidInput):
            load_tensors(HOSTILE[case])
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 32 * 2**20


def test_a_file_has_a_limit_to_the_last_byte(tmp_path, monkeypatch):
    file = safetensors({"a": entry()}, EIGHT)
    monkeypatch.setattr(safe_files, "MAX_FILE_BYTES", len(file))
    assert load_tensors(file)
    monkeypatch.setattr(safe_files, "MAX_FILE_BYTES", len(file) - 1)
    with pytest.raises(InvalidInput, match="are accepted"):
        read_header(file)


def test_a_file_beyond_two_gigabytes_is_not_read(tmp_path):
    path = tmp_path / "large.safetensors"
    size = safe_files.MAX_FILE_BYTES + 1
    shape = [size - 8 - 100]
    head = safetensors({"a": entry(shape=shape, dtype="U8", offsets=[0, shape[0]])})
    path.write_bytes(head.replace(b"{", b"{" + b" " * (108 - len(head)), 1))
    with path.open("r+b") as file:
        file.write((100).to_bytes(8, "little"))
        file.truncate(size)  # sparse: takes no room
    assert path.stat().st_size == 2 * 2**30 + 1
    with pytest.raises(InvalidInput, match="at most 2,147,483,648"):
        read_header(path)


def test_more_tensors_than_accepted_are_counted_while_parsing(monkeypatch):
    monkeypatch.setattr(safe_files, "MAX_TENSORS", 3)
    honest = {f"t{n}": entry(offsets=[8 * n, 8 * n + 8]) for n in range(3)}
    assert len(read_header(safetensors({"__metadata__": {}, **honest}, EIGHT * 3))) == 4
    with pytest.raises(InvalidInput, match="more than 3"):
        read_header(safetensors({**honest, "t3": entry(offsets=[24, 32])}, EIGHT * 4))


@pytest.mark.parametrize(
    ("dtype", "data"),
    [
        ("F32", struct.pack("<2f", 1.0, float("nan"))),
        ("F64", struct.pack("<d", float("inf"))),
        ("F16", struct.pack("<4e", 0, 0, 0, float("-inf"))),
        ("BF16", b"\x80\x7f" * 4),
        ("BOOL", bytes([0, 1, 7, 0, 0, 0, 0, 0])),
    ],
)
def test_numbers_that_are_not_finite_are_named(dtype, data):
    width = {"F32": 4, "F64": 8, "F16": 2, "BF16": 2, "BOOL": 1}[dtype]
    file = safetensors({"weight": entry(shape=[8 // width], dtype=dtype)}, data)
    read_header(file)
    with pytest.raises(InvalidInput, match="weight"):
        load_tensors(file)


def test_honest_files_read_as_the_library_reads_them(tmp_path):
    from safetensors.numpy import load, save

    rng = np.random.default_rng(0)
    tensors = {
        "stages.0.weight": rng.normal(size=(4, 3, 3, 3)).astype(np.float32),
        "half": rng.normal(size=(5,)).astype(np.float16),
        "double": rng.normal(size=(2, 2)),
        "count": np.array(7, dtype=np.int64),
        "flags": np.array([True, False, True]),
        "bytes": np.arange(9, dtype=np.uint8),
    }
    data = save(tensors, metadata={"paretoscope": json.dumps({"family": "x", "text": "ä"})})
    (tmp_path / "model.safetensors").write_bytes(data)
    for file in (data, tmp_path / "model.safetensors", str(tmp_path / "model.safetensors")):
        found = load_tensors(file)
        assert found.keys() == tensors.keys()
        for name, expected in load(data).items():
            assert found[name].dtype == expected.dtype
            assert found[name].shape == expected.shape
            np.testing.assert_array_equal(found[name], expected)
            assert found[name].flags.writeable
            assert found[name].flags.aligned
    header = read_header(data)
    assert json.loads(header["__metadata__"]["paretoscope"])["text"] == "ä"
    assert refuse_reason(data, "Model.SAFETENSORS") is None


def test_bfloat16_is_widened_exactly():
    import torch
    from safetensors.torch import save

    tensor = torch.randn(64, generator=torch.Generator().manual_seed(0)).to(torch.bfloat16)
    found = load_tensors(save({"w": tensor}))["w"]
    np.testing.assert_array_equal(found, tensor.float().numpy())


def test_a_missing_file_is_not_found(tmp_path):
    with pytest.raises(NotFound):
        read_header(tmp_path / "none.safetensors")


def test_every_honest_header_length_passes_the_pickle_check():
    # 0x0280 bytes of header make the file begin with the bytes of a protocol-2 pickle.
    for length in (0x0280, 0x0380, 0x0480, 0x0580, 0x0128, 0x0163):
        text = json.dumps({"a": entry()}).encode()
        data = safetensors(text + b" " * (length - len(text)), EIGHT)
        assert refuse_reason(data, "a.safetensors") is None


def test_reading_weights_imports_no_torch():
    code = "import sys; import core.networks.untrusted_files; print('torch' in sys.modules, 'safetensors' in sys.modules)"
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
