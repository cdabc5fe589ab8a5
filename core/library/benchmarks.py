"""What pruning did: every sample's place in the last feature space, clean, spoiled and, of images, attacked.

A benchmark is "clean", a corruption with its severity ("fog@3") or an attack ("fgsm@3"). Of each network and
benchmark the margins of all probe samples are kept, 20 bytes per sample, so that every later view is read and
not computed. Severities are calibrated per data set with the supernet's largest subnet.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from core.attacks import ATTACKS
from core.cache import kept
from core.config import BaseConfig
from core.datasets.corruptions import CORRUPTIONS, GROUPS, names_for
from core.datasets.probe import MOST_SAMPLES, Probe, make_probe
from core.errors import InvalidInput
from core.geometry.margins import margins
from core.library import supernets
from core.library.networks import load_model, subnet_id
from core.library.severities import corrupted, severity_table
from core.library.supernets import SupernetEntry
from core.networks.untrusted_files import METADATA, load_tensors, read_header

if TYPE_CHECKING:
    from torch import nn

    from core.geometry.margins import Margins
    from core.library.severities import Severities
    from core.store import RunStore

CLEAN = "clean"
BENCHMARKED = ("image", "tokens")
"""Kinds of samples that pruned networks are judged on."""
EPSILONS = (0.01, 0.02, 0.04, 0.07, 0.12)
"""Largest change of a pixel by an attack of severity 1 to 5, as a share of the range from black to white."""
VERSION = 1
_METADATA = "paretoscope_margins"
_FLOATS, _INTEGERS = ("margin", "angle", "norm", "probability"), ("rival", "predicted")


class Benchmarks(BaseConfig):
    """On what networks are evaluated, besides clean images."""

    severities: tuple[int, ...] = Field(
        (3,), description="Severities of every corruption and attack, 1 to 5."
    )
    attacks: tuple[str, ...] = Field(
        ("fgsm",), description="Attacks, by their registered names: fgsm, pgd, ..."
    )

    @field_validator("severities")
    @classmethod
    def _in_bounds(cls, values: tuple[int, ...]) -> tuple[int, ...]:
        if not values or not all(1 <= v <= 5 for v in values):
            raise ValueError("severities go from 1 to 5")
        return tuple(sorted(set(values)))

    @field_validator("attacks")
    @classmethod
    def _known(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        known = ATTACKS.names()
        if strangers := set(values) - set(known):
            raise ValueError(f"there is no attack {min(strangers)}; there are {', '.join(known)}")
        return tuple(name for name in known if name in values)

    def names(self, task: str = "image", *, letters: bool = True) -> list[str]:
        """Every benchmark of one kind of samples, clean first; attacks are of images alone.

        Args:
            task: registry name of the kind of samples.
            letters: whether the letters of texts are known.
        """
        attacks = self.attacks if task == "image" else ()
        every = (*corruption_names(task, letters=letters), *attacks)
        return [CLEAN, *(f"{n}@{s}" for n in every for s in self.severities)]


def corruption_names(task: str = "image", *, letters: bool = True) -> list[str]:
    """Corruptions of one kind of samples in the order of their group, then by name; see `Benchmarks.names`. No torch."""
    kinds = {name: CORRUPTIONS.get(name) for name in names_for(task)}
    found = [name for name, kind in kinds.items() if letters or not getattr(kind, "needs_letters", False)]
    return sorted(found, key=lambda name: (GROUPS.index(kinds[name].group), name))


def require_benchmarks(task: str) -> None:
    """Networks for this kind of samples can be judged one sample at a time, and samples can be spoiled.

    Raises:
        InvalidInput: they cannot.
    """
    if task not in BENCHMARKED:
        raise InvalidInput(
            "Pruned networks are judged here by the class that each sample gets, clean and spoiled, which takes images or "
            "texts with classes. Choose a supernet of one of these."
        )


def benchmark_label(benchmark: str, *, severity: bool = True) -> str:
    """What a person reads of a benchmark."""
    if benchmark == CLEAN:
        return "Clean"
    name, _, level = benchmark.partition("@")
    label = (ATTACKS if name in ATTACKS.names() else CORRUPTIONS).info(name).label
    return f"{label}, severity {level}" if severity else label


def benchmark_group(benchmark: str) -> str:
    """ "clean", "attack" or a group of corruptions."""
    name = benchmark.partition("@")[0]
    if name == CLEAN:
        return CLEAN
    return "attack" if name in ATTACKS.names() else str(CORRUPTIONS.get(name).group)


def evaluation_probe(entry: SupernetEntry) -> Probe:
    """The samples pruned networks are evaluated on: validation, at most a thousand. No torch.

    Raises:
        DataUnavailable, InvalidInput: see `supernets.dataset`.
    """
    return _probe(entry, "validation")


def training_probe(entry: SupernetEntry) -> Probe:
    """Training samples, on which neural collapse is measured."""
    return _probe(entry, "train")


@kept(8, key=lambda entry, split: (entry.sha256, split))
def _probe(entry: SupernetEntry, split: str) -> Probe:
    return make_probe(supernets.dataset(entry), split=split, n=MOST_SAMPLES)


@dataclass(frozen=True, eq=False)
class Judge:
    """Everything that evaluating a network needs, made once for many.

    Attributes:
        probe: clean samples.
        severities: calibrated strengths.
        seed: of all accidents.
    """

    probe: Probe
    severities: Severities
    seed: int = 0

    @classmethod
    def of(cls, store: RunStore | None, entry: SupernetEntry, *, seed: int = 0) -> Judge:
        """Calibrate (or read) the severities of the supernet's data. Loads torch."""
        largest = load_model(store, subnet_id(entry, entry.space.arch_id(entry.space.largest)))
        return cls(evaluation_probe(entry), severity_table(largest, seed=seed), seed)

    def images(self, net: nn.Module, benchmark: str) -> Any:
        """The probe's samples as one benchmark shows them to one network."""

        if benchmark == CLEAN:
            return self.probe.x
        name, _, level = benchmark.partition("@")
        eps = EPSILONS[int(level) - 1]
        if name in ATTACKS.names():
            return ATTACKS.create(name).run(
                net, self.probe.x, self.probe.y, eps, ids=self.probe.ids, seed=self.seed
            )
        return corrupted(self.probe, self.severities, name, int(level), seed=self.seed).x


def margins_of(net: nn.Module, inputs: Any, y: NDArray[np.int64]) -> Margins:
    """Where a network puts samples in its last feature space."""
    from core.networks.heads import penultimate, weight_and_bias

    features, layer = penultimate(net, inputs)
    return margins(features, y, *weight_and_bias(layer))


def evaluate_net(net: nn.Module, judge: Judge, benchmarks: Sequence[str]) -> Iterator[tuple[str, Margins]]:
    """(benchmark, margins) of one network, one after the other."""
    for benchmark in benchmarks:
        yield benchmark, margins_of(net, judge.images(net, benchmark), judge.probe.y)


# --- files ------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class StoredMargins:
    """A network's margins as they are kept, by benchmark; each array has one entry per probe sample.

    Attributes:
        fingerprint: of the probe.
        values: benchmark -> name ("margin", "angle", "norm", "probability", "rival", "predicted") -> (n,).
    """

    fingerprint: str
    values: Mapping[str, Mapping[str, NDArray[Any]]]


def dump_margins(found: Mapping[str, Margins], fingerprint: str) -> bytes:
    """A safetensors file."""
    from safetensors.numpy import save

    arrays: dict[str, NDArray[Any]] = {}
    for benchmark, each in found.items():
        arrays |= {_key(benchmark, name): getattr(each, name).astype(np.float32) for name in _FLOATS}
        arrays |= {_key(benchmark, name): getattr(each, name).astype(np.int16) for name in _INTEGERS}
    about = {"version": VERSION, "probe": fingerprint, "benchmarks": list(found)}
    return bytes(save(arrays, metadata={_METADATA: json.dumps(about)}))


def load_margins(data: bytes) -> StoredMargins:
    """What `dump_margins` wrote. No torch.

    Raises:
        InvalidInput: the file is damaged or another one.
    """
    try:
        about = json.loads(read_header(data).get(METADATA, {})[_METADATA])
        arrays = load_tensors(data)
        values = {b: {k: arrays[_key(b, k)] for k in (*_FLOATS, *_INTEGERS)} for b in about["benchmarks"]}
        return StoredMargins(str(about["probe"]), values)
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidInput("These margins cannot be read; evaluate the network again.") from error


def _key(benchmark: str, name: str) -> str:
    return f"{benchmark.replace('@', '.')}.{name}"
