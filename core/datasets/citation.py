"""Citation graphs, from files that a person has: papers with their words, citations, and a field each."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from core.datasets.base import DATASETS, DataSource, OnProgress, Raw, SplitConfig
from core.datasets.graphs import RawGraph
from core.errors import DataUnavailable, InvalidInput
from core.settings import settings

_ARRAYS = ("feat_row", "feat_col", "feat_val", "shape", "label", "edges", "train", "val", "test")
_TRAIN_PER_CLASS, _VALIDATION = 20, 500
_MOST_BYTES = 200_000_000
_MOST_NUMBERS = 200_000_000
_CLASSES = {
    "cora": (
        "theory",
        "reinforcement learning",
        "genetic algorithms",
        "neural networks",
        "probabilistic methods",
        "case based",
        "rule learning",
    ),
    "citeseer": (
        "agents",
        "artificial intelligence",
        "databases",
        "information retrieval",
        "machine learning",
        "interaction",
    ),
}


@DATASETS.register("citation")
class Citation(DataSource):
    """Cora or Citeseer: papers, their words and citations; which field is a paper from? Needs the files."""

    label = "Citation graph"
    source = "Sen et al., 'Collective classification in network data', 2008; division of Yang et al., Planetoid, ICML 2016"
    task = "graph"
    licence = "see kimiyoung/planetoid (MIT)"

    class Config(SplitConfig):
        """Which graph, and who decides the division."""

        graph: Literal["cora", "citeseer"] = Field("cora", description="Which citation graph.")
        division: Literal["usual", "random"] = Field(
            "usual",
            description="The usual training, validation and test nodes, or as many drawn by the seed.",
        )
        folder: str = Field(
            "", description="Folder with the .npz file.", json_schema_extra={"form": False}, max_length=4096
        )

    def _file(self) -> Path:
        name = f"{self.config.graph}.npz"
        places = [Path(self.config.folder)] if self.config.folder else []
        if settings().data_folder is not None:
            places.append(settings().data_folder)  # type: ignore[arg-type]
        for place in places:
            for file in (place / name, place / "graphs" / name):
                if file.is_file():
                    return file
        raise DataUnavailable(
            f"The citation graph needs a file {name} that is not here; put it into a folder called graphs and "
            "name the folder above it in PARETOSCOPE_DATA."
        )

    def state(self) -> str:
        file = self._file().stat()
        return f"{file.st_size}-{file.st_mtime_ns}"

    def read(self, on_progress: OnProgress) -> RawGraph:
        file = self._file()
        on_progress(0.0, f"Reading {file.name}.")
        found = _arrays(file)
        names = _CLASSES[self.config.graph]
        n, features, edges = _checked(found, file.name, len(names))
        labels = found["label"].astype(np.int64)
        # Nodes without a field belong to no split and stand last; they still carry messages.
        order = np.argsort(labels < 0, kind="stable")
        place = np.empty(n, np.int64)
        place[order] = np.arange(n)
        known = labels[order][: int((labels >= 0).sum())]
        edges = place[edges.T]
        both = np.unique(np.concatenate([edges, edges[::-1]], 1), axis=1)
        both = np.ascontiguousarray(both[:, both[0] != both[1]])
        parts = tuple(place[found[part]] for part in ("train", "val", "test"))
        parts = tuple(part[part < len(known)] for part in parts)
        usual = parts if self.config.division == "usual" else None
        return RawGraph(features[order], both, known, names, division=usual)  # type: ignore[arg-type]

    def held_out(self, raw: Raw) -> tuple[int, int]:
        # As many as in the usual division.
        return _VALIDATION, max(1, len(raw.y) - _VALIDATION - _TRAIN_PER_CLASS * len(raw.classes))


def _arrays(file: Path) -> dict[str, NDArray[Any]]:
    if file.stat().st_size > _MOST_BYTES:
        raise InvalidInput(f"{file.name} is larger than {_MOST_BYTES:,} bytes.")
    try:
        # Opened here: numpy leaves a file that it cannot read open.
        with file.open("rb") as opened, np.load(opened, allow_pickle=False) as arrays:
            if sum(member.file_size for member in arrays.zip.infolist()) > _MOST_BYTES:
                raise InvalidInput(f"{file.name} unpacks to more than {_MOST_BYTES:,} bytes.")
            return {name: arrays[name] for name in _ARRAYS}
    except InvalidInput:
        raise
    except Exception as error:  # zipfile, zlib and numpy raise a dozen kinds; all mean the same here
        raise InvalidInput(
            f"{file.name} is not a citation graph with the arrays {', '.join(_ARRAYS)}."
        ) from error


def _checked(
    found: dict[str, NDArray[Any]], name: str, classes: int
) -> tuple[int, NDArray[np.float32], NDArray[np.int64]]:
    """(nodes, features (n, f), edges (e, 2)); every number in the file lies where it should."""
    wrong = InvalidInput(f"{name} is not a citation graph: its arrays do not fit each other.")
    whole = [found[key] for key in _ARRAYS if key != "feat_val"]
    if not all(array.dtype.kind in "iu" for array in whole) or found["shape"].shape != (2,):
        raise wrong
    first, second = (int(size) for size in found["shape"])
    rows, columns, values = (found[key] for key in ("feat_row", "feat_col", "feat_val"))
    if not (rows.ndim == 1 and rows.shape == columns.shape == values.shape and len(rows)):
        raise wrong
    if values.dtype.kind not in "iuf":
        raise wrong
    # One file writes (nodes, words), another (words, nodes); the labels say how many nodes there are.
    n = len(found["label"]) if found["label"].ndim == 1 else 0
    if n not in (first, second) or n * (first + second - n) > _MOST_NUMBERS or min(first, second) < 1:
        raise wrong
    width = first + second - n
    edges = found["edges"]
    if edges.ndim != 2 or edges.shape[1] != 2:
        raise wrong
    bounded = [
        (rows, n),
        (columns, width),
        (edges, n),
        *((found[part], n) for part in ("train", "val", "test")),
    ]
    if not all(array.size and array.min() >= 0 and array.max() < most for array, most in bounded):
        raise wrong
    features = np.zeros((n, width), np.float32)
    with np.errstate(over="ignore"):
        features[rows, columns] = values
    if not np.isfinite(features).all():
        raise wrong
    _check_division(found, wrong, classes)
    return n, features, edges.astype(np.int64)


def _check_division(found: dict[str, NDArray[Any]], wrong: InvalidInput, classes: int) -> None:
    """Fields that exist, and papers in one part at most; each part has some whose field is known."""
    labels, parts = found["label"], [found[part] for part in ("train", "val", "test")]
    if labels.max() >= classes or not all(part.ndim == 1 and (labels[part] >= 0).any() for part in parts):
        raise wrong
    every = np.concatenate(parts)
    if len(np.unique(every)) != len(every):
        raise wrong
