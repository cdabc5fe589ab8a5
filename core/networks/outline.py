"""Building networks without their weights: sizes, costs and shapes are asked of an outline, which takes no memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

_DRAWS = (torch.Tensor.normal_, torch.Tensor.uniform_)


class _DrawsNothing(TorchFunctionMode):
    """Leaves initial weights undrawn: there is no memory to draw them into, and torch, asked to do it without any,
    loads its compiler first: more than a second in every process that looks at a supernet."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = kwargs or {}
        if func in _DRAWS or getattr(func, "__module__", "") == "torch.nn.init":
            return args[0] if args else given["tensor"]
        if func is torch.eye and len(args) == 1:
            return torch.empty(args[0], args[0], **given)
        return func(*args, **given)


@contextmanager
def outline() -> Iterator[None]:
    """Tensors that are made in here have a shape and a type, and no numbers (torch's "meta" device)."""
    with _DrawsNothing(), torch.device("meta"):
        yield
