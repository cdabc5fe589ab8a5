"""The ranking check as tables, files and the sentence below them."""

from __future__ import annotations

import json
import math

from core.config import JsonObject, Settings
from core.library.csv_tables import csv_bytes
from core.library.ranking import FEWEST
from core.library.ranking_check import RankingRecord
from core.spaces import SearchSpace
from core.views.ranking import NEAR_RULE, RankingCheck, Tau, interval, signed
from core.words import count_of, format_count, format_seconds


def taus(check: RankingCheck) -> list[dict[str, str]]:
    """The rank correlations as cells for people; few subnets have a tau and no interval worth the name."""
    rows: list[tuple[str, Tau | None]] = [
        ("supernet against alone", check.tau),
        ("near the front", check.near),
        ("ceiling: one training alone", check.ceiling),
        ("supernet, judged alike", check.judge),
    ]
    return [
        {
            "order": what,
            "Kendall's τ": signed(tau.value),
            "95 %": interval(tau.low, tau.high) if tau.n >= FEWEST else "too few to say",
            "n": format_count(tau.n),
        }
        for what, tau in rows
        if tau is not None
    ]


def regret_rows(check: RankingCheck) -> list[dict[str, str]]:
    """What believing the supernet costs, as cells for people; in points of test accuracy."""
    return [
        {
            "among": f"{each.of} (n = {each.n})",
            "its pick": each.pick,
            "best alone": each.best,
            "regret": _number(each.regret),
            "of one training": _number(each.one_training),
            "of chance": _number(each.random),
        }
        for each in check.regrets
    ]


WHAT = (
    "Ceiling: one training alone judges the others, by validation against test accuracy; the supernet is judged alike below it. "
    "Regret, in points: how much worse the supernet's pick is, trained alone, than the best; beside it that of a pick by one "
    "training alone, and that of a random one. The best of noisy means is taken, so even a perfect judge has some."
)
"""What the tables say."""


def how_checked(record: RankingRecord, check: RankingCheck) -> str:
    """What the numbers are of."""
    seeds = ", ".join(map(str, record.seeds))
    alone = (
        f"the published accuracies are {record.truth}; they may be of other data than this supernet's"
        if record.truth
        else f"{format_count(check.nets)} of {count_of(check.nets_asked, 'network')} trained alone, seeds {seeds} "
        f"(n = {len(record.seeds)}){_schedule(record)}{_seconds(record)}"
    )
    noise = (
        f" Seeds of one architecture differ by {_points(check.noise)} (standard deviation)."
        if (math.isfinite(check.noise))
        else ""
    )
    return (
        f"{record.chosen[:1].upper()}{record.chosen[1:]}; {alone}. Near the front: {NEAR_RULE} ({check.near.n} of {len(check.points)}; "
        f"the front is of {record.front_of}). Supernet: validation accuracy; alone: test accuracy, mean over seeds.{noise}"
    )


def _schedule(record: RankingRecord) -> str:
    if record.training is None:
        return ""
    told = record.training.model_dump()
    as_it = "as the supernet" if record.training_from_card else "by the usual settings"
    return f", {told.get('epochs')} epochs at learning rate {float(told.get('learning_rate', math.nan)):g}, otherwise {as_it}"


def _seconds(record: RankingRecord) -> str:
    here = [net.seconds for net in record.nets if not net.run]
    before = len(record.nets) - len(here)
    took = f", {format_seconds(sum(here))} of training" if here else ""
    return f"{took}, {format_count(before)} there already" if before else took


def _points(value: float) -> str:
    return f"{100 * value:.1f} points"


def _number(value: float) -> str:
    return f"{100 * value:.1f}" if math.isfinite(value) else "not known"


def csv(record: RankingRecord, space: SearchSpace, check: RankingCheck) -> bytes:
    """A row per subnet in order of cost: in the supernet, alone as a mean and by seed, cost, and how obtained."""
    lines = []
    for point in check.points:
        line: dict[str, object] = {
            "architecture": json.dumps(space.to_dict(space.from_id(point.arch_id))),
            "accuracy": point.inside,
            "test_accuracy": point.inside_test,
            "alone_test_accuracy": point.alone.mean,
            "seeds": point.alone.n,
        }
        for seed, value in zip(record.seeds, point.seeds, strict=True):
            line[f"alone_test_accuracy_{seed}"] = value
        line |= {record.cost: point.cost, "below_front": point.gap, "near_front": point.near}
        line["source"] = (
            f"trained: alone_test_accuracy ({record.truth or 'here'}); measured: accuracy, test_accuracy"
        )
        lines.append(line)
    return csv_bytes(lines)


def summary(record: RankingRecord, check: RankingCheck) -> JsonObject:
    """The check as JSON-able numbers, for a terminal."""

    def told(tau: Tau | None) -> Settings | None:
        if tau is None:
            return None
        return {"tau": tau.value, "low": _plain(tau.low), "high": _plain(tau.high), "n": tau.n}

    return {
        "supernet": record.supernet,
        "verdict": check.verdict.kind,
        "sentence": check.verdict.sentence,
        "kendall_tau": told(check.tau),
        "near_front": told(check.near),
        "ceiling": told(check.ceiling),
        "supernet_as_judge": told(check.judge),
        "difference": [_plain(end) for end in check.apart],
        "regret": [
            {
                "among": each.of,
                "n": each.n,
                "regret": each.regret,
                "one_training": _plain(each.one_training),
                "random": each.random,
            }
            for each in check.regrets
        ],
        "subnets": len(check.points),
        "seeds": list(record.seeds),
        "networks": check.nets,
    }


def _plain(value: float) -> float | None:
    return value if math.isfinite(value) else None
