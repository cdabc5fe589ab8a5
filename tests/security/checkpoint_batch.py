"""Many hostile checkpoints judged in one confined process: `python -m tests.security.checkpoint_batch`, see `core.confined`.

Starting a process with torch for each of 20,000 files would take half a day, so a batch of them is decoded in one, under
the limits that one file has. What would run code is watched by an audit hook besides the canary.
"""

from __future__ import annotations

import io
import json
import os
import pickle
import sys
import time
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save

from core.config import JsonObject
from core.confined import serve
from core.errors import InvalidInput
from core.supernets import written
from core.supernets.loaders.base import loader_of
from core.supernets.loaders.ofa_resnet import ResNetLayout
from tests.helpers.ofa_checkpoints import resnet, resnet_file, saved, state_of
from tests.security.hostile_files import mutate, plain_sentence

LONGEST = 600
"""Characters of a refusal that a page shows; the one for unknown files lists all that can be loaded."""
_RUNS = (
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.fork",
    "subprocess.Popen",
    "socket.connect",
    "pickle.find_class",
)
_ran: list[str] = []


class Payload:
    """Touches the canary when it is unpickled."""

    def __init__(self, canary: str, kind: int) -> None:
        self.canary, self.kind = canary, kind

    def __reduce__(self) -> tuple[Any, ...]:
        return (
            (os.system, (f"touch {self.canary}",)),
            (eval, (f"open({self.canary!r}, 'w').close()",)),
            (exec, (f"open({self.canary!r}, 'w').close()",)),
            (open, (self.canary, "w")),
            (Path.touch, (Path(self.canary),)),
            (torch.save, (torch.ones(1), self.canary)),
        )[self.kind]


def resnet_safetensors() -> bytes:
    state = {n: t.contiguous() for n, t in state_of(ResNetLayout(), resnet()).items() if t.ndim}
    return save(state)


SPACE = """title: A small chain
stem: {channels: 8}
stages:
  - widths: [8, 16]
    depths: [1, 2]
    options: [residual, {block: inverted_residual, expand: 3}, identity]
  - widths: [16]
    depths: [1]
    options: [residual]
head: {hidden: 0}
"""
_IN_YAML = (
    "a: !!python/object/apply:os.system ['touch CANARY']",
    "b: !!python/object/new:builtins.eval [\"open('CANARY', 'w')\"]",
    "c: !!python/name:os.system",
    "d: &d [x, x, x, x, x, x, x, x, x]\ne: &e [*d, *d, *d, *d, *d, *d, *d]\nf: [*e, *e, *e, *e, *e, *e]",
    "g: " + "[" * 5000,
    "h: " + "{a: " * 2000,
    "---\nstages: []",
    "<<: *d",
    "i: " + "9" * 20_000,
    "? [j, k]\n: l",
    "m: 0x7fffffffffffffff\nn: .inf\no: 1:30:00",
)


OWN: dict[str, Callable[[], tuple[str, bytes]]] = {
    "once_for_all": resnet_file,
    "legacy torch file": lambda: (
        "old.pth",
        saved({"state_dict": state_of(ResNetLayout(), resnet())}, legacy=True),
    ),
    "safetensors of tensors": lambda: ("resnet.safetensors", resnet_safetensors()),
    "space in YAML": lambda: ("space.yaml", SPACE.encode()),
}


def formats() -> dict[str, Callable[[], tuple[str, bytes]]]:
    """A sound file of every kind that is loaded, and of containers that one loader takes several of."""
    from tests.helpers.supernet_files import FILES  # here: a process for one of our own needs none of it

    return {**FILES, **OWN}


def mutant(data: bytes, rng: np.random.Generator, canary: str) -> bytes:
    """One hostile variant of a sound file: bytes, members of an archive, a header, or code among the weights."""
    way = int(rng.integers(4))
    if data.startswith(b"title:"):
        return _spaces(data, rng, canary) if way == 0 else mutate(data, rng)
    if way == 0:
        return mutate(data, rng)
    if data[:2] == b"PK":
        return _with_code(data, rng, canary) if way == 1 else _members(data, rng)
    if data[:1] == b"\x80":
        cut = data.find(
            b"\x80\x02}", 20
        )  # the pickle with the tensors' names, behind magic number and version
        return _code_inside(data, max(cut, 0), rng, canary) if way == 1 else _head(data, rng, 20_000)
    return _head(data, rng, 8 + min(int.from_bytes(data[:8], "little"), len(data)))


def _spaces(data: bytes, rng: np.random.Generator, canary: str) -> bytes:
    """A text with a hostile line somewhere."""
    lines = data.decode().splitlines()
    hostile = _IN_YAML[int(rng.integers(len(_IN_YAML)))].replace("CANARY", canary)
    at = int(rng.integers(len(lines) + 1))
    return "\n".join([*lines[:at], hostile, *lines[at:]]).encode()


def plain(refusal: str) -> bool:
    """Whether a refusal is one readable line; it may end by asking what was meant."""
    return plain_sentence(f"{refusal[:-1]}." if refusal.endswith("?") else refusal, LONGEST)


def read(name: str, data: bytes) -> None:
    """Load a file as the app does: a written space in the server's own process, everything else by its loader.

    Raises:
        InvalidInput: it is refused.
    """
    if name.endswith(".yaml"):
        written.read(data)
    else:
        loader_of(name, data).load(name, data)


def _head(data: bytes, rng: np.random.Generator, end: int) -> bytes:
    """Accidents in the part that describes the rest; half of them with a length that fits again."""
    end = min(end, len(data))
    head = mutate(data[8:end], rng)
    if rng.random() < 0.5:
        return len(head).to_bytes(8, "little") + head + data[end:]
    return data[:8] + head + data[end:]


def _members(data: bytes, rng: np.random.Generator) -> bytes:
    """An archive packed anew with accidents in one member, or with a member lost, doubled, renamed or packed."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = [(info.filename, archive.read(info)) for info in archive.infolist()]
    at = 0 if rng.random() < 0.5 else int(rng.integers(len(members)))
    name, content = members[at]
    how = int(rng.integers(6))
    if how <= 2:
        members[at] = (name, mutate(content, rng))
    elif how == 3:
        del members[at]
    elif how == 4:
        members[at] = (mutate(name.encode(), rng).decode("latin-1").replace("\0", "0") or "x", content)
    packing = zipfile.ZIP_DEFLATED if how == 5 else zipfile.ZIP_STORED
    return packed(members, packing)


def packed(members: list[tuple[str, bytes]], packing: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", packing) as archive:
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name), content, compress_type=packing)
    return buffer.getvalue()


def _with_code(data: bytes, rng: np.random.Generator, canary: str) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = [(info.filename, archive.read(info)) for info in archive.infolist()]
    changed = [
        (name, _code_inside(content, 2, rng, canary) if name.endswith(".pkl") else content)
        for name, content in members
    ]
    return packed(changed)


def _code_inside(data: bytes, start: int, rng: np.random.Generator, canary: str) -> bytes:
    """A pickle with a call of a function among its instructions, or one that is nothing else."""
    code = pickle.dumps(Payload(canary, int(rng.integers(6))), int(rng.integers(0, 5)))
    if rng.random() < 0.3:
        return code
    body = code[2:-1] if code[:1] == b"\x80" else code[:-1]
    at = int(rng.integers(start, max(start + 1, min(len(data), 4000))))
    return data[:at] + body + b"0" + data[at:]  # what the call returned is popped again


def work(data: bytes, options: JsonObject, target: Path) -> JsonObject:
    """Judge a range of numbered mutants of one format; the answer says what became of them."""
    request = json.loads(data)
    canary, (first, last) = str(request["canary"]), request["range"]
    sys.addaudithook(lambda event, _: _ran.append(event) if event in _RUNS else None)
    known = OWN if request["format"] in OWN else formats()
    name, sound = known[request["format"]]()
    read(name, sound)
    outcomes: Counter[str] = Counter()
    wrong: list[str] = []
    slowest = 0.0
    _ran.clear()
    for number in range(first, last):
        hostile = mutant(sound, np.random.default_rng(number), canary)
        began = time.process_time()
        try:
            read(name, hostile)
            outcomes["loaded"] += 1
        except InvalidInput as error:
            outcomes["refused"] += 1
            if not plain(str(error)):
                wrong.append(f"{number}: not a plain sentence: {error}")
        except MemoryError:
            outcomes["too much memory"] += 1
        except Exception as error:  # any other is a fault of ours
            wrong.append(f"{number}: {type(error).__name__}: {error}")
        slowest = max(slowest, time.process_time() - began)
    return {"outcomes": dict(outcomes), "wrong": wrong[:20], "ran": _ran[:20], "slowest": slowest}


if __name__ == "__main__":
    serve(work)
