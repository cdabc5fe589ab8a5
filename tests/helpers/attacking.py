"""The two attacks as functions, for tests."""

from __future__ import annotations

from typing import Any

from torch import nn

from core.attacks import ATTACKS
from core.attacks.base import Images, Labels


def fgsm(net: nn.Module, x: Images, y: Labels, eps: float) -> Images:
    return ATTACKS.create("fgsm").run(net, x, y, eps, ids=range(len(x)))


def pgd(
    net: nn.Module, x: Images, y: Labels, eps: float, *, ids: Any, seed: int = 0, **settings: Any
) -> Images:
    return ATTACKS.create("pgd", settings).run(net, x, y, eps, ids=ids, seed=seed)
