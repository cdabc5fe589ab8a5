"""Lesson 12: what a network keeps of its accuracy when nearly all weights are gone, and whether mask or weights did it."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from core.config import Settings
from core.lessons.asking import Answer, Ask, Choose
from core.lessons.base import LESSONS, SUPERNET, ComputedLesson, Evidence, ForTeachers, Further, Set, Shown
from core.lessons.charts import Bars
from core.library.network_id import NetworkId
from core.library.results import Record
from core.library.trainings import training_of
from core.pruning.experiments.base import EXPERIMENTS, Row
from core.pruning.pruners.base import PruningTask
from core.records import Progress
from core.words import format_share

if TYPE_CHECKING:
    from core.ledger import Ledger
    from core.library.library import Library

EXPERIMENT = "lottery_tickets"
SPARSITIES, SEEDS, EPOCHS, SHARE = (0.9, 0.97, 0.99, 0.997), 5, 6, 0.5
TICKET, REDRAWN, RANDOM, DENSE = "ticket", "same mask, new weights", "random mask", "dense"
"""Conditions of the experiment."""
SPARSE = (TICKET, REDRAWN, RANDOM)
SIGMAS = 2.0


class Survivors(Evidence):
    """Accuracy of sparse networks over seeds.

    Attributes:
        network: id of the one whose structure was trained.
        sparsities: shares of the weights that are gone, ascending.
        dense: per seed the validation accuracy of the network with all its weights.
        accuracy: condition -> per sparsity the validation accuracy of each seed.
    """

    network: str
    sparsities: tuple[float, ...]
    dense: tuple[float, ...]
    accuracy: dict[str, tuple[tuple[float, ...], ...]]


class _SoFar(Record):
    """What the seeds until now have measured."""

    FILE: ClassVar[str] = "tickets-so-far.json"
    parts: tuple[tuple[Row, ...], ...] = ()


@LESSONS.register("what_survives")
class WhatSurvives(ComputedLesson[Survivors]):
    """Winning tickets against their masks on new weights and against random masks, at four sparsities."""

    label = "What survives pruning?"
    source = "Frankle and Carbin, 'The lottery ticket hypothesis', ICLR 2019; random masks by layer: Su et al., NeurIPS 2020"
    place = 12
    teacher = ForTeachers(
        goal="Tells what the mask does from what the early weights do, and asks for the spread over seeds.",
        typical_error="Takes any lead for a win. Ask: how far would it move with other seeds?",
        minutes=7,
    )
    seconds = 85.0
    Evidence: ClassVar[type[Survivors]] = Survivors

    def compute(self, seed: int, ledger: Ledger, library: Library) -> Generator[Progress, None, Survivors]:
        return (yield from self._computed(seed, ledger, library, SEEDS, EPOCHS))

    def _computed(
        self, seed: int, ledger: Ledger, library: Library, seeds: int, epochs: int
    ) -> Generator[Progress, None, Survivors]:
        entry = library.supernet(SUPERNET)
        network = str(NetworkId.subnet(entry.supernet_id, entry.space.arch_id(entry.space.largest)))
        yield Progress(0.0, "Loading the network and its data.")
        model = library.network(network)
        first = SEEDS * seed
        training, _ = training_of(entry, seed=first)
        task = PruningTask(model.net, model.dataset, training, first)
        settings: Settings = {
            "seeds": seeds,
            "epochs": epochs,
            "sparsities": list(SPARSITIES),
            "share": SHARE,
        }
        experiment = EXPERIMENTS.create(EXPERIMENT, settings)
        kept = ledger.latest_checkpoint()
        parts = list(_SoFar.decode(kept).parts) if kept else []
        plan = experiment.parts()
        for done, part in enumerate(plan[len(parts) :], len(parts)):
            rows: list[Row] = []
            for step in experiment.run_part(task, part):
                if isinstance(step, Row):
                    rows.append(step)
                else:
                    yield Progress((done + step.fraction) / len(plan), step.message)
            parts.append(tuple(rows))
            ledger.checkpoint(_SoFar(parts=tuple(parts)).encode(), fraction=(done + 1) / len(plan))
        every = [row for rows in parts for row in rows]

        def of(condition: str, x: float) -> tuple[float, ...]:
            return tuple(round(row.y, 6) for row in every if row.condition == condition and row.x == x)

        return Survivors(
            seed=seed,
            about=f"Validation accuracy of the largest subnet's structure over {seeds} seeds, each trained for {epochs} epochs in all; tickets "
            "are found by removing the smallest half of the weights again and again.",
            network=network,
            sparsities=SPARSITIES,
            dense=of(DENSE, 0.0),
            accuracy={name: tuple(of(name, x) for x in SPARSITIES) for name in SPARSE},
        )

    def text(self, evidence: Survivors) -> tuple[str, ...]:
        return (
            "Train a network, remove the smallest weights, set those that are left back to where they were early on, and train "
            "again: that is a **ticket**. If it learns as well as the whole network, it was a winning one.",
            "Is it the **mask** that wins, or the **early weights**? Two controls tell: the same mask on new weights, and a random mask "
            f"that leaves as many weights in each layer. All learn equally long, with {len(evidence.dense)} seeds.",
        )

    def action(self, evidence: Survivors) -> str:
        return "Choose a sparsity and predict; after the reveal, look at the differences."

    def controls(self, evidence: Survivors) -> dict[str, Ask]:
        options = {f"{share:g}": _gone(share) for share in evidence.sparsities}
        views = {"accuracy": "Accuracy", "differences": "What the ticket is ahead by"}
        return {
            "sparsity": Choose("Weights that are gone", options=options, start=f"{evidence.sparsities[1]:g}"),
            "view": Choose("What is drawn after the reveal", options=views, start="accuracy"),
        }

    def figure(self, evidence: Survivors, shown: Shown) -> Bars:
        names = tuple(_gone(share) for share in evidence.sparsities)
        if shown.revealed and shown.controls["view"] == "differences":
            found = {
                f"ahead of {name}": [self._lead(evidence, at, name) for at in range(len(names))]
                for name in SPARSE[1:]
            }
            return Bars(
                f"weights that are gone  ·  whiskers: {SIGMAS:g} standard deviations over the seeds",
                "ticket ahead by (points)",
                "; ".join(
                    f"{name}: {', '.join(f'{100 * mean:.1f}' for mean, _ in leads)} points"
                    for name, leads in found.items()
                )
                + ".",
                names=names,
                series={name: tuple(100 * mean for mean, _ in leads) for name, leads in found.items()},
                low={
                    name: tuple(100 * (mean - SIGMAS * dev) for mean, dev in leads)
                    for name, leads in found.items()
                },
                high={
                    name: tuple(100 * (mean + SIGMAS * dev) for mean, dev in leads)
                    for name, leads in found.items()
                },
            )
        gap = (float("nan"),) * len(names)
        dense = 100 * float(np.nanmean(evidence.dense))
        by_name = {name: [[100 * v for v in seeds] for seeds in evidence.accuracy[name]] for name in SPARSE}
        series = {"all weights": (dense,) * len(names)}
        series |= {name: tuple(map(_mean, rows)) if shown.revealed else gap for name, rows in by_name.items()}
        told = {name: rows for name, rows in by_name.items() if shown.revealed}
        means = "; ".join(
            f"{name} {', '.join(f'{_mean(row):.1f}' for row in rows)} %" for name, rows in told.items()
        )
        return Bars(
            "weights that are gone  ·  whiskers: least and most of the seeds",
            "Validation accuracy (%)  ·  more is better",
            f"With all weights {dense:.1f} %. {f'{means}.' if means else 'The sparse networks are hidden.'}",
            names=names,
            series=series,
            low={name: tuple(min(row) for row in rows) for name, rows in told.items()},
            high={name: tuple(max(row) for row in rows) for name, rows in told.items()},
            hidden=() if shown.revealed else SPARSE,
        )

    def prediction(self, evidence: Survivors, controls: Set) -> Ask:
        options = {TICKET: "The ticket", REDRAWN: "Its mask on new weights", RANDOM: "The random mask"}
        gone = _gone(float(str(controls["sparsity"])))
        return Choose(
            f"With {gone} of the weights gone: which is the most accurate, in the mean of the seeds?",
            options=options,
        )

    def truth(self, evidence: Survivors, controls: Set) -> str:
        at = self._at(evidence, controls)
        return max(SPARSE, key=lambda name: _mean(evidence.accuracy[name][at]))

    def found(self, evidence: Survivors, controls: Set, prediction: Answer) -> str:
        at, best, ask = (
            self._at(evidence, controls),
            self.truth(evidence, controls),
            self.prediction(evidence, controls),
        )
        said = f"{ask.words(best)} has {format_share(_mean(evidence.accuracy[best][at]), 1)}"
        if prediction != best:
            said += f", {ask.words(prediction)[0].lower()}{ask.words(prediction)[1:]} {format_share(_mean(evidence.accuracy[str(prediction)][at]), 1)}"
        said += f"; with all weights it is {format_share(_mean(evidence.dense), 1)}. "
        weights, mask = (self._wins(evidence, name) for name in SPARSE[1:])
        everywhere = [_gone(share) for share in evidence.sparsities]
        if weights == everywhere:
            said += "The early weights count: at every sparsity the ticket beats its mask on new weights by more than the seeds scatter. "
        elif weights:
            said += f"The early weights count beyond the scatter of the seeds at {_listed(weights)} only. "
        else:
            said += "That early weights count does not show: the ticket and its mask on new weights are tied within the scatter of the seeds. "
        if mask == everywhere:
            return f"{said}The mask counts as well: everywhere the ticket beats the random one too."
        if mask:
            return f"{said}The mask counts as well: the ticket beats the random one at {_listed(mask)}."
        return f"{said}That the mask counts does not show either: a random one with as many weights in each layer is a tie with it."

    def question(self, evidence: Survivors, controls: Set) -> Ask:
        options = {f"{share:g}": _gone(share) for share in evidence.sparsities} | {"none": "None of these"}
        return Choose(
            f"What is the highest sparsity at which the ticket is ahead of its mask on new weights by more than {SIGMAS:g} standard "
            "deviations of that difference over the seeds?",
            options=options,
        )

    def answer(self, evidence: Survivors, controls: Set) -> str:
        shares = [f"{s:g}" for at, s in enumerate(evidence.sparsities) if self._beyond(evidence, at, REDRAWN)]
        return shares[-1] if shares else "none"

    def explain(self, evidence: Survivors, controls: Set, given: Answer) -> str:
        expected = self.answer(evidence, controls)
        asked = expected if given in (expected, "none") else str(given)
        if asked == "none":
            return "In the view of differences every whisker reaches 0, so no lead is safe from other seeds."
        at = [f"{share:g}" for share in evidence.sparsities].index(asked)
        mean, deviation = self._lead(evidence, at, REDRAWN)
        here = (
            f"At {_gone(evidence.sparsities[at])} the ticket is ahead by {100 * mean:.1f} points, and {SIGMAS:g} standard deviations are "
            f"{100 * SIGMAS * deviation:.1f}."
        )
        if given == expected:
            return here
        if given == "none":
            return f"One is enough. {here}"
        if self._beyond(evidence, at, REDRAWN):
            return f"{here} That is enough, but a higher sparsity passes as well."
        return f"{here} A lead that other seeds could turn is none."

    def further(self, evidence: Survivors) -> tuple[Further, ...]:
        return (
            Further(
                "pruning",
                {"parent": evidence.network},
                f"Run the experiment 'Lottery tickets' there with {EPOCHS} epochs, or with sparsities of your own.",
                {
                    f"ticket at {share:g}": _mean(evidence.accuracy[TICKET][at])
                    for at, share in enumerate(evidence.sparsities)
                },
            ),
        )

    @classmethod
    def example(cls, rng: np.random.Generator) -> Survivors:
        seeds, scatter = int(rng.integers(2, 6)), float(rng.choice([0.001, 0.02, 0.1]))
        lift = {TICKET: 0.0, REDRAWN: -0.2 * rng.random(), RANDOM: -0.3 * rng.random()}
        if rng.random() < 0.4:
            lift = dict.fromkeys(SPARSE, 0.0)
        falls = np.array([0.0, 0.1, 0.3, 0.5])

        def seen(name: str) -> tuple[tuple[float, ...], ...]:
            rows = (
                0.9 - falls[:, None] + lift[name] * rng.random((4, 1)) + scatter * rng.normal(size=(4, seeds))
            )
            return tuple(map(tuple, np.round(np.clip(rows, 0, 1), int(rng.choice([2, 6]))).tolist()))

        return Survivors(
            network="example",
            sparsities=SPARSITIES,
            dense=tuple(np.round(0.95 + 0.01 * rng.random(seeds), 6).tolist()),
            accuracy={name: seen(name) for name in SPARSE},
        )

    @staticmethod
    def _at(evidence: Survivors, controls: Set) -> int:
        return [f"{share:g}" for share in evidence.sparsities].index(str(controls["sparsity"]))

    @staticmethod
    def _lead(evidence: Survivors, at: int, control: str) -> tuple[float, float]:
        """(mean, standard deviation) over the seeds of what the ticket is ahead of a control by."""
        ahead = np.array(evidence.accuracy[TICKET][at]) - np.array(evidence.accuracy[control][at])
        return float(ahead.mean()), float(ahead.std(ddof=1))

    def _beyond(self, evidence: Survivors, at: int, control: str) -> bool:
        mean, deviation = self._lead(evidence, at, control)
        # Accuracies are rounded to millionths: a lead of less is none.
        return mean > SIGMAS * deviation + 1e-7

    def _wins(self, evidence: Survivors, control: str) -> list[str]:
        """Sparsities at which the ticket is ahead of a control by more than the seeds scatter."""
        return [_gone(s) for at, s in enumerate(evidence.sparsities) if self._beyond(evidence, at, control)]


def _mean(values: tuple[float, ...] | list[float]) -> float:
    return float(np.mean(values))


def _gone(share: float) -> str:
    """`90 %`, `99.7 %`: the digits that it has."""
    return f"{100 * share:g} %"


def _listed(names: list[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else "".join(names)
