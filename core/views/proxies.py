"""Zero-cost proxies against what was measured: rank correlations with intervals, beside the baselines."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from core.chance.rank_intervals import kendall_interval
from core.library.csv_tables import csv_bytes
from core.library.proxies import ProxiesRecord
from core.objectives.base import objective
from core.predictors.base import PREDICTORS
from core.proxies.base import PROXIES
from core.rank_correlation import kendall, spearman
from core.records import Source
from core.spaces import SearchSpace
from core.words import format_count, within_sentence

DRAWS = 1000


@dataclass(frozen=True)
class ProxyRow:
    """One proxy, one baseline, or what a predictor learned from the layers of a proxy.

    Attributes:
        name, label: what it is.
        kind: "proxy", "baseline" or "learned".
        tau: Kendall's tau-b with what was measured, so that larger scores go with better values; None without an order.
        low, high: 95 % interval, subnets drawn anew.
        spearman: the other rank correlation.
        n: subnets with a score.
        last: of them, those that were put last for want of a number.
        refused: why there is nothing, "" if there is.
    """

    name: str
    label: str
    kind: str
    tau: float | None = None
    low: float = math.nan
    high: float = math.nan
    spearman: float | None = None
    n: int = 0
    last: int = 0
    refused: str = ""


def rows(record: ProxiesRecord) -> list[ProxyRow]:
    """Everything scored so far, the strongest correlation first, then what was refused."""
    done = [row for row in record.rows if row.scores]
    sign = 1.0 if objective(record.objective).maximize else -1.0
    measured = sign * np.array([row.measured for row in done])
    found = []
    for name in dict.fromkeys(name for row in done for name in row.scores):
        scores = [row.scores.get(name) for row in done]
        kind = "baseline" if PROXIES.get(name).baseline else "proxy"
        values = np.array([-np.inf if s is None else s for s in scores])
        last = sum(s is None for s in scores)
        found.append(
            _row(name, PROXIES.info(name).label, kind, values, measured, last=last, seed=record.seed)
        )
    if record.guesses:
        label = f"{PREDICTORS.info(record.learned).label} ({PROXIES.info(record.by_layer).label} by layer)"
        guesses = sign * np.array(record.guesses)
        found.append(_row(record.learned, label, "learned", guesses, measured, seed=record.seed))
    refused = [
        ProxyRow(name, PROXIES.info(name).label, "proxy", refused=why) for name, why in record.refused.items()
    ]
    return sorted(found, key=lambda row: -(row.tau if row.tau is not None else -2.0)) + refused


def _row(
    name: str, label: str, kind: str, scores: np.ndarray, measured: np.ndarray, *, last: int = 0, seed: int
) -> ProxyRow:
    low, high = kendall_interval(scores, measured, draws=DRAWS, seed=seed)
    ranks = np.unique(scores, return_inverse=True)[1]
    tau = kendall(ranks, measured)
    return ProxyRow(
        name,
        label,
        kind,
        tau=tau,
        low=low,
        high=high,
        spearman=spearman(ranks, measured),
        n=len(scores),
        last=last,
    )


def sentence(found: Sequence[ProxyRow]) -> str:
    """Whether any proxy does better than counting, by intervals: what overlaps is a tie."""
    baselines = [row for row in found if row.kind == "baseline" and row.tau is not None]
    proxies = [row for row in found if row.kind == "proxy" and row.tau is not None]
    if not baselines or not proxies:
        return ""
    best = max(baselines, key=lambda row: row.tau or 0.0)
    above = [row.label for row in proxies if row.low > best.high]
    below = [row.label for row in proxies if row.high < best.low]
    said = f"The better baseline is {best.label} with τ {best.tau:.2f}."
    if above:
        said += f" Clearly above it: {', '.join(above)}."
    else:
        said += " No proxy is clearly above it: just counting orders these subnets as well or better."
    if below:
        said += f" Clearly below it: {', '.join(below)}."
    return said


def how_measured(record: ProxiesRecord) -> str:
    """What the numbers are of."""
    done = sum(bool(row.scores) for row in record.rows)
    weights = (
        f"untrained networks (weights drawn anew, seed {record.seed})"
        if record.weights == "fresh"
        else "subnets with the supernet's weights"
    )
    learned = (
        f" The mixer was fitted to the other folds of {record.folds}; it has seen measured accuracies, the proxies have not."
        if record.guesses
        else ""
    )
    return (
        f"{format_count(done)} random subnets, scored as {weights} on {format_count(record.samples)} training samples, against "
        f"{within_sentence(objective(record.objective).label)} ({record.source}). τ: Kendall's tau-b, with a 95 % interval "
        f"({format_count(DRAWS)} resamples of the subnets).{learned} At this scale correlations are weak and may be "
        "turned around; a proxy stands on no front."
    )


def table(found: Sequence[ProxyRow]) -> list[dict[str, str]]:
    """Cells for people."""
    return [
        {
            "Score": row.label,
            "Kind": row.kind,
            "Kendall's τ": "none"
            if row.tau is None
            else f"{row.tau:+.2f} ({row.low:+.2f} to {row.high:+.2f})",
            "Spearman's ρ": "none" if row.spearman is None else f"{row.spearman:+.2f}",
            "Notes": row.refused
            or (f"{row.last} of {row.n} subnets say nothing of their input" if row.last else ""),
        }
        for row in found
    ]


def csv(record: ProxiesRecord, space: SearchSpace) -> bytes:
    """A row per subnet: architecture, what was measured, every score, and how each was obtained."""
    names = list(dict.fromkeys(name for row in record.rows for name in row.scores))
    lines = []
    for index, row in enumerate(record.rows):
        if not row.scores:
            continue
        line: dict[str, object] = {
            "architecture": json.dumps(space.to_dict(space.from_id(row.arch_id))),
            record.objective: row.measured,
        }
        scores = {name: row.scores.get(name) for name in names}
        line |= {f"proxy_{name}": -math.inf if s is None else s for name, s in scores.items()}
        if record.guesses:
            line[f"predicted_{record.learned}"] = record.guesses[index]
        line["source"] = f"{record.source}: {record.objective}; {_sources(names)}"
        lines.append(line)
    return csv_bytes(lines)


def _sources(names: Sequence[str]) -> str:
    """What was counted, and what is a proxy."""
    counts = [name for name in names if PROXIES.get(name).baseline]
    guesses = [name for name in names if name not in counts]
    return f"{Source.COUNTED}: {', '.join(counts)}; {Source.PROXY}: {', '.join(guesses)}"


def correlations_csv(record: ProxiesRecord) -> bytes:
    """A row per proxy with its rank correlations."""
    return csv_bytes(
        [
            {
                "score": row.name,
                "kind": row.kind,
                "kendall_tau": math.nan if row.tau is None else row.tau,
                "tau_low": row.low,
                "tau_high": row.high,
                "spearman": math.nan if row.spearman is None else row.spearman,
                "subnets": row.n,
                "without_number": row.last,
                "refused": row.refused,
            }
            for row in rows(record)
        ]
    )
