"""Which of transformers' architectures a network is, by its blocks."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from core.errors import InvalidInput
from core.networks.blocks.bert_embedding import BertEmbedding
from core.networks.blocks.class_token_embedding import ClassTokenEmbedding
from core.networks.blocks.class_token_head import ClassTokenHead
from core.networks.blocks.decoder_block import DecoderBlock
from core.networks.blocks.decoder_embedding import DecoderEmbedding
from core.networks.blocks.decoder_head import DecoderHead
from core.networks.blocks.pooled_token_head import PooledTokenHead
from core.networks.blocks.post_norm_block import PostNormBlock
from core.networks.blocks.transformer_block import TransformerBlock
from core.supernets.folders.writing.decoders import decoder
from core.supernets.folders.writing.encoders import bert
from core.supernets.folders.writing.vision import vision
from core.supernets.folders.writing.written import Written, of_kinds


def written(net: nn.Sequential, classes: Sequence[str], input_shape: Sequence[int]) -> Written:
    """A network as transformers has it.

    Args:
        net: a chain of plain blocks.
        classes: their names, of a classifier.
        input_shape: of one sample.

    Raises:
        InvalidInput: no class of transformers that is written here computes it.
    """
    if of_kinds(net, BertEmbedding, PostNormBlock, PooledTokenHead):
        return bert(net, classes)
    if of_kinds(net, ClassTokenEmbedding, TransformerBlock, ClassTokenHead):
        return vision(net, classes, input_shape)
    if of_kinds(net, DecoderEmbedding, DecoderBlock, DecoderHead):
        return decoder(net)
    raise InvalidInput(
        "transformers has no class for this network: BERT, ViT, DeiT, Llama and GPT-2 are written. Take the bundle."
    )
