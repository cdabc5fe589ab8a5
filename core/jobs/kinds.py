"""Which workflows a job may run, what they are called, and how much they ask of the machine.

A workflow is a module with a `Request`, a generator `run(request, ledger, library)`, a `LABEL` and a
`WEIGHT_CLASS`. A kind comes from a stored row or a page, so it is only ever looked up among the modules of
one package, and read from their syntax trees: a list of jobs imports none of them. That package is
`core.workflows`; tests point PARETOSCOPE_WORKFLOWS to one of their own.
"""

from __future__ import annotations

import ast
import importlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from core.errors import NotFound

_IDENTIFIER = re.compile(r"[a-z][a-z0-9_]{0,63}")
WEIGHT_CLASSES = ("training", "measuring", "light")
"""Trains weights for long; runs many networks; done in seconds. One job of each class runs at a time."""


@dataclass(frozen=True)
class Kind:
    """What is known of a workflow without importing it.

    Attributes:
        name: its module.
        label: what a person reads in a list of jobs.
        weight_class: one of `WEIGHT_CLASSES`.
    """

    name: str
    label: str
    weight_class: str


def workflows_package() -> str:
    """Name of the package whose modules are the kinds of jobs."""
    return os.environ.get("PARETOSCOPE_WORKFLOWS", "core.workflows")


def kinds() -> Mapping[str, Kind]:
    """Every workflow by name; imports none of them."""
    return _workflows(workflows_package())


def label_of(kind: str) -> str:
    """What a person reads of a kind, also of one that is no longer here."""
    known = kinds().get(kind)
    return known.label if known else kind.replace("_", " ")


def require_kind(kind: str) -> Kind:
    """The workflow of that name; imports none of them.

    Raises:
        NotFound: there is none.
    """
    known = kinds()
    if kind not in known:
        raise NotFound(
            f"There is no workflow {kind[:64]!r}; there are: {', '.join(sorted(known)) or 'none'}."
        )
    return known[kind]


def weight_class(kind: str) -> str:
    """How much a job asks of the machine; of a kind that is no longer here, the most."""
    known = kinds().get(kind)
    return known.weight_class if known else WEIGHT_CLASSES[0]


@cache
def _workflows(package: str) -> Mapping[str, Kind]:
    spec = find_spec(package)
    folders = spec.submodule_search_locations if spec else None
    paths = [path for folder in folders or [] for path in Path(folder).glob("*.py")]
    found = (_read(path) for path in paths if _IDENTIFIER.fullmatch(path.stem))
    return {kind.name: kind for kind in found if kind is not None}


def _read(path: Path) -> Kind | None:
    """The workflow in a module; None if it lacks a `Request` or a `run`: what workflows share is none."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    defined = {node.name for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef)}
    if not {"Request", "run"} <= defined:
        return None
    texts = {
        target.id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    said = str(texts.get("WEIGHT_CLASS", ""))
    if said not in WEIGHT_CLASSES or not texts.get("LABEL"):
        raise ValueError(f"{path.name} needs a LABEL and a WEIGHT_CLASS out of {WEIGHT_CLASSES}")
    return Kind(path.stem, str(texts["LABEL"]), said)


def load_workflow(kind: str) -> ModuleType:
    """The module of a workflow.

    Raises:
        NotFound: there is no such workflow.
    """
    return importlib.import_module(f"{workflows_package()}.{require_kind(kind).name}")
