"""Settings with which data sets of texts fit a supernet: its own tokenizer, and texts of its own length."""

from __future__ import annotations

from typing import Any

from core.config import Settings
from core.datasets import DATASETS
from core.datasets.kept_tokenizers import keep_tokenizer
from core.library import supernets
from core.library.supernets import SupernetEntry

TEXT_TASKS = ("tokens", "language")


def text_settings(entry: SupernetEntry, name: str) -> Settings:
    """What of a data set's settings a supernet decides; empty where it takes no texts. Loads torch where it does.

    Args:
        entry: the supernet.
        name: registry name of the data set.

    Raises:
        StorageFailed: the disk refused to keep the tokenizer for jobs.
    """
    fields = DATASETS.get(name).Config.model_fields
    if entry.task not in TEXT_TASKS or "tokenizer" not in fields:
        return {}
    config: dict[str, Any] = dict(entry.header["config"])  # type: ignore[arg-type]
    found: Settings = {"length": config["input_shape"][0]}
    if "scored" in fields:
        found["scored"] = min(int(config["scored"]), int(config["input_shape"][0]) - 1)
    if tokenizer := supernets.load(entry).tokenizer:
        found["tokenizer"] = keep_tokenizer(tokenizer)
    return {key: value for key, value in found.items() if key in fields}
