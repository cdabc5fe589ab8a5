"""What every objective means."""

from __future__ import annotations

from core.objectives.base import all_names, objectives


def meanings() -> list[dict[str, str]]:
    return [{"name": each.label, "meaning": each.summary} for each in objectives(all_names())]
