"""Training with removed weights held at zero: fine-tuning, tickets, small networks from scratch."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from torch import Tensor, nn

from core.datasets.base import Dataset
from core.device import chosen_device
from core.networks.calibration import recalibrate
from core.networks.masks import Masks, hold
from core.networks.trees import as_tensors
from core.seeding import torch_seed
from core.training.config import TrainingConfig
from core.training.plain import PlainStep, fit

_YIELD_STEPS = 8


def train_masked(
    net: nn.Sequential,
    dataset: Dataset,
    config: TrainingConfig,
    masks: Masks,
    *,
    first_epoch: int = 0,
    keep: dict[int, dict[str, Tensor]] | None = None,
    before_step: Callable[[], None] | None = None,
    after_step: Callable[[], None] | None = None,
) -> Iterator[float]:
    """Train in place to the end of `config.epochs`; removed weights are exactly zero after every step.

    BatchNorm statistics are measured at the end on the calibration samples; the network is then in eval
    mode, without gradients.

    Args:
        net: a plain network, as it was after `first_epoch` epochs.
        dataset: trained on its training images.
        config: strategy and its settings are not used; equal seeds see equal batches in equal epochs.
        masks: weights that stay; parameters left out are trained whole.
        first_epoch: where training starts, in learning rate and order too; momentum starts at zero.
        keep: epochs done -> filled with a copy of the state then; only keys already there.
        before_step, after_step: called around each step of the optimizer, the latter after masks were held.

    Yields:
        The share of the steps done, a few times per epoch.

    Raises:
        CoreError: the loss is no longer a number.
        InvalidInput: a mask does not fit.
    """
    hold(net, masks)
    net.requires_grad_(True)
    # What is cut are weights as they are at a step; an average of them over steps is zero nowhere.
    config = config.model_copy(update={"ema": 0.0})

    def held() -> None:
        hold(net, masks)
        if after_step is not None:
            after_step()

    device = chosen_device()
    if before_step is None and after_step is None:  # whoever looks at each step has its own tensors here
        masks = device.put(dict(masks))
        device.move(net)
    take_step = PlainStep(net, dataset, config, before_step=before_step, after_step=held)
    _keep_state(net, keep, first_epoch)
    fitting = fit(
        take_step,
        dataset,
        config,
        order_seed=torch_seed(config.seed, "pruning", "order"),
        first_epoch=first_epoch,
        what="a pruned network",
    )
    for done, at in enumerate(fitting, 1):
        if done % _YIELD_STEPS == 0:
            yield at.share
        if at.last:
            _keep_state(net, keep, at.epoch + 1)
    settle(net, dataset)
    device.leave(net)
    yield 1.0


def _keep_state(net: nn.Module, keep: dict[int, dict[str, Tensor]] | None, epoch: int) -> None:
    if keep is not None and epoch in keep:
        keep[epoch] = {
            name: tensor.detach().to("cpu", copy=True) for name, tensor in net.state_dict().items()
        }


def settle(net: nn.Sequential, dataset: Dataset) -> None:
    """Measure BatchNorm statistics on the calibration samples; eval mode, no gradients."""
    recalibrate(net, as_tensors(dataset.calibration.x))
    net.requires_grad_(False)
