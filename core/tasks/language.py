"""Language: windows of tokens, at some positions of which the next token is to be told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field, model_validator
from torch import Tensor
from torch.nn import functional as F

from core.config import BaseConfig, JsonObject
from core.datasets.base import Dataset, Split
from core.networks.trees import as_tensors, joined
from core.seeding import stream
from core.tasks.base import Batch, EvaluationData, InputConfig, Task, batch_rows
from core.tasks.registry import TASKS
from core.tasks.tokens import MOST_TOKENS, MOST_WORDS


class LanguageConfig(InputConfig):
    """What every family for language needs to know of its data; filled in from the data set.

    Attributes:
        input_shape: tokens of a window.
        vocabulary: how many different tokens there are.
        classes: the same number: a position's class is the token that follows.
        scored: positions of a window whose next token is scored in evaluation; costs are counted for so many.
        tokenizer: identity of what split the texts, see `core.datasets.tokenizing`; empty where it is not known.
    """

    input_shape: tuple[int] = (64,)
    vocabulary: int = 256
    scored: int = 16
    tokenizer: str = Field("", pattern=r"^([0-9a-f]{16})?$")

    @model_validator(mode="before")
    @classmethod
    def _classes_are_tokens(cls, data: Any) -> Any:
        if isinstance(data, dict) and "classes" not in data:
            return {**data, "classes": data.get("vocabulary", cls.model_fields["vocabulary"].default)}
        return data

    @model_validator(mode="after")
    def _possible_language(self) -> LanguageConfig:
        # Also read from strangers' files: what passes here must build and run in bounded memory.
        if not 2 <= self.input_shape[0] <= MOST_TOKENS:
            raise ValueError(f"windows have 2 to {MOST_TOKENS:,} tokens")
        if not 2 <= self.vocabulary <= MOST_WORDS:
            raise ValueError(f"a vocabulary has 2 to {MOST_WORDS:,} tokens")
        if self.classes != self.vocabulary:
            raise ValueError("the classes of language are the tokens of its vocabulary")
        if not 1 <= self.scored <= self.input_shape[0]:
            raise ValueError("at least one position of a window is scored, at most all of its tokens")
        return self


@TASKS.register("language")
class LanguageTask(Task):
    """Language: windows of tokens (n, length) int64 and scored positions (n, p), each position's class the next token.

    Training learns from every position that has a next token, evaluation scores the same few for every subnet: the
    product with the vocabulary is shared by no two of them. Losses and what is right are those of single positions, which
    within one window are not independent.
    """

    label = "Language"
    sample = "window of text"
    samples = "windows of text"
    judged = "positions of windows"
    caveat = "Positions of one window are not independent: these intervals are narrower than the truth."
    passes = "one window"
    Inputs = LanguageConfig
    fixed = ("input_shape", "scored", "tokenizer")
    at_most = ("classes", "vocabulary")
    inputs = ("tokens", "scored")
    usage = (
        "python predict.py test.npz        # arrays x (tokens), scored, y; prints one JSON line: accuracy, bits per token",
    )
    takes = "It takes a pair: token numbers (n, length) and, ascending, the positions (n, p) whose next token it tells."
    calibrates = False
    per_position = True

    class Augmentation(BaseConfig):
        """What may be done to training windows."""

        noise: float = Field(
            0.0,
            ge=0,
            le=0.9,
            description="Replace each token that is read, not what is to be told, by another of the batch with this probability.",
        )

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
        noise = self.augmentation(augmentation).noise
        rng = stream(seed, "augmentation", epoch)
        for picked in batch_rows(dataset.train, batch_size, seed, epoch, order):
            tokens = dataset.train.x[0][picked]
            positions = np.broadcast_to(np.arange(tokens.shape[1] - 1), (len(tokens), tokens.shape[1] - 1))
            read = tokens
            if noise:
                # Drawn as often as they stand in the batch (Xie et al., Data Noising as Smoothing, ICLR 2017).
                others = rng.permutation(tokens.ravel()).reshape(tokens.shape)
                read = np.where(rng.random(tokens.shape) < noise, others, tokens)
            yield Batch(
                (torch.from_numpy(read), torch.from_numpy(positions.copy())),
                torch.from_numpy(tokens[:, 1:].copy()),
                torch.from_numpy(dataset.train.ids[picked]),
            )

    def evaluation(self, dataset: Dataset, parts: Mapping[str, Split]) -> EvaluationData:
        start, spans, told = 0, {}, {}
        for name, part in parts.items():
            spans[name] = slice(start, start + len(part))
            start += len(part)
            if len(dataset.target_bytes):
                told[name] = float(dataset.target_bytes[part.ids].sum() / part.y.size)
        inputs = as_tensors(joined([part.x for part in parts.values()]))
        targets = torch.from_numpy(np.concatenate([part.y for part in parts.values()]))
        return EvaluationData(inputs, targets, 0, spans, told)

    def losses(self, outputs: Tensor, targets: Tensor, *, smoothing: float = 0.0) -> Tensor:
        """(n,) mean losses of a window's positions in nats per token, of (n, p, k) outputs and (n, p) targets."""
        every = F.cross_entropy(
            outputs.flatten(0, -2), targets.flatten(), reduction="none", label_smoothing=smoothing
        )
        return every.view(len(targets), -1).mean(1)

    def correct(self, outputs: Tensor, targets: Tensor) -> Tensor:
        """(..., n * p) booleans of (..., n, p, k) outputs: at which positions the next token is told right."""
        right = self.predictions(outputs) == targets
        return right if targets.dim() == 1 else right.flatten(-2)

    def random_inputs(self, config: InputConfig, n: int, generator: torch.Generator) -> Any:
        assert isinstance(config, LanguageConfig)
        length = config.input_shape[0]
        tokens = torch.randint(0, config.vocabulary, (n, length), generator=generator)
        places = torch.rand(n, length, generator=generator).argsort(1)[:, : config.scored]
        return tokens, places.sort(1).values

    def describe_input(self, shape: tuple[int, ...]) -> str:
        return f"({shape[0]}), token numbers, and in ascending order the positions whose next token is told"
