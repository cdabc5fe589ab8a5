"""BERT for texts with one class each.

Source: huggingface/transformers, modeling_bert.py and configuration_bert.py (Apache 2.0): names, shapes and formulas.
"""

from __future__ import annotations

from pydantic import Field

from core.config import Settings
from core.datasets.archives import shown
from core.errors import InvalidInput
from core.supernets.folders.base import ARCHITECTURES, Architecture, said
from core.supernets.folders.encoders import Classifier, EncoderConfig, layers_of, pair
from core.supernets.folders.folder import Folder
from core.supernets.folders.options import FolderOptions, context_of
from core.supernets.folders.plan import Plan, Shapes, Take, take
from core.supernets.folders.understood import FixedPart

_LAYER = {
    "query": "attention.self.query",
    "key_": "attention.self.key",
    "value": "attention.self.value",
    "project": "attention.output.dense",
    "norm1": "attention.output.LayerNorm",
    "expand": "intermediate.dense",
    "contract": "output.dense",
    "norm2": "output.LayerNorm",
}


class BertConfig(EncoderConfig):
    """What config.json of a BERT says."""

    vocab_size: int = Field(30_522, ge=2, le=1_000_000)
    max_position_embeddings: int = Field(512, ge=1, le=1_000_000)
    type_vocab_size: int = Field(2, ge=1, le=64)
    position_embedding_type: str = "absolute"
    is_decoder: bool = False
    add_cross_attention: bool = False


@ARCHITECTURES.register("bert")
class Bert(Architecture):
    """Encoder of texts: post-norm layers, a pooler on the first token, a classifier."""

    label = "BERT"
    source = "Devlin et al., BERT, NAACL 2019; huggingface/transformers"
    classes = (
        "BertForSequenceClassification",
        "BertModel",
        "BertForPreTraining",
        "BertForMaskedLM",
        "BertForNextSentencePrediction",
    )
    prefixes = ("bert.",)
    renamed = ((".gamma", ".weight"), (".beta", ".bias"))

    def plan(self, folder: Folder, shapes: Shapes, options: FolderOptions) -> Plan:
        config = said(BertConfig, folder.config, self.label)
        if config.position_embedding_type != "absolute":
            raise InvalidInput(
                f"This BERT has positions of the kind {shown(config.position_embedding_type)}; only absolute ones are known."
            )
        if config.is_decoder or config.add_cross_attention:
            raise InvalidInput("This BERT is a decoder, or reads another network; only encoders are known.")
        length, last = context_of(options, config.max_position_embeddings), config.num_hidden_layers + 1
        classifier = Classifier(["classifier"], shapes, config, options)
        pooled = "pooler.dense.weight" in shapes
        family: Settings = {
            **config.family(options),
            "input_shape": [length],
            "vocabulary": config.vocab_size,
            "classes": classifier.classes,
            "token_types": config.type_vocab_size,
        }
        takes: dict[str, Take] = {
            "stages.0.token.weight": take("embeddings.word_embeddings.weight"),
            "stages.0.token_type.weight": take("embeddings.token_type_embeddings.weight"),
            "stages.0.position": take(
                "embeddings.position_embeddings.weight",
                rows=(0, length),
                stored=(config.max_position_embeddings, config.hidden_size),
                shape=(1, length, config.hidden_size),
            ),
            **dict(pair("stages.0.norm", "embeddings.LayerNorm")),
            **dict(layers_of(_LAYER, config.num_hidden_layers, "encoder.layer.{}.")),
            **(dict(pair(f"stages.{last}.pooler", "pooler.dense")) if pooled else {}),
            **classifier.takes([f"stages.{last}.linear"]),
        }
        drawn = [] if pooled else [f"stages.{last}.pooler."]
        facts = ["A text is one segment: pairs of texts are not told apart."]
        if length < config.max_position_embeddings:
            facts.append(
                f"Texts of more than {length:,} tokens are cut; the folder has {config.max_position_embeddings:,} positions."
            )
        if not pooled:
            facts.append("The folder has no pooler (it was trained to fill in words): a new one is drawn.")
        return Plan(
            family="elastic_bert",
            config=family,
            takes=takes,
            sizes=[
                *config.sizes(),
                ("tokens known", f"{config.vocab_size:,}"),
                ("tokens of a text", f"{length:,}"),
            ],
            elastic=config.elastic(options),
            fixed=[
                FixedPart(part="word, segment and position embeddings", why="every text goes through them"),
                FixedPart(part="pooler and classifier", why="they answer"),
            ],
            unused={
                "embeddings.position_ids": "it holds numbers from 0, no weights",
                "cls.": "it fills in words or tells whether one sentence follows another, which a classifier does not",
                **classifier.unused(),
            },
            fresh=[*drawn, *([] if classifier.kept else [f"stages.{last}.linear."])],
            facts=[*facts, *classifier.facts()],
        )
