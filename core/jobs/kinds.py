"""Which workflows a job may run.

A kind comes from a stored row or a page, so it is only ever looked up among the modules of one package.
That package is `core.workflows`; tests point PARETOSCOPE_WORKFLOWS to one of their own.
"""

from __future__ import annotations

import ast
import importlib
import os
import re
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from core.errors import NotFound

_IDENTIFIER = re.compile(r"[a-z][a-z0-9_]{0,63}")
_TRAINING = ("train_", "prune_")


def workflows_package() -> str:
    """Name of the package whose modules are the kinds of jobs."""
    return os.environ.get("PARETOSCOPE_WORKFLOWS", "core.workflows")


def is_training(kind: str) -> bool:
    """Whether a job trains weights for long: one of these runs at a time."""
    return kind.startswith(_TRAINING)


def require_kind(kind: str) -> str:
    """`kind`, if there is such a workflow; imports none of them.

    Raises:
        NotFound: there is none.
    """
    known = _workflows(workflows_package())
    if kind not in known:
        raise NotFound(
            f"There is no workflow {kind[:64]!r}; there are: {', '.join(sorted(known)) or 'none'}."
        )
    return kind


@cache
def _workflows(package: str) -> frozenset[str]:
    """Modules with a `Request` and a `run`, read from their syntax trees: what they share is no workflow."""
    spec = find_spec(package)
    folders = spec.submodule_search_locations if spec else None
    return frozenset(
        path.stem
        for folder in folders or []
        for path in Path(folder).glob("*.py")
        if _IDENTIFIER.fullmatch(path.stem) and _is_workflow(ast.parse(path.read_text(encoding="utf-8")))
    )


def _is_workflow(tree: ast.Module) -> bool:
    defined = {node.name for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef)}
    return {"Request", "run"} <= defined


def load_workflow(kind: str) -> ModuleType:
    """The module of a workflow, with its `Request` and `run`.

    Raises:
        NotFound: there is no such workflow.
    """
    return importlib.import_module(f"{workflows_package()}.{require_kind(kind)}")
