"""A tokenizer.json beside what transformers wants to know of it: its class, and which tokens are special."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.config import Settings

_ROLES: Mapping[str, tuple[str, ...]] = {
    "bos": ("<s>", "<|begin_of_text|>", "<bos>", "<|endoftext|>"),
    "eos": ("</s>", "<|end_of_text|>", "<eos>", "<|endoftext|>"),
    "unk": ("<unk>", "[UNK]", "<|endoftext|>"),
    "pad": ("<pad>", "[PAD]"),
    "cls": ("[CLS]",),
    "sep": ("[SEP]",),
    "mask": ("[MASK]",),
}
"""What a special token is for -> how it is usually written."""


@dataclass(frozen=True)
class TokenizerFiles:
    """Files of a tokenizer, and what config.json says of its special tokens."""

    files: Mapping[str, bytes]
    config: Settings


def tokenizer_files(written: bytes) -> TokenizerFiles:
    """tokenizer.json as it is, tokenizer_config.json, generation_config.json, and numbers of first, last and padding."""
    content = json.loads(written)
    special = {
        each["content"]: int(each["id"])
        for each in content.get("added_tokens") or ()
        if isinstance(each, dict) and each.get("special")
    }
    roles = {
        role: next(token for token in usual if token in special)
        for role, usual in _ROLES.items()
        if any(token in special for token in usual)
    }
    about: dict[str, Any] = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "clean_up_tokenization_spaces": False,
        **{f"{role}_token": token for role, token in roles.items()},
    }
    # Said even where there is none: a class's own numbers would stand for other tokens here.
    ends: Settings = {f"{role}_token_id": special.get(roles.get(role, "")) for role in ("bos", "eos", "pad")}
    files = {
        "tokenizer.json": written,
        "tokenizer_config.json": (json.dumps(about, indent=2, ensure_ascii=False) + "\n").encode(),
    }
    return TokenizerFiles(files, ends)
