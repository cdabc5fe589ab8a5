"""The predict.py of a download: the script for its kind of data and what it imports of ours, in one text."""

from __future__ import annotations

import ast
from functools import lru_cache
from pathlib import Path

from core.export import predicting
from core.export.script_text import script_text

_FOLDER = Path(predicting.__file__).parent


@lru_cache
def predict_script(task: str) -> bytes:
    """The text of predict.py for one kind of data; it needs torch, numpy and safetensors, and nothing of ours.

    Args:
        task: registry name of the task; its script is `predicting/predict_TASK.py`.
    """
    return _script(f"predict_{task}")


@lru_cache
def generate_script() -> bytes:
    """The text of generate.py, which lets a language model write; it needs the tokenizers library as well."""
    return _script("generate")


def _script(name: str) -> bytes:
    return script_text(_FOLDER, name, {"core", "numpy", "torch"}, _imported(_FOLDER / f"{name}.py"))


def _imported(script: Path) -> list[str | Path]:
    """Our files that a script imports from, and those that they do, each behind what it needs itself."""
    found: dict[str | Path, None] = {}
    for node in ast.parse(script.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("core."):
            file = _FOLDER.parents[2].joinpath(*node.module.split(".")).with_suffix(".py")
            found |= dict.fromkeys([*_imported(file), file])
    return list(found)
