"""Many hostile folders judged in one confined process: `python -m tests.security.folder_batch`, see `core.confined`.

Each is a tiny sound folder of one architecture with an accident or an attack in one of its files: settings, tokenizer,
weights, index, or the archive around them. What would run code is watched by an audit hook.
"""

from __future__ import annotations

import json
import resource
import sys
import time
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from core.config import JsonObject
from core.confined import serve
from core.errors import InvalidInput
from core.supernets.folders.folder import of_zip
from core.supernets.loaders.base import LOADERS, loader_of
from tests.helpers.tiny_folders import FOLDERS, Files, sharded, zipped
from tests.security.checkpoint_batch import plain
from tests.security.hostile_files import mutate

_RUNS = (
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.fork",
    "subprocess.Popen",
    "socket.connect",
    "pickle.find_class",
)
SETTINGS = ("config.json", "preprocessor_config.json")
TOKENIZERS = ("tokenizer.json", "tokenizer_config.json", "vocab.txt", "vocab.json", "merges.txt")
_ran: list[str] = []


def sound(name: str) -> Files:
    """A sound folder of an architecture; with all files that a tokenizer may have."""
    return FOLDERS[name]()


def hostile(name: str, rng: np.random.Generator) -> bytes:
    """The archive of one hostile folder."""
    files = sound(name)
    if rng.random() < 0.3:
        files = sharded(files, int(rng.integers(2, 4)))
    way = int(rng.integers(10))
    if way <= 2:
        files = _in_json(files, _one(files, SETTINGS, rng), rng)
    elif way <= 4:
        files = _in_tokenizer(files, rng)
    elif way <= 6:
        files = _in_weights(files, rng)
    elif way == 7:
        files = _in_index(files, rng)
    elif way == 8:
        files = _misnamed(files, rng)
    data = zipped(files, packing=zipfile.ZIP_DEFLATED if rng.random() < 0.5 else zipfile.ZIP_STORED)
    return mutate(data, rng) if way == 9 else data


def _one(files: Files, among: tuple[str, ...], rng: np.random.Generator) -> str:
    there = [name for name in among if name in files]
    return there[int(rng.integers(len(there)))] if there else "config.json"


def values(rng: np.random.Generator) -> Any:
    """A value that no honest program writes there."""
    plain_ones: list[Any] = [
        *(None, True, False, -1, 0, 1, 2, 3, 7, 2**31, 2**63, 10**400, 1e308, -0.0, 1e-320, 0.5),
        *(
            "",
            "x",
            "../../etc/passwd",
            "a\ud800",
            "é" * 3,
            "\x00",
            "<script>",
            "__import__('os').system('x')",
        ),
        *([], {}, [[]], [1, "a", None], {"": 0}, ["LlamaForCausalLM"], {"rope_type": "yarn", "factor": 4.0}),
    ]
    large: list[Callable[[], Any]] = [
        lambda: "x" * 200_000,
        lambda: list(range(50_000)),
        lambda: {str(n): n for n in range(20_000)},
        lambda: deep("[", "]", int(rng.integers(10, 900))),
        lambda: deep('{"a":', "}", int(rng.integers(10, 900))),
        lambda: float("nan"),
        lambda: float("inf"),
    ]
    if rng.random() < 0.8:
        return plain_ones[int(rng.integers(len(plain_ones)))]
    return large[int(rng.integers(len(large)))]()


def deep(opening: str, closing: str, levels: int) -> Any:
    """A value nested so deep."""
    return json.loads(opening * levels + "0" + closing * levels)


def _in_json(files: Files, name: str, rng: np.random.Generator) -> Files:
    """A file of JSON with an accident in its text, a value replaced somewhere, a field lost or doubled."""
    data = files.get(name, b"{}")
    how = int(rng.integers(6))
    if how == 0:
        return files | {name: mutate(data, rng)}
    if how == 1:
        text = (b"[" * 100_000, b'{"a":' * 20_000, b"9" * 9_000, data + data, data[:-1] + b", " + data[1:])
        return files | {name: text[int(rng.integers(len(text)))]}
    content = json.loads(data)
    for _ in range(int(rng.integers(1, 4))):
        _change(content, rng)
    return files | {name: json.dumps(content).encode()}


def _change(content: Any, rng: np.random.Generator) -> None:
    """Change something of a JSON value, at any depth."""
    while isinstance(content, dict | list) and content:
        keys = list(content) if isinstance(content, dict) else list(range(len(content)))
        key = keys[int(rng.integers(len(keys)))]
        inner = content[key]
        if isinstance(inner, dict | list) and inner and rng.random() < 0.7:
            content = inner
            continue
        if rng.random() < 0.2:
            del content[key]
        elif isinstance(inner, int) and not isinstance(inner, bool) and rng.random() < 0.5:
            content[key] = inner * int(rng.choice([2, 3, -1, 1000, 10**6])) + int(rng.integers(-1, 2))
        else:
            content[key] = values(rng)
        return


def _in_tokenizer(files: Files, rng: np.random.Generator) -> Files:
    name = _one(files, TOKENIZERS, rng)
    if name.endswith(".json"):
        return _in_json(files, name, rng)
    data = files.get(name, b"")
    lines = data.split(b"\n")
    huge = b"\n".join(b"t%d" % n for n in range(20_000))
    made = [
        lambda: mutate(data, rng),
        lambda: b"\n".join(lines[int(rng.integers(len(lines))) :]),
        lambda: data + huge,
        lambda: b"x" * 300_000,
        lambda: b"\n" * 50_000,
        lambda: data.replace(b"\n", b"\r"),
        lambda: b"\xff\xfe" + data,
        lambda: b"",
        lambda: data + b"a b c\n\x00 \x00\n",
    ]
    return files | {name: made[int(rng.integers(len(made)))]()}


def _in_weights(files: Files, rng: np.random.Generator) -> Files:
    """Accidents in the weights: anywhere, in the header with a length that fits again, or a header that claims much."""
    name = next(each for each in files if each.endswith(".safetensors"))
    data = files[name]
    length = int.from_bytes(data[:8], "little")
    header, body = data[8 : 8 + length], data[8 + length :]
    how = int(rng.integers(5))
    if how == 0:
        return files | {name: mutate(data, rng)}
    if how == 1:
        header = mutate(header, rng)
    elif how == 2:
        content = json.loads(header)
        tensors = [each for each in content if each != "__metadata__"]
        entry = content[tensors[int(rng.integers(len(tensors)))]]
        key = ("dtype", "shape", "data_offsets")[int(rng.integers(3))]
        types = ("F8_E4M3", "F8_E5M2", "I8", "U8", "BF16", "F16", "F64", "BOOL", "I64", "F4", "C64", "")
        entry[key] = types[int(rng.integers(len(types)))] if key == "dtype" else values(rng)
        header = json.dumps(content).encode()
    elif how == 3:
        content = json.loads(header)
        names = list(content)
        old = names[int(rng.integers(len(names)))]
        content["".join([old, ".weight", "x"][: int(rng.integers(1, 3))]) + "y"] = content.pop(old)
        header = json.dumps(content).encode()
    else:
        body = rng.bytes(len(body))  # almost surely numbers that are not finite
    return files | {name: len(header).to_bytes(8, "little") + header + body}


def _in_index(files: Files, rng: np.random.Generator) -> Files:
    """A part that is missing or doubled, an index that says something else."""
    index = "model.safetensors.index.json"
    files = files if index in files else sharded(files)
    how = int(rng.integers(5))
    parts = [each for each in files if each.endswith(".safetensors")]
    part = parts[int(rng.integers(len(parts)))]
    if how == 0:
        return {name: content for name, content in files.items() if name != part}
    if how == 1:
        return files | {part: files[parts[0]]}
    if how == 2:
        return {name: content for name, content in files.items() if name != index}
    if how == 3:
        return _in_json(files, index, rng)
    listed = json.loads(files[index])
    names = list(listed["weight_map"])
    where = (
        "../../etc/passwd",
        "/etc/passwd",
        "model.safetensors",
        "config.json",
        "",
        "model-00009-of-00009.safetensors",
    )
    listed["weight_map"][names[int(rng.integers(len(names)))]] = where[int(rng.integers(len(where)))]
    return files | {index: json.dumps(listed).encode()}


def _misnamed(files: Files, rng: np.random.Generator) -> Files:
    """Files lost, called otherwise, or with others beside them that are dangerous to open."""
    names = list(files)
    name = names[int(rng.integers(len(names)))]
    how = int(rng.integers(4))
    if how == 0:
        return {each: content for each, content in files.items() if each != name}
    if how == 1:
        other = (
            "../config.json",
            "/config.json",
            "a/config.json",
            "Config.json",
            "pytorch_model.bin",
            "x\\y",
            "con",
        )
        new = other[int(rng.integers(len(other)))]
        return {new if each == name else each: content for each, content in files.items()}
    if how == 2:
        return files | {
            "modeling_x.py": b"import os; os.system('touch x')",
            "pytorch_model.bin": b"\x80\x02}.",
        }
    kinds = [each for each in FOLDERS if FOLDERS[each] is not None]
    other_kind = FOLDERS[kinds[int(rng.integers(len(kinds)))]]()
    return files | {"config.json": other_kind["config.json"]}


def judge(name: str, data: bytes) -> str:
    """What becomes of a folder: "loaded", "refused", or a complaint about us."""
    try:
        loaded = loader_of(name, data).load(name, data)
    except InvalidInput as error:
        return "refused" if plain(str(error)) else f"not a plain sentence: {error}"
    except MemoryError:
        return "too much memory"
    except Exception as error:  # any other is a fault of ours
        return f"{type(error).__name__}: {error}"
    told = [*loaded.facts, *(f"{each.part}: {each.why}" for each in loaded.fixed)]
    strange = next((text for text in told if len(text) > 1000 or not text.isprintable()), None)
    return "loaded" if strange is None else f"told strangely: {strange[:200]!r}"


def work(data: bytes, options: JsonObject, target: Path) -> JsonObject:
    """Judge a range of numbered hostile folders of one architecture; the answer says what became of them."""
    request = json.loads(data)
    kind, (first, last) = str(request["kind"]), request["range"]
    sys.addaudithook(lambda event, _: _ran.append(event) if event in _RUNS else None)
    whole = zipped(sound(kind))
    LOADERS.create("hugging_face").load("sound.zip", whole)
    assert of_zip("sound.zip", whole).title == "tiny"
    outcomes: Counter[str] = Counter()
    wrong: list[str] = []
    slowest, before = 0.0, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    _ran.clear()
    for number in range(first, last):
        given = hostile(kind, np.random.default_rng([number, len(kind)]))
        began = time.process_time()
        became = judge(f"{kind}.zip", given)
        slowest = max(slowest, time.process_time() - began)
        if became in ("loaded", "refused", "too much memory"):
            outcomes[became] += 1
        else:
            wrong.append(f"{number}: {became}"[:600])
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    return {
        "outcomes": dict(outcomes),
        "wrong": wrong[:20],
        "n_wrong": len(wrong),
        "ran": _ran[:20],
        "slowest": slowest,
        "grown": grown,
    }


if __name__ == "__main__":
    serve(work)
