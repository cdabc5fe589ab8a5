"""Texts: rows of token numbers with a mask over what is no padding, and a class each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, model_validator
from torch import Tensor

from core.config import BaseConfig, JsonObject
from core.datasets.base import Dataset, Split
from core.datasets.tokens import PADDING
from core.networks.limits import MOST_CLASSES
from core.seeding import stream
from core.tasks.base import Batch, EvaluationData, InputConfig, Task, batch_rows, stacked
from core.tasks.registry import TASKS

MOST_TOKENS = 4096
MOST_WORDS = 1_000_000


class TokenConfig(InputConfig):
    """What every family for texts needs to know of its data; filled in from the data set.

    Attributes:
        input_shape: tokens of a text, padding included.
        vocabulary: how many different tokens there are, padding included.
        tokenizer: identity of what split the texts, see `core.datasets.tokenizing`; empty where it is not known.
    """

    input_shape: tuple[int] = (8,)
    vocabulary: int = 10
    tokenizer: str = Field("", pattern=r"^([0-9a-f]{16})?$")

    @model_validator(mode="after")
    def _possible(self) -> TokenConfig:
        # Also read from strangers' files: what passes here must build and run in bounded memory.
        if not 1 <= self.input_shape[0] <= MOST_TOKENS:
            raise ValueError(f"texts have 1 to {MOST_TOKENS:,} tokens")
        if not 2 <= self.vocabulary <= MOST_WORDS:
            raise ValueError(f"a vocabulary has 2 to {MOST_WORDS:,} tokens")
        if not 1 <= self.classes <= MOST_CLASSES:
            raise ValueError(f"there are 1 to {MOST_CLASSES:,} classes")
        return self


@TASKS.register("tokens")
class TokenTask(Task):
    """Texts: token numbers (n, length) int64 and a mask of what is no padding, each text with one class."""

    label = "Texts"
    sample = "text"
    samples = "texts"
    passes = "one text"
    Inputs = TokenConfig
    fixed = ("classes", "input_shape", "tokenizer")
    at_most = ("vocabulary",)
    inputs = ("tokens", "mask")
    usage = (
        "python predict.py test.npz        # arrays x (tokens), y, mask; prints one JSON line: accuracy, correct, n",
    )
    takes = "It takes a pair: token numbers (n, length) and a mask, true where there is a token."

    class Augmentation(BaseConfig):
        """What may be done to training texts."""

        drop: float = Field(0.0, ge=0, le=0.9, description="Hide each word with this probability.")

    def epoch(
        self,
        dataset: Dataset,
        *,
        batch_size: int,
        seed: int,
        epoch: int,
        augmentation: JsonObject,
        order: NDArray[np.int64] | None = None,
    ) -> Iterator[Batch]:
        drop = self.augmentation(augmentation).drop
        rng = stream(seed, "augmentation", epoch)
        for picked in batch_rows(dataset.train, batch_size, seed, epoch, order):
            tokens, mask = (leaf[picked] for leaf in dataset.train.x)
            if drop:
                kept = mask & (rng.random(mask.shape) >= drop)
                # A text of which nothing is left says nothing; it stays whole.
                mask = np.where(kept.any(1, keepdims=True), kept, mask)
            inputs = (torch.from_numpy(tokens), torch.from_numpy(mask))
            yield Batch(
                inputs,
                torch.from_numpy(dataset.train.y[picked]),
                torch.from_numpy(dataset.train.ids[picked]),
            )

    def evaluation(self, dataset: Dataset, parts: Mapping[str, Split]) -> EvaluationData:
        return stacked(dataset.calibration, parts)

    def random_inputs(self, config: InputConfig, n: int, generator: torch.Generator) -> Any:
        assert isinstance(config, TokenConfig)
        return random_texts(config.input_shape[0], config.vocabulary, n, generator)

    def describe_input(self, shape: tuple[int, ...]) -> str:
        return f"({shape[0]}), token numbers, and a mask ({shape[0]}) that is true where there is a token"


def random_texts(length: int, vocabulary: int, n: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """n random texts of different lengths, at least one token each."""
    tokens = torch.randint(1, vocabulary, (n, length), generator=generator)
    ends = torch.randint(1, length + 1, (n, 1), generator=generator)
    mask = torch.arange(length)[None] < ends
    return torch.where(mask, tokens, PADDING), mask
