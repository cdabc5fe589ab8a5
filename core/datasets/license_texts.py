"""The built-in texts: licenses that everyone may copy, frozen in `assets/texts`."""

from __future__ import annotations

from core.settings import ASSETS


def license_texts() -> dict[str, str]:
    """Name of a license -> its text, in alphabetical order."""
    return {path.stem: path.read_text(encoding="utf-8") for path in sorted((ASSETS / "texts").glob("*.txt"))}
