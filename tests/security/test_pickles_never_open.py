"""T1: pickled checkpoints are refused unread, whatever they are called and wrapped in.

Every payload would leave a canary file if anything unpickled it; the watch on the process would also
see the unpickler look up a single name.
"""

from __future__ import annotations

import io
import itertools
import os
import pickle
import subprocess
import tarfile
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest

from core.datasets.images import load_images
from core.errors import InvalidInput
from core.networks.untrusted_files import load_tensors, read_header, refuse_reason
from tests.security.hostile_files import npy, npz_of, plain_sentence, raw_npy, safetensors

# One per process: tests may run side by side.
CANARY = Path(tempfile.gettempdir()) / f"paretoscope-canary-{os.getpid()}"


class Payload:
    """Runs a command when it is unpickled."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def __reduce__(self):
        command = f"touch {CANARY}"
        match self.kind:
            case "system":
                return os.system, (command,)
            case "popen":
                return subprocess.Popen, (["touch", str(CANARY)],)
            case "eval":
                return eval, (f"open({str(CANARY)!r}, 'w').close()",)
            case "exec":
                return exec, (f"open({str(CANARY)!r}, 'w').close()",)
            case "open":
                return open, (str(CANARY), "w")
            case "touch":
                return Path.touch, (CANARY,)
            case _:
                return getattr, (Path, "touch")


KINDS = ("system", "popen", "eval", "exec", "open", "touch", "getattr")


def as_torch_zip(payload: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("archive/data.pkl", payload)
        archive.writestr("archive/version", "3\n")
        archive.writestr("archive/data/0", bytes(64))
    return buffer.getvalue()


def as_scrambled_zip(payload: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("readme.txt", "x" * 5000)
        archive.writestr("deep/er/data.pkl", payload)
    return buffer.getvalue()


def as_tar(payload: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        info = tarfile.TarInfo("pickle")
        info.size = len(payload)
        archive.addfile(info, io.BytesIO(payload))
    return buffer.getvalue()


def as_legacy(payload: bytes) -> bytes:
    return pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(1001, 2) + payload


def as_npz(payload: bytes) -> bytes:
    header = "{'descr': '|O', 'fortran_order': False, 'shape': (20,), }"
    return npz_of({"x.npy": raw_npy(header, payload), "y.npy": npy(np.arange(20) % 2)})


WRAPPINGS = (bytes, as_torch_zip, as_scrambled_zip, as_tar, as_legacy)
NAMES = (
    "model.pt",
    "model.pth",
    "model.ckpt",
    "model.PKL",
    "model.bin",
    "model.safetensors",
    "model.zip",
    "model",
)


@pytest.fixture
def canary(untouched):
    CANARY.unlink(missing_ok=True)
    yield
    assert not CANARY.exists()


def test_the_payloads_are_live(tmp_path):
    """The canary sings when a payload really is unpickled, in a process of its own."""
    CANARY.unlink(missing_ok=True)
    (tmp_path / "p").write_bytes(pickle.dumps(Payload("system")))
    code = f"import pickle; pickle.load(open({str(tmp_path / 'p')!r}, 'rb'))"
    subprocess.run(["python3", "-W", "ignore", "-c", code], check=True)
    assert CANARY.exists()
    CANARY.unlink()


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("kind", KINDS)
def test_a_pickle_is_refused_unread(kind, protocol, canary):
    payload = pickle.dumps({"state_dict": Payload(kind)}, protocol)
    for wrap, name in itertools.product(WRAPPINGS, NAMES):
        data = wrap(payload)
        reason = refuse_reason(data, name)
        assert reason is not None
        assert plain_sentence(reason), reason
        # Whatever it is called and however it is wrapped: the sentence says what it is and what to do.
        assert "Pickled checkpoints" in reason, (wrap, name)
        assert "save the weights as .safetensors" in reason
        for read in (read_header, load_tensors, load_images):
            with pytest.raises(InvalidInput):
                read(data)
    with pytest.raises(InvalidInput):
        load_images(as_npz(payload))


@pytest.mark.parametrize("wrap", WRAPPINGS)
def test_a_pickle_called_safetensors_is_recognised(wrap, canary):
    data = wrap(pickle.dumps(Payload("system")))
    assert "Pickled checkpoints" in (refuse_reason(data, "model.safetensors") or "")


def test_a_real_torch_checkpoint_is_refused_with_advice(canary):
    import torch

    buffer = io.BytesIO()
    torch.save({"weight": torch.ones(2)}, buffer)
    for name in NAMES[:6]:
        reason = refuse_reason(buffer.getvalue(), name) or ""
        assert "save_file" in reason
        assert "weights_only" not in reason


def test_a_pickle_inside_a_sound_file_stays_bytes(canary):
    payload = pickle.dumps(Payload("system"))
    entry = {"dtype": "U8", "shape": [len(payload)], "data_offsets": [0, len(payload)]}
    data = safetensors({"weight": entry}, payload)
    assert refuse_reason(data, "a.safetensors") is None
    assert load_tensors(data)["weight"].tobytes() == payload


@pytest.mark.parametrize("name", ["model.onnx", "bundle.zip", "model.h5", "model.gguf", "model", ""])
def test_other_files_are_refused_by_name(name, canary):
    good = safetensors({"w": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]}}, b"\0")
    reason = refuse_reason(good, name)
    assert reason is not None
    assert plain_sentence(reason)
