"""DeiT for images with one class each: with a teacher the mean of two classifiers answers, without the first alone.

Source: huggingface/transformers, modeling_deit.py and configuration_deit.py (Apache 2.0): names, shapes and formulas.
"""

from __future__ import annotations

from core.supernets.folders.base import ARCHITECTURES, Architecture, said
from core.supernets.folders.encoders import Classifier
from core.supernets.folders.folder import Folder
from core.supernets.folders.options import FolderOptions
from core.supernets.folders.plan import Plan, Shapes
from core.supernets.folders.vision import VisionConfig, plan_of

_USUAL = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
_TAUGHT = ("cls_classifier", "distillation_classifier")


@ARCHITECTURES.register("deit")
class DeiT(Architecture):
    """ViT with a distillation token, which answers as well where the network was trained with a teacher."""

    label = "DeiT"
    source = "Touvron et al., DeiT, ICML 2021; huggingface/transformers"
    classes = (
        "DeiTForImageClassification",
        "DeiTForImageClassificationWithTeacher",
        "DeiTModel",
        "DeiTForMaskedImageModeling",
    )
    prefixes = ("deit.",)

    def plan(self, folder: Folder, shapes: Shapes, options: FolderOptions) -> Plan:
        config = said(VisionConfig, folder.config, self.label)
        taught = all(f"{head}.weight" in shapes for head in _TAUGHT)
        return plan_of(
            self.label,
            folder,
            config,
            options,
            classifier=Classifier(_TAUGHT if taught else ["classifier"], shapes, config, options),
            tokens=["embeddings.cls_token", "embeddings.distillation_token"],
            distillation="teacher" if taught else "token",
            usual=_USUAL,
        )
