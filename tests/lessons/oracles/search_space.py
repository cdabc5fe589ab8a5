"""By going through the subnets one by one."""

from __future__ import annotations

from core.lessons.search_space import Space


def truth(evidence: Space, controls: object) -> float:
    """Every subnet with every way to build one more layer like the last."""
    last: dict[str, int] = {}
    for kind, options in zip(evidence.kinds, evidence.options, strict=True):
        last[kind] = len(options)
    grown = [(row,) for row in evidence.rows]
    for n in last.values():
        grown = [(*row, str(option)) for row in grown for option in range(n)]
    return float(len(set(grown)))


def middle_budget(macs: tuple[float, ...]) -> float:
    """The median to two digits; of the three quarters where they differ, the one in the middle."""
    ordered = sorted(macs)

    def quantile(q: float) -> float:
        at = q * (len(ordered) - 1)
        low = int(at)
        high = min(low + 1, len(ordered) - 1)
        return ordered[low] + (ordered[high] - ordered[low]) * (at - low)

    rounded = sorted({float(f"{quantile(q):.2g}") for q in (0.25, 0.5, 0.75)})
    return rounded[len(rounded) // 2]


def answer(evidence: Space, controls: object) -> float:
    widths = [i for i, kind in enumerate(evidence.kinds) if kind == "width"]
    place = 0 if not widths else widths[0] if len(widths) == 1 else widths[1]
    kept = evidence.options[place][len(evidence.options[place]) // 2 :]
    budget, left = middle_budget(evidence.macs), 0
    for row, macs in zip(evidence.rows, evidence.macs, strict=True):
        option = evidence.options[place]["0123456789abcdefghijklmnopqrstuvwxyz".index(row[place])]
        if option in kept and macs < budget:
            left += 1
    return float(left)
