"""Zero-cost proxies against what was measured: rank correlations with intervals, beside the baselines."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from core.chance.rank_intervals import middle, resampled_kendall
from core.library.csv_tables import csv_bytes
from core.library.proxies import ProxiesRecord
from core.objectives.base import objective
from core.predictors.base import PREDICTORS
from core.proxies.base import PROXIES
from core.rank_correlation import kendall, spearman
from core.records import Source
from core.spaces import SearchSpace
from core.words import MINUS, format_count, within_sentence

DRAWS = 1000


@dataclass(frozen=True)
class ProxyRow:
    """One proxy, one baseline, or what a predictor learned from the layers of a proxy.

    Attributes:
        name, label: what it is.
        kind: "proxy", "baseline" or "learned".
        tau: Kendall's tau-b with what was measured, so that larger scores go with better values; None without an order.
        low, high: 95 % interval, subnets drawn anew.
        gain: 95 % interval of how much more τ it has than the better baseline, on the same subnets drawn anew.
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
    gain: tuple[float, float] = (math.nan, math.nan)
    spearman: float | None = None
    n: int = 0
    last: int = 0
    refused: str = ""


def rows(record: ProxiesRecord) -> list[ProxyRow]:
    """Everything scored so far, the strongest correlation first, then what was refused."""
    done = [row for row in record.rows if row.scores]
    sign = 1.0 if objective(record.objective).maximize else -1.0
    measured = sign * np.array([row.measured for row in done])
    scores = {
        name: np.array([-np.inf if (s := row.scores.get(name)) is None else s for row in done])
        for name in dict.fromkeys(name for row in done for name in row.scores)
    }
    if record.guesses:
        scores[record.learned] = sign * np.array(record.guesses)
    # Equal seeds draw equal subnets, so differences are paired.
    draws = {n: resampled_kendall(s, measured, draws=DRAWS, seed=record.seed) for n, s in scores.items()}
    found = [_row(record, name, values, measured, draws[name]) for name, values in scores.items()]
    baselines = [row for row in found if row.kind == "baseline" and row.tau is not None]
    if baselines:
        best = max(baselines, key=lambda row: row.tau or 0.0).name
        found = [replace(row, gain=middle(draws[row.name] - draws[best])) for row in found]
    refused = [
        ProxyRow(name, PROXIES.info(name).label, "proxy", refused=why) for name, why in record.refused.items()
    ]
    return sorted(found, key=lambda row: -(row.tau if row.tau is not None else -2.0)) + refused


def _row(
    record: ProxiesRecord,
    name: str,
    scores: NDArray[np.float64],
    measured: NDArray[np.float64],
    draws: NDArray[np.float64],
) -> ProxyRow:
    if name == record.learned:
        kind = "learned"
        label = f"{PREDICTORS.info(name).label} ({PROXIES.info(record.by_layer).label} by layer)"
    else:
        kind = "baseline" if PROXIES.get(name).baseline else "proxy"
        label = PROXIES.info(name).label
    low, high = middle(draws)
    # Ranks of infinities can be subtracted.
    ranks = np.unique(scores, return_inverse=True)[1].reshape(-1)
    return ProxyRow(
        name,
        label,
        kind,
        tau=kendall(ranks, measured),
        low=low,
        high=high,
        spearman=spearman(ranks, measured),
        n=len(scores),
        last=int(np.isneginf(scores).sum()),
    )


def sentence(found: Sequence[ProxyRow]) -> str:
    """Whether any proxy does better than counting: by differences on the same resamples; what is not clear is a tie."""
    baselines = [row for row in found if row.kind == "baseline" and row.tau is not None]
    proxies = [row for row in found if row.kind == "proxy" and row.tau is not None]
    if not baselines or not proxies:
        return ""
    best = max(baselines, key=lambda row: row.tau or 0.0)
    above = [row.label for row in proxies if row.gain[0] > 0]
    below = [row.label for row in proxies if row.gain[1] < 0]
    ties = [row.label for row in proxies if row.label not in (*above, *below)]
    parts = [f"The better baseline is {best.label} with τ {best.tau:.2f}."]
    parts.append(f"Clearly above it: {', '.join(above)}." if above else "No proxy is clearly above it.")
    parts += [f"Ties with it: {', '.join(ties)}."] if ties else []
    parts += [f"Clearly below it: {', '.join(below)}."] if below else []
    return " ".join(parts)


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
        f"({format_count(DRAWS)} resamples of the subnets); clearly above or below: the difference on the same resamples is.{learned} How they turn out, signs included, hangs on the "
        "space, the data and the training; a proxy stands on no front."
    )


def table(found: Sequence[ProxyRow]) -> list[dict[str, str]]:
    """Cells for people; notes only where there are any."""
    told = [
        {
            "Score": row.label,
            "Kind": row.kind,
            "Kendall's τ": "none"
            if row.tau is None
            else f"{_signed(row.tau)} ({_signed(row.low)} to {_signed(row.high)})",
            "Spearman's ρ": "none" if row.spearman is None else _signed(row.spearman),
            "Notes": row.refused
            or (f"{row.last} of {row.n} subnets say nothing of their input" if row.last else ""),
        }
        for row in found
    ]
    noted = any(cells["Notes"] for cells in told)
    return [{name: cell for name, cell in cells.items() if noted or name != "Notes"} for cells in told]


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", MINUS)


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
                "gain_low": row.gain[0],
                "gain_high": row.gain[1],
                "spearman": math.nan if row.spearman is None else row.spearman,
                "subnets": row.n,
                "without_number": row.last,
                "refused": row.refused,
            }
            for row in rows(record)
        ]
    )
