"""The texts that travel with a subnet: `card.md` for people, `architecture.json` for programs."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping

from torch import Tensor

from core.export.subnet import CardEntry, ExtractedSubnet
from core.networks.trees import leaves
from core.records import Source
from core.tasks.registry import TASKS

FORMAT = 1

_HOW_TO_RUN = """\
## Run it

    pip install torch numpy safetensors{more}
{usage}

In Python: `from model import load; net = load()`. {takes} Nothing here needs Paretoscope.

With onnxruntime (`pip install onnxruntime numpy`), without torch:

```python
{onnx}
```

The file's metadata hold the class names, the shape and range of the input, and the SHA-256 of the weights.

## Files

- `model.safetensors`: the weights
- `model.py`: plain torch code that builds exactly this network
- `model.onnx`: the same network with its weights, for onnxruntime; {inputs}, output `logits`.{cache}
- `predict.py`: runs it on files
{beside}- `architecture.json`: this card for programs, with the SHA-256 of the other files

## Checks made before this file was handed out

The weights were read back and equal the extracted subnet's bit for bit. `model.py` was read back
and builds a network with the same outputs (to 1e-5). `model.onnx` was run by onnxruntime and agreed
to 1e-4; both as shares of the largest output.
"""


_TEXT_USAGE = (
    'python predict.py "some text"      # the classes with their probabilities; also a .txt, .csv or .tsv file',
)
_WRITING = (
    'python generate.py "some text" -n 64 --temperature 0.8 --seed 0   # what it writes after a text',
)
_TOKENIZER = "- `tokenizer.json`: what splits texts, for the tokenizers library"
_GENERATE = "- `generate.py`: lets it write; keys and values of past tokens are kept; the same seed gives the app's text"
_NO_CACHE = (
    " It reads whole windows: the cache of keys and values, with which `generate.py` writes, is not in it."
)


def card_text(subnet: ExtractedSubnet) -> str:
    """`card.md`: what this network is, how good, how that is known, whose data it saw, and how it is run."""
    task = TASKS.create(subnet.task)
    writes = subnet.tokenizer and task.per_position
    usage = [*task.usage, *(_TEXT_USAGE if subnet.tokenizer and not writes else _WRITING if writes else ())]
    files = [_TOKENIZER] * bool(subnet.tokenizer) + [_GENERATE] * bool(writes)
    how = _HOW_TO_RUN.format(
        more=" tokenizers" if subnet.tokenizer else "",
        beside="".join(f"{line}\n" for line in files),
        cache=_NO_CACHE if task.per_position else "",
        usage="\n".join(f"    {line}" for line in usage),
        takes=task.takes,
        inputs=f"input{'s' * (len(task.inputs) > 1)} {', '.join(f'`{name}`' for name in task.inputs)}",
        onnx=onnx_lines(subnet),
    )
    return card_body(subnet) + how


def card_body(subnet: ExtractedSubnet) -> str:
    """What every card says, whatever files lie beside it."""
    pruned = "pruned " if subnet.history else ""
    lines = [f"# A {pruned}subnet of {_plain(subnet.supernet)}", ""]
    lines += [_plain(subnet.history), ""] if subnet.history else []
    lines += [f"Family `{subnet.family}`, architecture `{subnet.arch_id}`:", ""]
    lines += ["| choice | option |", "|---|---|"]
    lines += [f"| {_plain(choice)} | {_plain(str(option))} |" for choice, option in subnet.arch.items()]
    lines += ["", "## Numbers", "", "| what | value | how | |", "|---|---|---|---|"]
    lines += [f"| {e.label} | {_value(e)} | {e.how} | {_plain(e.detail)} |" for e in subnet.card.values()]
    task = TASKS.create(subnet.task)
    lines += [
        "",
        f"BatchNorm statistics, where it has any, were recalibrated for this subnet on training {task.samples}.",
        f"Searches look at validation {task.samples} only, so the test accuracy was not chosen for.",
        "",
        "## Data",
        "",
        f"{_plain(subnet.data['title'])}. {_plain(subnet.data['source'])}. Licence: {_plain(subnet.data['licence'])}.",
        "These terms may also bind what is trained on the data.",
        "",
        f"Input: {task.describe_input(subnet.input_shape)}.",
        _answers(subnet),
        "",
    ]
    return "\n".join(lines) + "\n"


def _answers(subnet: ExtractedSubnet) -> str:
    if TASKS.create(subnet.task).per_position:
        return f"Answers: at each position that is asked for, one number for each of {len(subnet.classes):,} tokens."
    return f"Classes: {', '.join(_plain(name) for name in subnet.classes)}."


def onnx_lines(subnet: ExtractedSubnet) -> str:
    """Six lines that run model.onnx on a sample of zeros and name its class; a test runs them."""
    given = zip(subnet.input_names, leaves(subnet.probe(1)), strict=True)
    fed = ", ".join(f'"{name}": {_blank(leaf)}' for name, leaf in given)
    # Where a network answers at several positions, the first of them.
    first = "[0, 0]" if TASKS.create(subnet.task).per_position else "[0]"
    return "\n".join(
        [
            "import json",
            "import numpy as np",
            "import onnxruntime",
            'session = onnxruntime.InferenceSession("model.onnx")',
            f'logits = session.run(["logits"], {{{fed}}})[0]  # put your own arrays here',
            'print(json.loads(session.get_modelmeta().custom_metadata_map["classes"])'
            f"[logits{first}.argmax()])",
        ]
    )


def _blank(leaf: Tensor) -> str:
    """An array of this shape and type, as code; a mask lets everything count."""
    kind = str(leaf.dtype).removeprefix("torch.")
    return f"np.{'ones' if kind == 'bool' else 'zeros'}({tuple(leaf.shape)}, np.{'bool_' if kind == 'bool' else kind})"


def manifest(subnet: ExtractedSubnet, files: Mapping[str, bytes]) -> str:
    """`architecture.json`: the card for programs, with the hashes of the files beside it."""
    content = {
        "format": FORMAT,
        "supernet": subnet.supernet,
        "family": subnet.family,
        "arch_id": subnet.arch_id,
        "architecture": dict(subnet.arch),
        "task": subnet.task,
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
