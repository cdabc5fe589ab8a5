"""A supernet of 2.2 × 10^10 subnets that is quick to measure, and its file."""

from __future__ import annotations

from core.datasets import load_dataset
from core.supernets.elastic_cnn import ElasticCNN, ElasticCNNConfig, GroupConfig
from core.supernets.files import dump_supernet

SIZE = 117**5


def huge_cnn() -> ElasticCNN:
    group = GroupConfig(widths=(2, 3, 4), depths=(1, 2, 3), kernels=(1, 3, 5))
    return ElasticCNN(
        ElasticCNNConfig(groups=(group,) * 5, input_shape=(1, 8, 8), pixel_mean=(0.3,), pixel_std=(0.4,))
    )


def huge_file(limit_validation: int = 40) -> bytes:
    """Its data are a few digits."""
    config = {"limit_validation": limit_validation, "limit_test": 20}
    dataset = load_dataset("digits", **config)
    data = {"name": "digits", "config": config, "seed": 0, "fingerprint": dataset.fingerprint}
    return dump_supernet(huge_cnn(), {"title": "Huge", "data": data})
