"""A supernet for data with other classes: everything before the classifier is kept, the classifier is drawn anew."""

from __future__ import annotations

from core.datasets.base import Dataset
from core.seeding import torch_drawing
from core.supernets.base import Supernet
from core.supernets.files import build


def told(family: type[Supernet], had: int, dataset: Dataset) -> str:
    """What a person is told where data get a new classifier; "" where they do not.

    A family says by `draws_classifier` that nothing else of it depends on the number of classes; others are left as they
    are, and refused by `Task.require_fit`.

    Args:
        family: of the supernet.
        had: its number of classes.
        dataset: what it shall be trained on.
    """
    has = len(dataset.classes)
    if had == has or not family.draws_classifier or dataset.task != family.task.name:
        return ""
    return (
        f"{dataset.title} has {has} classes, the network tells {had} apart: a new classifier is drawn, and knows nothing "
        "before it is trained."
    )


def with_classes(supernet: Supernet, classes: int, seed: int) -> Supernet:
    """A supernet with so many classes and these weights, but for its classifier's.

    Args:
        supernet: of a family that `draws_classifier`; is not changed.
        classes: another number than it has.
        seed: of the new weights.
    """
    with torch_drawing(seed, "new classifier"):
        made = build(supernet.name, {**supernet.config.model_dump(mode="json"), "classes": classes})
    own = made.state_dict()
    kept = {name: tensor for name, tensor in supernet.state_dict().items() if own[name].shape == tensor.shape}
    made.load_state_dict(own | kept)
    made.tokenizer = supernet.tokenizer
    return made
