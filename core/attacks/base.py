"""The attack contract: images that fool a network.

Attacks are white-box, untargeted, within an L-infinity ball, on images in [0, 1]. They are a lower bound
on how easily a net is fooled, not a proof of safety. Gradients are taken with respect to the images only:
no parameter's `.grad` is touched, and the net's mode is restored. No torch is imported here: pages list the
attacks at once.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from core.config import Plugin
from core.device import beside
from core.errors import InvalidInput
from core.registry import Registry

if TYPE_CHECKING:
    from torch import Tensor, nn

ATTACKS: Registry[Attack] = Registry("attack", "core.attacks", "ATTACKS")

BATCH = 512
Images = NDArray[np.float32]
Labels = NDArray[np.int64]


class Attack(Plugin, ABC):
    """One way to fool a network.

    Attributes:
        slow: what a person should know of its time ("ten times slower than FGSM"); empty if it is quick.
    """

    slow: ClassVar[str] = ""

    def run(
        self,
        net: nn.Module,
        x: Images,
        y: Labels,
        eps: float,
        *,
        ids: NDArray[np.int64] | Sequence[int],
        seed: int = 0,
    ) -> Images:
        """Images that the network should take for another class.

        Args:
            net: images in [0, 1] to logits.
            x: (n, c, h, w) float32.
            y: (n,) true classes.
            eps: largest change of a pixel, a share of the range from black to white.
            ids: (n,) sample ids; what happens to a sample depends on seed and id only.
            seed: of all chance.

        Returns:
            (n, c, h, w) attacked images in [0, 1].

        Raises:
            InvalidInput: eps is not between 0 and 1, or there is not one id per image.
        """
        import torch

        from core.networks.answers import evaluating

        if not 0 <= eps <= 1:
            raise InvalidInput(f"The largest change of a pixel lies between 0 and 1, not {eps}.")
        if len(ids) != len(x):
            raise InvalidInput("An attack needs one id per image.")
        numbers = [int(each) for each in ids]
        attacked = np.array(x, np.float32, copy=True)
        with evaluating(net):
            for i in range(0, len(x), BATCH):
                rows = slice(i, i + BATCH)
                given = torch.from_numpy(attacked[rows].copy()), torch.from_numpy(np.array(y[rows]))
                images, labels = beside(net, given)
                found = self.attack(net, images, labels, eps, ids=numbers[rows], seed=seed)
                attacked[rows] = found.cpu().numpy()
        return attacked

    @abstractmethod
    def attack(
        self, net: nn.Module, images: Tensor, labels: Tensor, eps: float, *, ids: Sequence[int], seed: int
    ) -> Tensor:
        """One batch of attacked images in [0, 1], at most eps from the given ones; the net is in eval mode."""
