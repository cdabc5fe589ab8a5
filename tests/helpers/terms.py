"""Texts of pages as a person reads them: without the links of terms to the Words page."""

from __future__ import annotations

import re


def unlinked(text: str) -> str:
    """Markdown or HTML without links to entries of the Words page."""
    plain = re.sub(r'\[([^\]]*)\]\(words#[^")]*"[^"]*"\)', r"\1", text)
    return re.sub(r'<a class="ps-term"[^>]*>([^<]*)</a>', r"\1", plain)
