"""Samples of one network attacked by PGD: what every objective on attacked images shares.

An attack follows the gradient of the very network it fools, so no two subnets share an attacked image, and none of the
work: with k steps it costs about 3 k forward passes of all samples per subnet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.attacks.base import ATTACKS
from core.objectives.extracted import Subject

if TYPE_CHECKING:
    from torch import Tensor

SAMPLES = 200
"""Of the validation split: 200 attacked images place an accuracy within 7 points (95 %)."""
STEPS = 10
EPS_GRAY, EPS_COLOR = 0.1, 8 / 255
"""Largest change of a pixel, as shares of its range: pictures of one channel are told apart at larger ones."""
STATED = (
    f"PGD of {STEPS} steps from a random start, at most {EPS_GRAY:g} of a pixel's range (8/255 in color), "
    f"first {SAMPLES} validation images"
)


def attacked(subject: Subject) -> Tensor:
    """(n, c, h, w) images in [0, 1] that the network should take for another class; made once per subject."""
    if "attacked" not in subject.kept:
        import torch

        images, targets = subject.inputs.cpu().numpy(), subject.targets.cpu().numpy()
        eps = EPS_GRAY if images.shape[1] == 1 else EPS_COLOR
        pgd = ATTACKS.create("pgd", {"steps": STEPS})
        found = pgd.run(subject.net, images, targets, eps, ids=range(len(images)))
        subject.kept["attacked"] = torch.from_numpy(found).to(subject.inputs.device)
    return subject.kept["attacked"]
