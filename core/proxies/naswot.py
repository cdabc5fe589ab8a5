"""NASWOT: whether samples switch different rectifiers on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from core.errors import InvalidInput
from core.networks.chain import one_batch
from core.proxies.base import PROXIES, WORST, Proxy
from core.tasks.base import Batch


@PROXIES.register("naswot")
class NASWOT(Proxy):
    """Log-determinant of how often two samples switch a ReLU alike, over all ReLUs that the answer hangs on."""

    label = "NASWOT"
    source = "Mellor et al., 'Neural architecture search without training', ICML 2021"

    def measure(self, net: nn.Sequential, batch: Batch, seed: int) -> float:
        sign, value = torch.linalg.slogdet(agreement(net, batch))
        return float(value) if sign > 0 else WORST


def agreement(net: nn.Sequential, batch: Batch) -> Tensor:
    """(n, n) how many ReLUs two samples switch alike.

    Raises:
        InvalidInput: the network has no ReLU, or its rows belong together.
    """
    if one_batch(net):
        raise InvalidInput("NASWOT compares samples one by one, which the nodes of one graph do not allow.")
    with _Rectifiers() as seen:
        answers = net(batch.inputs)
    if not seen.outputs:
        raise InvalidInput("NASWOT reads which ReLUs are on, and this network has none.")
    # As the authors' code does, by whether a gradient arrives: a branch that leads nowhere says nothing.
    reached = torch.autograd.grad(answers.sum(), seen.outputs, allow_unused=True)
    n = len(batch)
    found = torch.zeros(n, n, dtype=torch.float64)
    for output, gradient in zip(seen.outputs, reached, strict=True):
        if gradient is not None:
            on = (output.detach() > 0).flatten(1).double()
            found += on @ on.T + (1 - on) @ (1 - on).T
    return found


class _Rectifiers(TorchFunctionMode):
    """Keeps what every ReLU gives while it is entered, be it a module or a function."""

    KINDS = (F.relu, F.relu6, F.relu_, torch.relu, torch.relu_, Tensor.relu, Tensor.relu_)

    def __init__(self) -> None:
        super().__init__()
        self.outputs: list[Tensor] = []

    def __torch_function__(
        self,
        function: Callable[..., Any],
        types: tuple[type, ...],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        result = function(*args, **(kwargs or {}))
        if function in self.KINDS:
            self.outputs.append(result)
        return result
