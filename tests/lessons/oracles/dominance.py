"""By definition: every pair is compared."""

from __future__ import annotations

from core.lessons.dominance import Trade


def on_front(evidence: Trade, rows: range | tuple[int, ...]) -> list[int]:
    def dominates(i: int, j: int) -> bool:
        ax, ay, bx, by = evidence.x[i], evidence.y[i], evidence.x[j], evidence.y[j]
        return ax <= bx and ay >= by and (ax < bx or ay > by)

    return [j for j in rows if not any(dominates(i, j) for i in rows)]


def truth(evidence: Trade, controls: object) -> frozenset[str]:
    return frozenset(evidence.arch_ids[i] for i in on_front(evidence, evidence.drawn))


def answer(evidence: Trade, controls: object) -> float:
    return len(on_front(evidence, range(len(evidence.x))))
