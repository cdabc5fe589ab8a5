"""A data set as bytes, divided as it is, for where its samples are needed and its files are not; nothing is pickled."""

from __future__ import annotations

import io
import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.cache import LastMade
from core.datasets.base import SPLITS, Dataset, Split
from core.datasets.graphs import GraphSplit

_SPLITS: dict[str, type[Split]] = {"samples": Split, "nodes": GraphSplit}
_TEXTS = ("name", "title", "classes", "source", "licence", "fingerprint", "task", "arrays")


def dump_dataset(dataset: Dataset) -> bytes:
    """Everything that is in a data set; an array that several splits share is there once."""
    arrays: dict[str, NDArray[Any]] = {}
    known: dict[int, str] = {}

    def named(tree: Any) -> Any:
        if isinstance(tree, tuple):
            return [named(part) for part in tree]
        name = known.setdefault(id(tree), f"a{len(known)}")
        arrays[name] = tree
        return name

    parts = {name: dataset.split(name) for name in SPLITS}
    kinds = {kind: name for name, kind in _SPLITS.items()}
    about = {
        **{name: getattr(dataset, name) for name in _TEXTS},
        "inputs": dict(dataset.inputs),
        "splits": {
            n: {"of": kinds[type(s)], "x": named(s.x), "y": named(s.y), "ids": named(s.ids)}
            for n, s in parts.items()
        },
    }
    arrays["tokenizer"] = np.frombuffer(dataset.tokenizer, np.uint8)
    arrays["target_bytes"] = dataset.target_bytes
    buffer = io.BytesIO()
    np.savez(buffer, about=np.array(json.dumps(about)), **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def read_dataset(data: bytes) -> Dataset:
    """The data set that `dump_dataset` wrote."""
    with np.load(io.BytesIO(data), allow_pickle=False) as file:
        arrays = dict(file)
    about = json.loads(str(arrays["about"]))

    def tree(said: Any) -> Any:
        return tuple(tree(part) for part in said) if isinstance(said, list) else arrays[said]

    splits = {
        n: _SPLITS[s["of"]](tree(s["x"]), arrays[s["y"]], arrays[s["ids"]])
        for n, s in about["splits"].items()
    }
    inputs = {n: tuple(v) if isinstance(v, list) else v for n, v in about["inputs"].items()}
    found: dict[str, Any] = {name: about[name] for name in _TEXTS}
    found |= {"classes": tuple(about["classes"]), "arrays": tuple(about["arrays"]), "inputs": inputs}
    found |= {"tokenizer": arrays["tokenizer"].tobytes(), "target_bytes": arrays["target_bytes"]}
    return Dataset(**found | splits)


_last: LastMade[Dataset] = LastMade()


def arrived_dataset(data: bytes) -> Dataset:
    """As `read_dataset`, built once for as long as a process is given the same object."""
    return _last.get(lambda: read_dataset(data), data)
