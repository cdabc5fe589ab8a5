"""MNIST: the digits every paper starts with."""

from __future__ import annotations

from core.datasets.base import DATASETS
from core.datasets.idx_source import IdxSource


@DATASETS.register("mnist")
class Mnist(IdxSource):
    """70,000 handwritten digits of 28x28 gray pixels; official test set of 10,000."""

    label = "MNIST (28x28)"
    source = "LeCun, Bottou, Bengio, Haffner, Gradient-based learning applied to document recognition, 1998"
    licence = "CC BY-SA 3.0"
    openml_id = 554
    download_bytes = 15_000_000
    class_names = ("0", "1", "2", "3", "4", "5", "6", "7", "8", "9")
    folder_names = ("mnist", "MNIST/raw", "MNIST")
    first_labels = (5, 0, 4, 1, 9, 2, 1, 3, 1, 4)
    first_test_labels = (7, 2, 1, 0, 4, 1, 4, 9, 5, 9)
    local_hint = (
        "Without a network, put its four official idx files into a folder mnist and set PARETOSCOPE_DATA "
        "to the folder above it."
    )
