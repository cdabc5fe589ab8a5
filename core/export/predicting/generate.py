"""Let this subnet continue a text. Needs torch, numpy, safetensors and tokenizers.

    python generate.py "Once upon"            the text, and what the subnet writes after it
    python generate.py prompt.txt -n 200      continues a file
    python generate.py "Once" --json          one JSON line: prompt, text, tokens

Keys and values of past tokens are kept. The same seed and settings give the same text as in the app it comes from; on
another machine the last bits of a sum may differ, and with them, seldom, a token.
The other files of the download lie beside this one.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch

from core.export.predicting.common import fail, load_subnet
from core.export.predicting.texts import load_tokenizer, read_text
from core.networks.continuing import continued
from core.seeding import torch_seed

MOST_NEW = 4096


def settings(arguments: list[str] | None) -> argparse.Namespace:
    """What is to be written, within bounds."""
    parser = argparse.ArgumentParser(description="Let this subnet continue a text.")
    parser.add_argument("prompt", help="the text, or a .txt file that holds it")
    parser.add_argument("-n", "--tokens", type=int, default=64, help="how many tokens to write")
    parser.add_argument(
        "--temperature", type=float, default=0.8, help="0 takes the likeliest token each time"
    )
    parser.add_argument("--top-k", type=int, default=0, help="draw among so many of the likeliest; 0: all")
    parser.add_argument("--seed", type=int, default=0, help="of the draws")
    parser.add_argument("--json", action="store_true", help="print one JSON line")
    options = parser.parse_args(arguments)
    if not 1 <= options.tokens <= MOST_NEW:
        fail(f"ask for 1 to {MOST_NEW:,} tokens.")
    if not 0 <= options.temperature <= 100:
        fail("the temperature is a number from 0 to 100.")
    if options.top_k < 0:
        fail("draw among one or more of the likeliest tokens, or 0 for all.")
    return options


def main(arguments: list[str] | None = None) -> None:
    options = settings(arguments)
    prompt = read_text(Path(options.prompt)) if options.prompt.endswith(".txt") else options.prompt
    tokenizer = load_tokenizer()
    start = tokenizer.encode(prompt, add_special_tokens=False).ids
    if not start:
        fail("the tokenizer finds nothing in this text; write a few words.")
    net = load_subnet()
    generator = torch.Generator().manual_seed(torch_seed(options.seed, "generate"))
    written: list[int] = list(
        continued(net, start, options.tokens, options.temperature, options.top_k, generator)
    )
    before, after = (tokenizer.decode(ids, skip_special_tokens=False) for ids in (start, written))
    if options.json:
        print(json.dumps({"prompt": before, "text": after, "tokens": written}))
    else:
        print(before + after)


if __name__ == "__main__":
    main()
