"""The texts that travel with a subnet: `card.md` for people, `architecture.json` for programs."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping

from core.export.subnet import CardEntry, ExtractedSubnet
from core.records import Source

FORMAT = 1

_HOW_TO_RUN = """\
## Run it

    pip install torch numpy safetensors
    python predict.py test.npz        # arrays x and y; prints one JSON line: accuracy, correct, n
    python predict.py picture.png     # needs Pillow; --invert for dark strokes on bright paper

In Python: `from model import load; net = load()`. Pixels go in as they are, in [0, 1]: the network
normalizes them itself. Nothing here needs Paretoscope.

## Files

- `model.safetensors`: the weights
- `model.py`: plain torch code that builds exactly this network
- `model.onnx`: the same network with its weights, for onnxruntime; input `image`, output `logits`
- `predict.py`: runs it on arrays or a picture
- `architecture.json`: this card for programs, with the SHA-256 of the other files

## Checks made before this file was handed out

The weights were read back and equal the extracted subnet's bit for bit. `model.py` was read back
and builds a network with the same outputs (to 1e-5). `model.onnx` was run by onnxruntime and agreed
to 1e-4; both as shares of the largest output.
"""


def card_text(subnet: ExtractedSubnet) -> str:
    """`card.md`: what this network is, how good, how that is known, and whose data it saw."""
    pruned = "pruned " if subnet.history else ""
    lines = [f"# A {pruned}subnet of {_plain(subnet.supernet)}", ""]
    lines += [_plain(subnet.history), ""] if subnet.history else []
    lines += [f"Family `{subnet.family}`, architecture `{subnet.arch_id}`:", ""]
    lines += ["| choice | option |", "|---|---|"]
    lines += [f"| {_plain(choice)} | {_plain(str(option))} |" for choice, option in subnet.arch.items()]
    lines += ["", "## Numbers", "", "| what | value | how | |", "|---|---|---|---|"]
    lines += [f"| {e.label} | {_value(e)} | {e.how} | {_plain(e.detail)} |" for e in subnet.card.values()]
    lines += [
        "",
        "BatchNorm statistics were recalibrated for this subnet on training images. Searches look at validation",
        "images only, so the test accuracy was not chosen for.",
        "",
        "## Data",
        "",
        f"{_plain(subnet.data['title'])}. {_plain(subnet.data['source'])}. Licence: {_plain(subnet.data['licence'])}.",
        "These terms may also bind what is trained on the data.",
        "",
        f"Input: ({', '.join(map(str, subnet.input_shape))}), channels, height, width.",
        f"Classes: {', '.join(_plain(name) for name in subnet.classes)}.",
        "",
    ]
    return "\n".join(lines) + "\n" + _HOW_TO_RUN


def manifest(subnet: ExtractedSubnet, files: Mapping[str, bytes]) -> str:
    """`architecture.json`: the card for programs, with the hashes of the files beside it."""
    content = {
        "format": FORMAT,
        "supernet": subnet.supernet,
        "family": subnet.family,
        "arch_id": subnet.arch_id,
        "architecture": dict(subnet.arch),
        "input_shape": list(subnet.input_shape),
        "classes": list(subnet.classes),
        "metrics": {name: entry.to_json() for name, entry in subnet.card.items()},
        "data": dict(subnet.data),
        "history": subnet.history,
        "sha256": {name: hashlib.sha256(data).hexdigest() for name, data in sorted(files.items())},
    }
    return json.dumps(content, indent=2) + "\n"


def _value(entry: CardEntry) -> str:
    if entry.how is Source.COUNTED:
        return f"{entry.value:,}"
    return f"{entry.value:.4f}" if isinstance(entry.value, float) else str(entry.value)


def _plain(text: str) -> str:
    """A name of somebody else's making, so that it cannot act as Markdown or HTML."""
    printable = "".join(c if c.isprintable() else " " for c in text)
    return re.sub(r"([\\`*_\[\]<>|#])", r"\\\1", " ".join(printable.split()))
