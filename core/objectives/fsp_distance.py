"""How far an attack moves what flows through the stages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.objectives.attacked import SAMPLES, attacked
from core.objectives.base import OBJECTIVES
from core.objectives.extracted import FromNetworks, Subject
from core.records import Shown

if TYPE_CHECKING:
    from torch import Tensor


@OBJECTIVES.register("fsp_distance")
class FspDistance(FromNetworks):
    """How far PGD (that of robust accuracy) moves the FSP matrices of the stages, as a share of their size; 0: not at all.

    A stage's FSP matrix holds the products of the channels that enter with those that leave, averaged over positions
    (Yim et al., CVPR 2017). Inspired by Guo et al., When NAS meets robustness (RobNets), CVPR 2020, who take the squared
    distance itself; subnets of other widths have other sizes, so here it is divided by the clean matrix's square.
    Whether a small one goes with robustness is for you to see: `python -m core robustness`.
    """

    label = "FSP distance"
    shown = Shown(digits=3, fine_digits=4)
    place = 61
    best = "least moved"
    instrument = "PGD, 200 images"
    samples = SAMPLES
    takes = "image"

    def of_network(self, subject: Subject) -> float:
        import torch

        clean, moved = (flows(subject, images) for images in (subject.inputs, attacked(subject)))
        shares = [
            ((b - a).square().sum((1, 2)) / a.square().sum((1, 2)).clamp_min(1e-12)).mean()
            for a, b in zip(clean, moved, strict=True)
        ]
        return float(torch.stack(shares).mean()) if shares else 0.0


def flows(subject: Subject, images: Tensor) -> list[Tensor]:
    """(n, c_in, c_out) FSP matrix of every stage between two maps, the larger one averaged to the other's size."""
    import torch
    from torch.nn import functional as F

    found, x = [], images
    with torch.no_grad():
        for stage in subject.net:
            y = stage(x)
            if all(isinstance(each, torch.Tensor) and each.ndim == 4 for each in (x, y)):
                before = F.adaptive_avg_pool2d(x, y.shape[2:])
                found.append(torch.einsum("nihw,njhw->nij", before, y) / (y.shape[2] * y.shape[3]))
            x = y
    return found
