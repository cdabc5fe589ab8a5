"""The predict.py of a download: the script for its kind of data and what all such scripts share, in one text."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from core.datasets import waves
from core.export import predicting
from core.export.script_text import script_text

_BESIDE: dict[str, list[str | Path]] = {"series": [Path(waves.__file__)]}
"""How a task's files are read, where data sets are read in the same way."""


@lru_cache
def predict_script(task: str) -> bytes:
    """The text of predict.py for one kind of data; it needs torch, numpy and safetensors, and nothing of ours.

    Args:
        task: registry name of the task; its script is `predicting/predict_TASK.py`.
    """
    shared: list[str | Path] = ["common", *_BESIDE.get(task, [])]
    return script_text(
        Path(predicting.__file__).parent, f"predict_{task}", {"core", "numpy", "torch"}, shared
    )
