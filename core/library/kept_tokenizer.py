"""The tokenizer that lies in a supernet's file, kept where its data set looks for it. No torch."""

from __future__ import annotations

import re
from collections.abc import Callable

from core.config import JsonObject
from core.datasets.kept_tokenizers import keep_tokenizer
from core.datasets.uploads import bytes_path
from core.networks.untrusted_files import load_tensors

TENSOR = "tokenizer_json"
"""Name of the tensor of bytes beside the weights, see `core.supernets.files`."""


def bring_along(config: JsonObject, read: Callable[[], bytes]) -> None:
    """Keep the tokenizer of a supernet's file, where the data it was trained on are split by one that is not kept here.

    So a supernet that was carried to another machine finds its data there, if the texts are there. Nothing else is
    written than what the file holds, judged, under its own SHA-256.

    Args:
        config: of the data set, as the card has it.
        read: gives the file.

    Raises:
        InvalidInput: the tokenizer in the file is not accepted.
        StorageFailed: the disk refused it.
    """
    named = config.get("tokenizer")
    if not isinstance(named, str) or not re.fullmatch(r"[0-9a-f]{64}", named) or bytes_path(named).is_file():
        return
    found = load_tensors(read(), only=(TENSOR,))
    if TENSOR in found:
        keep_tokenizer(found[TENSOR].tobytes())
