"""Several architectures in one forward and backward pass: every sample keeps the channels of its own, by masks."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from core.config import BaseConfig, Settings
from core.errors import InvalidInput
from core.spaces import SearchSpace
from core.training.balancing import balanced, largest_first
from core.training.draws import LABELS, Phase
from core.training.strategies.base import STRATEGIES, Strategy

if TYPE_CHECKING:
    from core.supernets.base import Supernet
    from core.tasks.base import Batch
    from core.training.session import Session


class Config(BaseConfig):
    """Settings of multi-architectural sampling."""

    architectures: int = Field(
        4, ge=2, le=64, description="Architectures in one batch; each has as many samples as any other."
    )
    warmup: float = Field(
        0.25,
        ge=0,
        lt=1,
        description="Share of the training in which choices get their smaller options, the largest first.",
    )


@STRATEGIES.register("multi_architectural")
class MultiArchitectural(Strategy):
    """Runs a batch once through the largest layers; masks leave each sample the channels of its own architecture.

    The options of every choice are taken in turn, so that each occurs equally often, and permuted independently of the
    other choices. A masked LayerNorm counts kept channels alone, so that gradients are those of sliced passes; with
    BatchNorm they would not be, and such supernets are refused. A step costs one pass of the largest network, whatever
    was drawn; "Balanced batch" takes the same gradients by slices, which cost what the drawn subnets cost.
    """

    label = "Multi-architectural sampling"
    source = (
        "Liao et al., Searching for Efficient Multi-Stage Vision Transformers (ViT-ResNAS), 2021 (samples may be mixed, "
        "tokens are not; where a batch cannot be divided, the first architectures have one sample more)"
    )
    Config = Config
    needs_order = True
    suggests: ClassVar[Settings] = {
        "optimizer": "adamw",
        "learning_rate": 5e-4,
        "weight_decay": 0.05,
        "label_smoothing": 0.1,
    }

    def check_supernet(self, net: Supernet) -> None:
        super().check_supernet(net)
        if net.masked:
            return
        why = (
            "has BatchNorm layers, whose statistics would mix the samples of all of them"
            if net.needs_statistics
            else "cannot be run with masks"
        )
        raise InvalidInput(
            f"{self.label} runs several architectures in one pass, and a supernet of the family {net.label} {why}. "
            "Choose another strategy, such as Balanced batch."
        )

    def passes(self, space: SearchSpace, phase: Phase) -> float:
        return 1.0

    def step(self, session: Session, batch: Batch) -> float:
        from core.supernets.masked import ManyArchs

        n = self.config.architectures
        if len(batch) < n:
            raise InvalidInput(
                f"{self.label} gives {n} architectures the samples of one batch, and this one has {len(batch)}: choose "
                "larger batches or fewer architectures."
            )
        unlocked = largest_first(session.space, session.progress, self.config.warmup)
        rows = balanced(session.space, n, 1, session.rng("draws"), unlocked)[0].tolist()
        archs = ManyArchs(map(tuple, rows))
        session.zero_grad()
        outputs = session.forward(archs, batch)
        loss = session.backward(session.loss(LABELS, outputs, batch, {}))
        session.update()
        losses = session.sample_losses(outputs.detach(), batch)
        for at, arch in enumerate(archs):
            session.saw(arch, float(losses[at::n].mean()))
        return loss
