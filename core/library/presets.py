"""Ready-made trainings, by name: what the shipped supernets were trained with, and others to start from."""

from __future__ import annotations

from typing import Any

# A subnet of one channel cannot learn shifted digits.
_SOME = {"shift": 1, "shifted_share": 0.3}
_DIGITS = {"name": "digits", "seed": 0, "config": {}}


def _chosen(block: str, name: str = "", **settings: Any) -> dict[str, Any]:
    """An option of a chain's block."""
    return {"block": block} | ({"name": name} if name else {}) | settings


PRESETS: dict[str, dict[str, Any]] = {
    "digits-cnn": {
        "summary": "Elastic CNN on 8x8 digits: 13,824 subnets.",
        "family": "elastic_cnn",
        "config": {
            "groups": [
                {"widths": [1, 2, 4, 8], "depths": [1, 2], "kernels": [3, 5]},
                {"widths": [2, 4, 8, 16], "depths": [1, 2], "kernels": [3, 5]},
                {"widths": [4, 8, 16, 32], "depths": [1, 2], "kernels": [1, 3]},
            ]
        },
        "data": _DIGITS,
        "training": {"strategy": "sandwich", "epochs": 150, "learning_rate": 0.05, "augmentation": _SOME},
    },
    "digits-lesson": {
        "summary": "Elastic CNN on 8x8 digits, small enough for a lesson: 512 subnets, trained in seconds.",
        "family": "elastic_cnn",
        "config": {
            "groups": [
                {"widths": [2, 4, 6, 8], "depths": [1], "kernels": [3, 5]},
                {"widths": [2, 4, 8, 16], "depths": [1], "kernels": [3, 5]},
                {"widths": [4, 8, 16, 24], "depths": [1], "kernels": [3, 5]},
            ]
        },
        "data": _DIGITS,
        "training": {"strategy": "sandwich", "epochs": 20, "learning_rate": 0.05},
    },
    "fashion-cnn": {
        "summary": "Elastic CNN on Fashion-MNIST: 5,832 subnets.",
        "family": "elastic_cnn",
        "config": {
            "groups": [
                {"widths": [1, 3, 8], "depths": [1, 2], "kernels": [3, 5]},
                {"widths": [2, 6, 16], "depths": [1, 2], "kernels": [3, 5]},
                {"widths": [4, 12, 32], "depths": [1, 2], "kernels": [1, 3]},
            ],
            "stem_stride": 2,
        },
        "data": {
            "name": "fashion_mnist",
            "seed": 0,
            "config": {"limit_train": 20_000, "limit_validation": 2_000, "limit_test": 4_000},
        },
        "training": {
            "strategy": "sandwich",
            "epochs": 15,
            "batch_size": 128,
            "learning_rate": 0.1,
            "augmentation": {"flip": True},
        },
    },
    "digits-ofa": {
        "summary": "Once-for-all's MobileNetV3 on 8x8 digits: elastic resolution, kernel, depth and expansion.",
        "family": "ofa_mobilenet_v3",
        "config": {
            "groups": [
                {"width": 4, "stride": 1, "depths": [1, 2, 3]},
                {"width": 8, "activation": "hardswish", "squeeze": True, "depths": [1, 2, 3]},
            ],
            "kernels": [3, 5],
            "expands": [1, 2, 4],
            "resolutions": [6, 8],
            "divisor": 1,
            "stem_width": 4,
            "first_width": 4,
            "head_width": 16,
            "features": 16,
        },
        "data": _DIGITS,
        "training": {"strategy": "sandwich", "epochs": 60, "learning_rate": 0.05},
    },
    "digits-vit": {
        "summary": "Small vision transformer on 8x8 digits (LayerNorm, so no recalibration).",
        "family": "elastic_vit",
        "config": {},
        "data": _DIGITS,
        "training": {
            "strategy": "sandwich",
            "epochs": 60,
            "optimizer": "adamw",
            "learning_rate": 0.002,
            "weight_decay": 0.05,
            "warmup_epochs": 5,
        },
    },
    "digits-vit-resnas": {
        "summary": "ViT-ResNAS on 8x8 digits: four architectures in each pass, by masks; 15,876 subnets.",
        "family": "vit_resnas",
        "config": {},
        "data": _DIGITS,
        "training": {
            "strategy": "multi_architectural",
            "epochs": 120,
            "optimizer": "adamw",
            "learning_rate": 0.002,
            "weight_decay": 0.05,
            "warmup_epochs": 5,
            "label_smoothing": 0.1,
        },
    },
    "digits-conv-vit": {
        "summary": "ElasticViT on 8x8 digits: a convolution stage, then two attention stages, and two resolutions.",
        "family": "elastic_conv_vit",
        "config": {
            "resolutions": [6, 8],
            "stem_widths": [4, 8],
            "stem_depths": [1],
            "conv_stages": [{"widths": [8, 16], "depths": [1, 2], "stride": 1}],
            "attention_stages": [
                {"widths": [8, 16], "depths": [1, 2], "stride": 2},
                {"widths": [16, 32], "depths": [1], "stride": 2},
            ],
            "features": 32,
        },
        "data": _DIGITS,
        "training": {
            "strategy": "sandwich",
            "epochs": 40,
            "optimizer": "adamw",
            "learning_rate": 0.005,
            "weight_decay": 0.05,
            "warmup_epochs": 3,
        },
    },
    "licenses-decoder": {
        "summary": "Elastic decoder on license texts: six layers, each skipped or of four sizes, 15,625 subnets.",
        "family": "elastic_decoder",
        "config": {"layers": 6, "hidden": [32, 64, 128, 256], "skippable": [1, 2, 3, 4, 5, 6]},
        "data": {"name": "licenses", "seed": 0, "config": {}},
        "training": {
            "strategy": "uniform",
            "epochs": 20,
            "batch_size": 16,
            "optimizer": "adamw",
            "learning_rate": 0.004,
            "weight_decay": 0.05,
            "warmup_epochs": 1,
        },
    },
    "digits-nb201": {
        "summary": "NAS-Bench-201 cell space on 8x8 digits: 15,625 cells sharing their operations' weights.",
        "family": "nas_bench_201",
        "config": {"channels": 8, "cells_per_stage": 1},
        "data": _DIGITS,
        "training": {"strategy": "uniform", "epochs": 60, "learning_rate": 0.05},
    },
    "digits-resnet": {
        "summary": "Once-for-all's ResNet-50, small, on 8x8 digits: bottlenecks, stem and resolution elastic.",
        "family": "ofa_resnet50",
        "config": {
            "resolutions": [6, 8],
            "stem_channels": 8,
            "channels": [16, 32],
            "base_depths": [1, 1],
            "extra_depths": [0, 1],
            "expand_ratios": [0.5, 1.0],
            "width_multipliers": [0.25, 0.5, 1.0],
            "divisor": 2,
        },
        "data": _DIGITS,
        "training": {"strategy": "sandwich", "epochs": 60, "learning_rate": 0.05},
    },
    "digits-macro": {
        "summary": "NAS-Bench-Macro chain on 8x8 digits: 6,561 subnets of eight layers.",
        "family": "nas_bench_macro",
        "config": {"channels": 4, "hidden": 32},
        "data": _DIGITS,
        "training": {"strategy": "sandwich", "epochs": 60, "learning_rate": 0.1},
    },
    "digits-ensemble": {
        "summary": "Ensembles of two paths with a shared trunk on 8x8 digits, single networks among them: 2,080 subnets.",
        "family": "path_ensemble",
        "config": {"channels": 3, "layers": [1, 2], "paths": 2, "own": 2},
        "data": _DIGITS,
        "training": {"strategy": "neas", "epochs": 60, "learning_rate": 0.05},
    },
    "digits-nasnet": {
        "summary": "NASNet cells of two blocks on 8x8 digits, with scheduled drop path: 506 million pairs of cells.",
        "family": "nasnet_cells",
        "config": {"channels": 8, "blocks": 2, "drop_path": 0.2},
        "data": _DIGITS,
        "training": {"strategy": "sandwich", "epochs": 60, "learning_rate": 0.05},
    },
    "digits-resnet-rs": {
        "summary": "ResNet-RS blocks, basic or bottleneck, on 8x8 digits: 336 subnets.",
        "family": "chain",
        "config": {
            "stem": {"kind": "deep", "channels": 8},
            "stages": [
                {
                    "widths": [8, 12],
                    "depths": [1, 2],
                    "options": ["resnet_rs", _chosen("resnet_rs", bottleneck=2)],
                },
                {
                    "widths": [12, 24],
                    "depths": [1, 2, 3],
                    "stride": 2,
                    "options": ["resnet_rs", _chosen("resnet_rs", bottleneck=4)],
                },
            ],
        },
        "data": _DIGITS,
        "training": {"strategy": "sandwich", "epochs": 60, "learning_rate": 0.05},
    },
    "digits-lowformer": {
        "summary": "LowFormer blocks or convolutions on 8x8 digits: 864 subnets.",
        "family": "chain",
        "config": {
            "stem": {"channels": 8},
            "stages": [
                {
                    "widths": [8, 12],
                    "depths": [1, 2],
                    "options": [_chosen("fused_conv", expand=2), _chosen("fused_conv", expand=4)],
                },
                {
                    "widths": [16, 24],
                    "depths": [2, 3],
                    "stride": 2,
                    "options": [
                        _chosen("lowformer", name="attention", expand=2, kernel=3, mlp=2),
                        _chosen("fused_conv", name="convolution", expand=2),
                        _chosen("pool"),
                    ],
                },
            ],
        },
        "data": _DIGITS,
        "training": {
            "strategy": "sandwich",
            "epochs": 60,
            "optimizer": "adamw",
            "learning_rate": 0.003,
            "weight_decay": 0.05,
            "warmup_epochs": 5,
        },
    },
    "digits-vovnet": {
        "summary": "VoVNet's one-shot aggregation on 8x8 digits: 864 subnets.",
        "family": "chain",
        "config": {
            "stem": {"kind": "deep", "channels": 8},
            "stages": [
                {
                    "widths": [8, 12, 16],
                    "depths": [1, 2],
                    "options": [_chosen("osa", layers=n) for n in (1, 2, 3)],
                },
                {
                    "widths": [12, 24],
                    "depths": [1, 2],
                    "stride": 2,
                    "options": [_chosen("osa", layers=n) for n in (1, 2, 3)],
                },
            ],
        },
        "data": _DIGITS,
        "training": {"strategy": "sandwich", "epochs": 60, "learning_rate": 0.05},
    },
    "digits-simplenet": {
        "summary": "SimpleNet's convolutions, shift, pooling or nothing on 8x8 digits: 2,160 subnets.",
        "family": "chain",
        "config": {
            "stem": {"channels": 8},
            "stages": [
                {
                    "widths": [4, 8, 16],
                    "depths": [1, 2],
                    "options": [
                        _chosen("plain_conv", kernel=1),
                        _chosen("plain_conv", kernel=3),
                        "shift",
                        "identity",
                    ],
                },
                {
                    "widths": [8, 16, 32],
                    "depths": [1, 2],
                    "stride": 2,
                    "options": [_chosen("plain_conv", kernel=1), _chosen("plain_conv", kernel=3), "pool"],
                },
            ],
        },
        "data": _DIGITS,
        "training": {"strategy": "sandwich", "epochs": 60, "learning_rate": 0.05},
    },
    "commands-encoder": {
        "summary": "Transformer encoder on generated commands (text): 1,032 subnets.",
        "family": "elastic_encoder",
        "config": {
            "widths": [4, 8, 16, 32],
            "depths": [1, 2, 3],
            "heads": [1, 2, 4],
            "mlp_ratios": [1, 2],
            "head_size": 4,
        },
        "data": {"name": "commands", "seed": 0, "config": {}},
        "training": {
            "strategy": "sandwich",
            "epochs": 30,
            "optimizer": "adamw",
            "learning_rate": 0.006,
            "weight_decay": 0.05,
        },
    },
    "tiny-bert": {
        "summary": "A tiny BERT on passages of licenses, trained plainly: what a network is before it becomes a supernet.",
        "family": "elastic_bert",
        "config": {
            "widths": [32, 48, 64],
            "depths": [2, 3, 4],
            "heads": [1, 2, 4],
            "hidden": [64, 128, 256],
            "head_size": 16,
        },
        "data": {"name": "license_passages", "seed": 0, "config": {"length": 48}},
        "training": {
            "strategy": "largest_alone",
            "epochs": 20,
            "batch_size": 32,
            "optimizer": "adamw",
            "learning_rate": 0.002,
            "weight_decay": 0.05,
            "warmup_epochs": 2,
            "label_smoothing": 0.1,
            "augmentation": {"drop": 0.3},
        },
    },
    "tones-tdnn": {
        "summary": "EfficientTDNN on generated sounds: kernels, depth and widths over log-mel frames, 2,430 subnets.",
        "family": "elastic_tdnn",
        "config": {
            "channels": 32,
            "concat_channels": 32,
            "width_ratios": [0.25, 0.5, 1.0],
            "kernels": [1, 3, 5],
            "depths": [1, 2],
            "dilations": [2, 3],
        },
        "data": {"name": "tones", "seed": 0, "config": {}},
        "training": {
            "strategy": "sandwich",
            "epochs": 40,
            "optimizer": "adamw",
            "learning_rate": 0.005,
            "weight_decay": 0.05,
            "warmup_epochs": 3,
        },
    },
    "communities-gcn": {
        "summary": "Graph network on a generated graph of communities: 336 subnets.",
        "family": "elastic_gcn",
        "config": {},
        "data": {"name": "generated_graph", "seed": 0, "config": {}},
        "training": {
            "strategy": "sandwich",
            "epochs": 60,
            "batch_size": 120,
            "optimizer": "adamw",
            "learning_rate": 0.01,
            "weight_decay": 0.05,
            "warmup_epochs": 5,
            "augmentation": {"drop_features": 0.3},
        },
    },
}

OFA_RESOLUTIONS = (*range(128, 225, 4), 228, 236, 240, 260)
"""Once-for-all was trained for every fourth side up to 224; some of its specialized networks take larger images."""

PUBLISHED: dict[str, tuple[str, dict[str, Any]]] = {
    "nas-bench-201": ("nas_bench_201", {"input_shape": [3, 32, 32]}),
    "nas-bench-macro": ("nas_bench_macro", {"input_shape": [3, 32, 32]}),
}
"""Spaces as their benchmarks have them on CIFAR-10: family and configuration, to count costs of without weights."""

AUTHORS: dict[str, tuple[str, dict[str, Any]]] = {
    "ofa-mobilenet-v3": ("ofa_mobilenet_v3", {"resolutions": OFA_RESOLUTIONS}),
    "ofa-mobilenet-v3-w1.2": ("ofa_mobilenet_v3", {"width_mult": 1.2, "resolutions": OFA_RESOLUTIONS}),
    "ofa-proxyless-w1.3": ("ofa_proxyless", {"width_mult": 1.3, "resolutions": OFA_RESOLUTIONS}),
}
"""Spaces of published networks for ImageNet: family, and what its `Config.published` is told."""
