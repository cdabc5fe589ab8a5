"""What every measure.py does: time by the protocol, stop and go on, write the profile.

A kit's measure.py is this text, that of `device` and that of one runtime, put together by
`core.export.measuring_kit.measure_script`; it runs without this project, on Python 3.9 or newer. The protocol is
that of `core.evaluation.latency.protocol`.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import platform
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from core.export.measuring.device import (
    HERE,
    Answer,
    Kit,
    Line,
    Runtime,
    fail,
    printable,
    process_peak,
    processor,
    seconds_text,
    write_whole,
)

STATE, PROFILE = "measured.json", "profile.json"
RUNS, LEAST_ROUNDS, MOST_ROUNDS, ENOUGH = 4, 6, 400, 0.99
# Between two looks at the agreement: one round for each half.
TOGETHER = 2
ANCHOR_ROUNDS = 6
SAVE_SECONDS = 2.0

# --- the protocol -------------------------------------------------------------------------------


def fastest(answer: Answer, clock: Callable[[], int]) -> float:
    """Milliseconds of the fastest of a few answers, after one that is thrown away."""
    answer()
    best = None
    for _ in range(RUNS):
        start = clock()
        answer()
        took = clock() - start
        best = took if best is None or took < best else best
    return max(best or 0, 1) / 1e6


def one_round(
    answers: Sequence[Answer], number: int, clock: Callable[[], int], tell: Callable[[int], None]
) -> list[float]:
    """Every subnet once, in a new random order: a slow spell of the machine hits all alike.

    Args:
        answers: of the subnets.
        number: of the round, which decides the order.
        clock: nanoseconds.
        tell: called with the number of subnets done.
    """
    found = [0.0] * len(answers)
    for done, which in enumerate(np.random.default_rng(number).permutation(len(answers)).tolist()):
        tell(done)
        found[which] = fastest(answers[which], clock)
    return found


def ranks(values: Any) -> Any:
    """Ranks from 0; equal values share the mean of theirs."""
    _, which, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return (ends - (counts + 1) / 2)[which]


def agreement(rounds: Sequence[Sequence[float]]) -> float:
    """Rank correlation of what the even and the odd rounds found; 0 while there is nothing to compare."""
    if len(rounds) < 2:
        return 0.0
    table = np.array(rounds)
    even, odd = ranks(table[::2].min(axis=0)), ranks(table[1::2].min(axis=0))
    if even.std() == 0 or odd.std() == 0:
        return 0.0
    return float(np.corrcoef(even, odd)[0, 1])


# --- stopping and going on ------------------------------------------------------------------------


@dataclass
class Measured:
    """What was timed so far; kept in measured.json.

    Attributes:
        of: hash of kit and device: what was timed with other settings is not gone on with.
        start: the anchors before everything else, milliseconds; empty before they were timed.
        rounds: milliseconds of every subnet, a list per round.
        seconds: spent on timing.
    """

    of: str
    start: list[float]
    rounds: list[list[float]]
    seconds: float

    @classmethod
    def found(cls, of: str, n: int, anchors: int) -> Measured:
        """What an earlier start left; nothing where there is none, or where it is of something else."""
        fresh = cls(of, [], [], 0.0)
        try:
            told = json.loads((HERE / STATE).read_text(encoding="utf-8"))
            if told["of"] != of:
                return fresh
            kept = cls(of, [float(ms) for ms in told["start"]], told["rounds"], float(told["seconds"]))
            whole = all(len(each) == n and min(each) > 0 for each in kept.rounds)
            return kept if whole and len(kept.start) in (0, anchors) else fresh
        except (OSError, ValueError, KeyError, TypeError):
            return fresh

    def save(self) -> None:
        written = {"of": self.of, "start": self.start, "rounds": self.rounds, "seconds": self.seconds}
        write_whole(STATE, json.dumps(written))


# --- the whole ------------------------------------------------------------------------------------


def measure(kit: Kit, runtime: Runtime, of: str, most_seconds: float) -> tuple[Measured, list[float]]:
    """Time everything, or go on where an earlier start was stopped; (what was timed, the anchors at the end)."""
    n, clock, line, agreed = len(kit.subnets), time.perf_counter_ns, Line(), 0.0
    measured = Measured.found(of, n, len(kit.anchors))
    if measured.rounds:
        print(f"Going on after {len(measured.rounds)} rounds.", file=sys.stderr)
    anchors = [runtime.answers[at] for at in kit.anchors]
    if not measured.start:
        measured.start = anchor_times(anchors, clock)
    saved = began = time.monotonic()
    before = measured.seconds
    try:
        while True:
            rounds = len(measured.rounds)
            spent = before + time.monotonic() - began
            if rounds % TOGETHER == 0:
                agreed = agreement(measured.rounds)
                if finished(rounds, agreed, spent, most_seconds):
                    break
            each = spent / rounds if rounds else 0.0

            def tell(
                done: int,
                rounds: int = rounds,
                each: float = each,
                spent: float = spent,
                agreed: float = agreed,
            ) -> None:
                line.say(progress_text(done / n, rounds, each, spent, agreed, most_seconds))

            measured.rounds.append(one_round(runtime.answers, rounds, clock, tell))
            measured.seconds = before + time.monotonic() - began
            if time.monotonic() - saved > SAVE_SECONDS:
                measured.save()
                saved = time.monotonic()
    except KeyboardInterrupt:
        measured.save()
        print(
            f"\nStopped after {len(measured.rounds)} rounds, which are kept. The same command goes on.",
            file=sys.stderr,
        )
        raise SystemExit(130) from None
    measured.save()
    line.say(f"{len(measured.rounds)} rounds, {seconds_text(measured.seconds)}.", last=True)
    return measured, anchor_times(anchors, clock)


def finished(rounds: int, agreed: float, spent: float, most_seconds: float) -> bool:
    """Whether there are rounds enough."""
    patient = agreed < ENOUGH and rounds < MOST_ROUNDS and spent < most_seconds
    return rounds >= LEAST_ROUNDS and not patient


def progress_text(
    part: float, rounds: int, each: float, spent: float, agreed: float, most_seconds: float
) -> str:
    """What is going on, and how long it may still take."""
    if rounds < LEAST_ROUNDS:
        said = f", about {seconds_text(each * (LEAST_ROUNDS - rounds - part))} left" if rounds else ""
        return f"round {rounds + 1} of at least {LEAST_ROUNDS}, {100 * part:.0f} % done{said}"
    # Rounds until both halves agree: as many as there were is a fair guess.
    left = min(each * min(rounds, MOST_ROUNDS - rounds), max(most_seconds - spent, 0.0))
    return (
        f"round {rounds + 1}: its two halves agree by {agreed:.3f} ({ENOUGH} is enough), "
        f"about {seconds_text(left)} left"
    )


def anchor_times(answers: Sequence[Answer], clock: Callable[[], int]) -> list[float]:
    """Milliseconds of the anchors, by a few rounds of their own."""
    rounds = [one_round(answers, number, clock, lambda done: None) for number in range(ANCHOR_ROUNDS)]
    return [min(each) for each in np.array(rounds).T.tolist()]


def write_profile(
    kit: Kit, runtime: Runtime, measured: Measured, end: list[float], *, name: str, threads: int
) -> None:
    """Write profile.json."""
    table = np.array(measured.rounds)
    low, high = np.quantile(table, [0.25, 0.75], axis=0)
    agreed = agreement(measured.rounds)
    profile = {
        "format": 1,
        "supernet": kit.supernet,
        "device": {
            "name": name,
            "processor": runtime.chip or processor(),
            "threads": threads,
            "runtime": runtime.name,
            "version": runtime.version,
            "provider": runtime.provider,
            "precision": kit.precision,
            "batch": kit.batch,
            "system": printable(f"{platform.uname()[0]} {platform.machine()}"),
        },
        "protocol": {
            "rounds": len(measured.rounds),
            "runs": RUNS,
            "agreement": agreed,
            "agreed": agreed >= ENOUGH,
            "seconds": measured.seconds,
        },
        "planned": len(kit.subnets),
        "timings": {
            "arch_ids": list(kit.subnets),
            "ms": table.min(axis=0).tolist(),
            "spread": (high - low).tolist(),
            "peak_bytes": runtime.peaks() if runtime.peaks else [],
        },
        "anchors": {
            "arch_ids": [kit.subnets[at] for at in kit.anchors],
            "start": measured.start,
            "end": end,
        },
        "process_peak_bytes": process_peak(),
        "date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
    write_whole(PROFILE, json.dumps(profile, indent=1))


def options_of(arguments: list[str] | None, more: Callable[[argparse.ArgumentParser], object]) -> Any:
    """The command's options.

    Args:
        arguments: of the command; None for those of the process.
        more: adds what only one runtime knows.
    """
    parser = argparse.ArgumentParser(
        prog="measure.py", description="Time the subnets of this kit; writes profile.json."
    )
    parser.add_argument(
        "--name", default="", help="what this device is called; the processor's name if left out"
    )
    parser.add_argument("--threads", type=int, default=0, help="threads of one answer; the kit's if left out")
    parser.add_argument(
        "--minutes",
        type=float,
        default=20.0,
        help="stop after so long, if the two halves do not agree before",
    )
    more(parser)
    options = parser.parse_args(arguments)
    if not 0 <= options.threads <= 1024:
        fail("--threads goes from 1 to 1024.")
    if not options.minutes > 0:
        fail("--minutes must be positive.")
    return options


def run(kit: Kit, runtime: Runtime, options: Any, threads: int) -> None:
    """Time everything on this device and write the profile."""
    chip = runtime.chip or processor()
    name = printable(options.name)[:60].strip() or chip[:60].strip() or "device"
    told = [kit.sha256, name, chip, threads, runtime.name, runtime.version, runtime.provider]
    of = hashlib.sha256(json.dumps(told).encode()).hexdigest()
    measured, end = measure(kit, runtime, of, options.minutes * 60)
    write_profile(kit, runtime, measured, end, name=name, threads=threads)
    agreed = agreement(measured.rounds)
    if agreed < ENOUGH:
        print(f"The two halves agree by {agreed:.2f} only: this device was busy with other things.")
    print(f"{HERE / PROFILE} is ready: load it on the Front page.")
