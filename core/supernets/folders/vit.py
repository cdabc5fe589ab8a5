"""ViT for images with one class each.

Source: huggingface/transformers, modeling_vit.py and configuration_vit.py (Apache 2.0): names, shapes and formulas.
"""

from __future__ import annotations

from core.supernets.folders.base import ARCHITECTURES, Architecture, said
from core.supernets.folders.encoders import Classifier
from core.supernets.folders.folder import Folder
from core.supernets.folders.options import FolderOptions
from core.supernets.folders.plan import Plan, Shapes
from core.supernets.folders.vision import VisionConfig, plan_of

_USUAL = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


@ARCHITECTURES.register("vit")
class ViT(Architecture):
    """Vision transformer: patches behind a class token, pre-norm layers, a classifier on the class token."""

    label = "ViT"
    source = "Dosovitskiy et al., ViT, ICLR 2021; huggingface/transformers"
    classes = ("ViTForImageClassification", "ViTModel", "ViTForMaskedImageModeling")
    prefixes = ("vit.",)

    def plan(self, folder: Folder, shapes: Shapes, options: FolderOptions) -> Plan:
        config = said(VisionConfig, folder.config, self.label)
        return plan_of(
            self.label,
            folder,
            config,
            options,
            classifier=Classifier(["classifier"], shapes, config, options),
            tokens=["embeddings.cls_token"],
            distillation="none",
            usual=_USUAL,
        )
