"""Fashion-MNIST: digits' size class up, still trainable on a laptop."""

from __future__ import annotations

from core.datasets.base import DATASETS
from core.datasets.idx_source import IdxSource


@DATASETS.register("fashion_mnist")
class FashionMnist(IdxSource):
    """70,000 gray 28x28 pictures of clothes in 10 classes; official test set of 10,000."""

    label = "Fashion-MNIST (28x28)"
    source = "Xiao, Rasul, Vollgraf, Fashion-MNIST, 2017; zalandoresearch/fashion-mnist"
    licence = "MIT"
    openml_id = 40996
    download_bytes = 30_000_000
    class_names = (
        "T-shirt",
        "trouser",
        "pullover",
        "dress",
        "coat",
        "sandal",
        "shirt",
        "sneaker",
        "bag",
        "ankle boot",
    )
    folder_names = ("fashion-mnist", "fashion_mnist", "FashionMNIST/raw", "FashionMNIST")
    first_labels = (9, 0, 0, 3, 0, 2, 7, 2, 5, 5)
    first_test_labels = (9, 2, 1, 1, 6, 1, 4, 6, 5, 7)
    local_hint = (
        "Without a network, put its four official idx files into a folder fashion-mnist and set PARETOSCOPE_DATA "
        "to the folder above it."
    )
