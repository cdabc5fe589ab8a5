"""How far a race is: searches done, at work and waiting, per setting, and how long all of it will still take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core.records import Run, RunState


@dataclass(frozen=True)
class Going:
    """The searches of one setting.

    Attributes:
        label: what distinguishes it.
        counts: how many are in which state; states of none are left out.
        fraction: of the work that is done, 0-1.
    """

    label: str
    counts: Mapping[RunState, int]
    fraction: float

    @property
    def sentence(self) -> str:
        """As `3 of 6 done, 1 running, 2 queued`."""
        total = sum(self.counts.values())
        others = [f"{n} {state.value}" for state, n in self.counts.items() if state is not RunState.DONE]
        return ", ".join([f"{self.counts.get(RunState.DONE, 0)} of {total} done", *others])


def going(settings: Mapping[str, Sequence[Run]]) -> list[Going]:
    """How far each setting is.

    Args:
        settings: label -> its searches, at least one.
    """
    return [
        Going(
            label=label,
            counts={state: n for state in RunState if (n := sum(run.state is state for run in runs))},
            fraction=sum(_fraction(run) for run in runs) / len(runs),
        )
        for label, runs in settings.items()
    ]


def seconds_left(settings: Mapping[str, Sequence[Run]]) -> float | None:
    """Seconds until all searches are done, one after another; None while too little is known.

    A waiting search takes as long as those of its setting took that are done, else as those of any setting.
    """
    every = [run for runs in settings.values() for run in runs]
    left = 0.0
    for runs in settings.values():
        for run in runs:
            if run.state is RunState.RUNNING:
                part = run.eta_seconds if run.eta_seconds is not None else _usual(runs, every)
            elif run.state is RunState.QUEUED:
                usual = _usual(runs, every)
                part = None if usual is None else usual * (1.0 - run.fraction)
            else:
                continue
            if part is None:
                return None
            left += part
    return left


def in_turns(settings: Sequence[Sequence[Run]]) -> list[Run]:
    """Seed by seed, every setting in its turn, so that pairs of equal seeds are complete early."""
    longest = max((len(runs) for runs in settings), default=0)
    return [runs[k] for k in range(longest) for runs in settings if k < len(runs)]


def _fraction(run: Run) -> float:
    return 1.0 if run.state is RunState.DONE else run.fraction


def _usual(runs: Sequence[Run], every: Sequence[Run]) -> float | None:
    """Mean seconds at work of searches that are done: of the setting's own where there are some."""
    for among in (runs, every):
        worked = [r.worked for r in among if r.state is RunState.DONE and r.worked is not None]
        if worked:
            return sum(worked) / len(worked)
    return None
