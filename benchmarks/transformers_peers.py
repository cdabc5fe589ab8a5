"""Transformers' own package in an environment of its own, for `make test-peers` and tests/peers.

    python benchmarks/transformers_peers.py [FOLDER]    # builds the environment, where it is missing; saves references

Installed from PyPI beside the torch, NumPy and tokenizers of the environment this runs in (the same builds on both
sides, so that differences are the networks'); nothing is downloaded there but the package. `run` lets
`transformers_peers_worker.py` work there: `save` writes networks with random weights and what they answer, `answer`
loads a folder that we wrote.
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.peer_environment import PeerEnvironment

PACKAGE = "transformers==5.24.0"
TEXTS = 1_000
_WORKER = Path(__file__).with_name("transformers_peers_worker.py")
_ROOT = Path(__file__).resolve().parents[1]
_MOST_SECONDS = 1200
_ODD = (
    "",
    " ",
    "\n\n\t ",
    "don't won't I'll he'd they're we've it's",
    "Ünïcödé àccents: façade, naïve, Straße, İstanbul, ﬁne",
    "e\u0301 as two characters, e\u0301e\u0301",
    "中文和日本語、한국어 mixed with English",
    "emoji 😀👩‍👩‍👧‍👦🇩🇪 and ‮ marks \u200b\ufeff",
    "[CLS] a [MASK] b [SEP] <s> c </s> <unk> <|endoftext|> [UNK] [PAD]",
    "0 12 345 6789 1234567890 3.14159 1,000,000 0x1F -7e-3",
    "control\x00\x01\x7f\x85 characters\r\nand\u2028lines",
    "  leading and trailing   ",
    "a" * 150,
    "supercalifragilisticexpialidocious pneumonoultramicroscopicsilicovolcanoconiosis",
    "▁already ▁▁ marked Ġwords Ċ",
    "x = [i**2 for i in range(10)] # {'a': \"b\"} \\n <html>&amp;</html>",
    "ÀÉÎÕÜ ΑΒΓ абв ІЇ ðþ \u0130\u0131",
    "²³¼½ ①② ℌ ﷽ \U0001d400\U0001d401",
)


# torch is named although it is there: nothing may put another build of it in its place.
_TORCH = next(line for line in (_ROOT / "requirements.txt").read_text().splitlines() if "torch==" in line)
_THERE = PeerEnvironment("transformers", (PACKAGE, _TORCH))
python, build = _THERE.python, _THERE.build


def texts(n: int = TEXTS) -> list[str]:
    """Lines of this project's own documents, spoiled ones among them, and odd ones; the same ones every time."""
    lines = [
        line.strip("\n")
        for path in (_ROOT / "README.md", _ROOT / "LICENSE", *sorted((_ROOT / "core").glob("*.py")))
        if path.is_file()
        for line in path.read_text(encoding="utf-8").splitlines()
        if line.strip()
    ]
    rng = random.Random(0)
    found = list(_ODD)
    while len(found) < n:
        line = rng.choice(lines)
        if rng.random() < 0.3:
            at, odd = rng.randrange(len(line) + 1), rng.choice(_ODD)
            line = line[:at] + odd[: rng.randrange(len(odd) + 1)] + line[at:]
        found.append(line)
    return found[:n]


def run(command: str, folder: Path, *arguments: str) -> None:
    """Let the worker work in a folder; texts to split lie there as texts.json.

    Raises:
        RuntimeError: it failed; its output is in the message.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "texts.json").write_text(json.dumps(texts()))
    _THERE.run(_WORKER, [command, str(folder), *arguments], seconds=_MOST_SECONDS)


if __name__ == "__main__":
    print(build())
    for each in sys.argv[1:]:
        run("save", Path(each))
