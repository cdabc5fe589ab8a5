"""Makes `assets/texts/tokenizer.json`: byte pairs learned from the license texts. `python -m core.datasets.tokenizer_training`.

Source: Sennrich et al., ACL 2016; Radford et al., GPT-2, 2019.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from core.datasets.license_texts import license_texts
from core.datasets.tokenizing import END, PAD, Tokenizing

TOKENS = 512


def learned(texts: list[str], tokens: int = TOKENS) -> Tokenizing:
    """Byte pairs, the most frequent ones of some texts first.

    Args:
        texts: to learn from.
        tokens: how many there will be, bytes and two special ones included.
    """
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=tokens, special_tokens=[PAD, END], initial_alphabet=alphabet, show_progress=False
    )
    made.train_from_iterator(texts, trainer)
    model = json.loads(made.to_str())["model"]
    in_order = dict(sorted(model["vocab"].items(), key=lambda pair: pair[1]))
    return Tokenizing.of_byte_pairs(in_order, [(left, right) for left, right in model["merges"]])


if __name__ == "__main__":
    Path(sys.argv[1]).write_bytes(learned(list(license_texts().values())).json())
