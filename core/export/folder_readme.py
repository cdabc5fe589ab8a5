"""The README.md of a folder of transformers: what it is, how it is loaded, and what was padded."""

from __future__ import annotations

from core.export.card import card_body
from core.export.subnet import ExtractedSubnet
from core.supernets.folders.writing.written import Written


def readme(subnet: ExtractedSubnet, written: Written) -> str:
    """The text of README.md."""
    prepares = written.prepares or ("AutoTokenizer" if subnet.tokenizer else "")
    classes = ", ".join([each for each in (prepares, written.loader) if each])
    lines = [
        "---",
        "library_name: transformers",
        "---",
        "",
        card_body(subnet).rstrip(),
        "",
        f"## A folder of {written.label} for transformers",
        "",
        f"The class `{written.class_name}`, in release 5. Layers that the subnet skips are not there.",
        "",
        "```python",
        f"from transformers import {classes}",
        "",
        *([f'prepare = {prepares}.from_pretrained(".")'] if prepares else []),
        f'model = {written.loader}.from_pretrained(".").eval()',
        "```",
        "",
        "## Sizes",
        "",
        *([f"- {sentence}" for sentence in written.padding] or ["Every size is the subnet's own."]),
        "",
        "Before this was handed out it was read back, and gave the subnet's outputs (to 1e-4 of the largest one).",
    ]
    return "\n".join(lines) + "\n"
