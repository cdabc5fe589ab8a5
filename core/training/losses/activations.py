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


def distances(features: Tensor) -> Tensor:
    """(n(n-1)/2,) distances of every two samples of (n, ...) activations, relative to their mean; 0 of equal ones."""
    gram = _centered(features)
    squares = gram.diagonal()[:, None] + gram.diagonal()[None, :] - 2 * gram
    rows, columns = torch.triu_indices(len(gram), len(gram), offset=1, device=gram.device)
    found = _roots(squares[rows, columns])
    return found / found.mean().clamp_min(1e-12)


def angles(features: Tensor) -> Tensor:
    """(n, n, n) cosines of the angle at sample j between i and k, at [j, i, k]; 0 where two of them are equal."""
    gram = _centered(features)
    # <x_i - x_j, x_k - x_j>, from inner products alone.
    inner = gram[None, :, :] - gram[:, :, None] - gram[:, None, :] + gram.diagonal()[:, None, None]
    lengths = _roots(inner.diagonal(dim1=1, dim2=2))
    apart = lengths > 0
    lengths = lengths.where(apart, 1)
    found = inner / (lengths[:, :, None] * lengths[:, None, :])
    return found.where(apart[:, :, None] & apart[:, None, :], 0)


def _centered(features: Tensor) -> Tensor:
    """Inner products about the mean sample: differences of them lose fewer digits."""
    return products(features - features.mean(0))


def _roots(squares: Tensor) -> Tensor:
    """Roots of squared distances; 0, without a gradient, where nothing but rounding is left."""
    apart = squares > 1e-5 * squares.mean().clamp_min(1e-12)
    return squares.where(apart, 1).sqrt().where(apart, 0)
