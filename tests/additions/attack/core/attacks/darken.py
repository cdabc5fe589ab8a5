"""Added by a test: an attack."""

from core.attacks.base import ATTACKS, Attack


@ATTACKS.register("darken")
class Darken(Attack):
    """Every pixel darker."""

    label = "Darken"
    source = "a test"

    def attack(self, net, images, labels, eps, *, ids, seed):
        return (images - eps).clamp(0, 1)
