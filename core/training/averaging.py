"""An average of a network's weights over the steps of its training, which is measured and saved in their place.

Source: Polyak and Juditsky, Acceleration of Stochastic Approximation by Averaging, 1992; as an exponential moving
average with a rising decay, so that the first weights are soon forgotten, in TensorFlow and timm.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

_STEPS, _WEIGHTS = "steps", "weights."


class Average:
    """The exponential moving average of a network's parameters.

    Buffers are not averaged: those of a supernet are constants, and BatchNorm statistics are measured anew.

    Args:
        net: whose parameters are averaged; it is not changed.
        decay: share of the average that stays at a step; the n-th step keeps at most n / (n + 9) of it.
    """

    def __init__(self, net: nn.Module, decay: float) -> None:
        self.net, self.decay = net, decay
        self.restart()

    def restart(self) -> None:
        """Begin anew from the weights as they are; they have changed places, or what they mean."""
        self.steps = 0
        self.state = {name: p.detach().clone() for name, p in self.net.named_parameters()}

    @torch.no_grad()
    def update(self) -> None:
        """Take in the weights after a step."""
        self.steps += 1
        keep = min(self.decay, self.steps / (self.steps + 9))
        for name, parameter in self.net.named_parameters():
            self.state[name].lerp_(parameter.detach(), 1 - keep)

    def state_dict(self) -> dict[str, Tensor]:
        """What a checkpoint keeps."""
        return {_STEPS: torch.tensor(self.steps)} | {_WEIGHTS + n: t for n, t in self.state.items()}

    def load_state_dict(self, kept: Mapping[str, Tensor]) -> None:
        """Go back to an average that was kept; where none was, begin from the weights as they are.

        Raises:
            ValueError: it is one of another network.
        """
        self.restart()
        if not kept:
            return
        state = {n.removeprefix(_WEIGHTS): t.clone() for n, t in kept.items() if n.startswith(_WEIGHTS)}
        if {n: t.shape for n, t in state.items()} != {n: t.shape for n, t in self.state.items()}:
            raise ValueError("the averaged weights are another network's")
        self.state = {n: t.to(self.state[n].device) for n, t in state.items()}
        self.steps = int(kept[_STEPS])

    @torch.no_grad()
    def put(self) -> None:
        """Replace the network's weights by their average."""
        for name, parameter in self.net.named_parameters():
            parameter.copy_(self.state[name])

    @contextmanager
    def instead(self) -> Iterator[None]:
        """Within it the network has the average for weights."""
        kept = {name: p.detach().clone() for name, p in self.net.named_parameters()}
        self.put()
        try:
            yield
        finally:
            with torch.no_grad():
                for name, parameter in self.net.named_parameters():
                    parameter.copy_(kept[name])
