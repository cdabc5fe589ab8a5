"""Which workflows a job may run.

A kind comes from a stored row or a page, so it is only ever looked up among the modules of one package.
That package is `core.workflows`; tests point PARETOSCOPE_WORKFLOWS to one of their own.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
import re
from importlib.util import find_spec
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
    spec = find_spec(workflows_package())
    folders = spec.submodule_search_locations if spec else None
    known = {module.name for module in pkgutil.iter_modules(folders or [])}
    if not _IDENTIFIER.fullmatch(kind) or kind not in known:
        raise NotFound(
            f"There is no workflow {kind[:64]!r}; there are: {', '.join(sorted(known)) or 'none'}."
        )
    return kind


def load_workflow(kind: str) -> ModuleType:
    """The module of a workflow, with its `Request` and `run`.

    Raises:
        NotFound: there is no such workflow.
    """
    return importlib.import_module(f"{workflows_package()}.{require_kind(kind)}")
