"""What losses that look inside share: activations of two networks, and the relations of samples within one."""

from __future__ import annotations

import torch
from torch import Tensor

from core.errors import InvalidInput


def shared_part(given: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    """The same channels of two activations (n, ...): the first ones, as many as the narrower has.

    Channels of subnets are nested: channel i of a narrow one is computed by a part of the weights of channel i of a
    wide one, so the first ones belong together and no projection has to be learned.

    Raises:
        InvalidInput: they differ in more than their channels, as maps of two resolutions do.
    """
    differing = [axis for axis in range(1, given.ndim) if given.shape[axis] != wanted.shape[axis]]
    if given.ndim != wanted.ndim or len(differing) > 1:
        raise InvalidInput(
            "Activations can be compared where maps have one size: this space has several. Choose another loss."
        )
    for axis in differing:
        width = min(given.shape[axis], wanted.shape[axis])
        given, wanted = given.narrow(axis, 0, width), wanted.narrow(axis, 0, width)
    return given, wanted


def products(features: Tensor) -> Tensor:
    """(n, n) inner products of the samples of (n, ...) activations."""
    flat = features.flatten(1)
    return flat @ flat.T


def distances(gram: Tensor) -> Tensor:
    """(n(n-1)/2,) distances of every two samples, from their inner products, with mean 1.

    Samples that are equal have a tiny distance instead of none, whose gradient would be infinite.
    """
    squares = gram.diagonal()[:, None] + gram.diagonal()[None, :] - 2 * gram
    rows, columns = torch.triu_indices(len(gram), len(gram), offset=1, device=gram.device)
    found = squares[rows, columns].clamp_min(1e-12).sqrt()
    return found / found.mean().clamp_min(1e-12)


def angles(gram: Tensor) -> Tensor:
    """(n, n, n) cosines of the angle at sample j between i and k, at [j, i, k]; 0 where two of them are one."""
    diagonal = gram.diagonal()
    # <x_i - x_j, x_k - x_j>, from inner products alone.
    inner = gram[None, :, :] - gram[:, :, None] - gram[:, None, :] + diagonal[:, None, None]
    lengths = inner.diagonal(dim1=1, dim2=2).clamp_min(1e-12).sqrt()
    return inner / (lengths[:, :, None] * lengths[:, None, :])
