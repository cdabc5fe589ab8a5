"""What an exported file is called."""

from __future__ import annotations

import re


def file_name(supernet: str, arch_id: str, suffix: str) -> str:
    """A file name of plain ASCII letters, digits and hyphens: `paretoscope-digits-cnn-0120.zip`."""
    parts = [
        re.sub(r"[^a-z0-9]+", "-", part.lower()).strip("-")[:60].strip("-") for part in (supernet, arch_id)
    ]
    return "-".join(["paretoscope", *(part for part in parts if part)]) + f".{suffix}"
