"""Beyond the twelve: a search by gradients, what is left of it when the mixture is cut, and how good that is among all."""

from __future__ import annotations

from collections.abc import Generator
from itertools import product
from typing import TYPE_CHECKING, ClassVar, Literal

import numpy as np

from core.lessons.asking import Answer, Ask, Choose, Number
from core.lessons.base import LESSONS, SUPERNET, ComputedLesson, Evidence, ForTeachers, Further, Set, Shown
from core.lessons.charts import Curves, Line
from core.library import supernets
from core.library.results import Record
from core.records import Progress
from core.words import format_share

if TYPE_CHECKING:
    from core.ledger import Ledger
    from core.library.library import Library

EPOCHS, EPOCHS_ALONE, LAYERS = 30, 8, 4
OPTIONS = ("nothing", "3×3 convolution", "5×5 convolution")
_SEARCHED = 0.1
_NEAR = 0.01 + 1e-9
_GAP = 2.0
"""Points that mixture and strongest options must differ by to be spoken of as a gap."""


class Relaxed(Evidence):
    """A search by gradients, epoch by epoch, and every architecture of its space trained alone.

    Attributes:
        weights: per epoch and layer the share of each option, adding up to 1.
        mixed: per epoch the validation accuracy of the mixture.
        cut: per epoch that of the strongest option of each layer alone.
        alone: validation accuracy of each architecture trained alone; the last layer's option changes first.
    """

    weights: tuple[tuple[tuple[float, ...], ...], ...]
    mixed: tuple[float, ...]
    cut: tuple[float, ...]
    alone: tuple[float, ...]


class _SoFar(Record):
    """Architectures trained alone until now."""

    FILE: ClassVar[str] = "relaxed-so-far.json"
    alone: tuple[float, ...] = ()


@LESSONS.register("relaxed_search")
class RelaxedSearch(ComputedLesson[Relaxed]):
    """Option weights over epochs, accuracy before and after the mixture is cut, and the rank of what it picks."""

    label = "Can gradients search?"
    source = "Inspired by Liu et al., 'DARTS', ICLR 2019, and Wang et al., 'Rethinking architecture selection', ICLR 2021"
    place = 13
    optional = True
    teacher = ForTeachers(
        goal="Knows that a mixture is none of the networks it mixes, and asks what is left when it is cut.",
        typical_error="Takes the mixture's accuracy for that of the result. Ask: which network would you download?",
        minutes=8,
    )
    seconds = 75.0
    Evidence: ClassVar[type[Relaxed]] = Relaxed

    def compute(self, seed: int, ledger: Ledger, library: Library) -> Generator[Progress, None, Relaxed]:
        return (yield from self._computed(seed, ledger, library, EPOCHS, EPOCHS_ALONE))

    def _computed(
        self, seed: int, ledger: Ledger, library: Library, epochs: int, epochs_alone: int
    ) -> Generator[Progress, None, Relaxed]:
        from core.lessons import relaxed

        dataset = supernets.dataset(library.supernet(SUPERNET))
        seen = []
        for epoch in relaxed.search(dataset, seed=seed, epochs=epochs):
            seen.append(epoch)
            yield Progress(_SEARCHED * len(seen) / epochs, f"Epoch {len(seen)} of {epochs} of the search.")
        kept = ledger.latest_checkpoint()
        alone = list(_SoFar.decode(kept).alone) if kept else []
        every = list(product(range(len(OPTIONS)), repeat=LAYERS))
        for done, chosen in enumerate(every[len(alone) :], len(alone)):
            yield Progress(
                _SEARCHED + (1 - _SEARCHED) * done / len(every),
                f"Architecture {done + 1} of {len(every)} learns alone.",
            )
            alone.append(round(relaxed.alone(dataset, chosen, seed=seed, epochs=epochs_alone), 6))
            at = _SEARCHED + (1 - _SEARCHED) * (done + 1) / len(every)
            ledger.checkpoint(_SoFar(alone=tuple(alone)).encode(), fraction=at)
        return Relaxed(
            seed=seed,
            about=f"{LAYERS} layers with {len(OPTIONS)} options on 8x8 digits, searched for {epochs} epochs; each of the {len(every)} "
            f"architectures was also trained alone for {epochs_alone}. Accuracy on validation data.",
            weights=tuple(tuple(tuple(round(w, 4) for w in layer) for layer in e.weights) for e in seen),
            mixed=tuple(round(e.mixed, 6) for e in seen),
            cut=tuple(round(e.cut, 6) for e in seen),
            alone=tuple(alone),
        )

    def text(self, evidence: Relaxed) -> tuple[str, ...]:
        return (
            "A choice has no gradient, but a **mixture** has: each layer computes all its options at once and adds them up, "
            "weighted. Gradients move the weights of the options, and at the end each layer keeps its strongest.",
            f"Here {LAYERS} layers choose between doing nothing, a 3×3 and a 5×5 convolution: {len(evidence.alone)} architectures, few "
            "enough to train every one alone and to know where the picked one stands. This is inspired by DARTS, not its scale.",
        )

    def action(self, evidence: Relaxed) -> str:
        return "Choose the epoch at which the search stops and predict; after the reveal, look at the accuracies."

    def controls(self, evidence: Relaxed) -> dict[str, Ask]:
        n = len(evidence.mixed)
        views = {"weights": "Weights of the options", "accuracy": "Accuracy, with the mixture and without"}
        return {
            "epoch": Number("The search stops after epoch", low=1, high=n, step=1, start=n),
            "view": Choose("What is drawn after the reveal", options=views, start="weights"),
        }

    def figure(self, evidence: Relaxed, shown: Shown) -> Curves:
        at, n = self._at(shown.controls), len(evidence.mixed)
        x = tuple(float(epoch) for epoch in range(1, n + 1))
        accuracy = shown.revealed and shown.controls["view"] == "accuracy"
        if accuracy:
            named = {"the mixture": evidence.mixed, "its strongest options alone": evidence.cut}
            lines = [Line(name, x, tuple(100 * v for v in values)) for name, values in named.items()]
        else:
            lines = [
                Line(
                    name,
                    x,
                    tuple(epoch[layer][option] for epoch in evidence.weights),
                    panel=f"layer {layer + 1}",
                )
                for layer in range(LAYERS)
                for option, name in enumerate(OPTIONS)
            ]
        said = "what the mixture and its cut are worth is hidden."
        if shown.revealed:
            mixed, cut = format_share(evidence.mixed[at], 1), format_share(evidence.cut[at], 1)
            said = f"the mixture gets {mixed}, its strongest options alone {cut}."
        bounds: list[tuple[str, Literal["x", "y"], float]] = [("stop", "x", float(at + 1))]
        return Curves(
            "epoch of the search",
            "validation accuracy (%)" if accuracy else "weight of an option",
            f"{len(OPTIONS)} options in {LAYERS} layers over {n} epochs; {said}",
            lines=tuple(lines),
            bounds=tuple(bounds),
        )

    def prediction(self, evidence: Relaxed, controls: Set) -> Ask:
        return Number(
            f"Each layer keeps its strongest option of epoch {self._at(controls) + 1}. Among all {len(evidence.alone)} architectures "
            "trained alone, which rank does this one have? 1 is best.",
            low=1,
            high=len(evidence.alone),
            tolerance=len(evidence.alone) // 10,
        )

    def truth(self, evidence: Relaxed, controls: Set) -> float:
        picked = evidence.alone[self._picked(evidence, self._at(controls))]
        return 1.0 + sum(accuracy > picked for accuracy in evidence.alone)

    def found(self, evidence: Relaxed, controls: Set, prediction: Answer) -> str:
        at, n = self._at(controls), len(evidence.alone)
        rank, picked = int(self.truth(evidence, controls)), evidence.alone[self._picked(evidence, at)]
        best = max(evidence.alone)
        near = sum(abs(accuracy - picked) <= _NEAR for accuracy in evidence.alone) - 1
        said = (
            f"Rank {rank} of {n}: alone it gets {format_share(picked, 1)}, the best one {format_share(best, 1)}, and {near} others are within "
            "a point of it, which one training each cannot tell apart. "
        )
        if rank <= n / 10:
            said += "The search found one of the best tenth. "
        elif rank > n / 2:
            said += "Picking by chance would have done as well or better. "
        else:
            said += "It is better than most, and not among the best. "
        gap = 100 * (evidence.mixed[at] - evidence.cut[at])
        if gap > _GAP:
            said += f"Cut out of the mixture, before it is trained again, it loses {gap:.1f} points: it was never trained to work alone. "
        else:
            said += "Cut out of the mixture it loses next to nothing here. "
        idle = self._chosen(evidence, at).count(0)
        if idle == LAYERS:
            return f"{said}And the collapse that DARTS is known for shows: every layer does nothing."
        if idle:
            return f"{said}The collapse that DARTS is known for, every layer doing nothing, did not occur: {idle} of {LAYERS} do."
        return f"{said}The collapse that DARTS is known for, layers doing nothing, did not occur in this run."

    def question(self, evidence: Relaxed, controls: Set) -> Ask:
        return Number(
            f"By how many points is the accuracy of the strongest options alone below that of the mixture at epoch {self._at(controls) + 1}? "
            "Within two points.",
            low=-100,
            high=100,
            step=0.1,
            unit="points",
            tolerance=2,
        )

    def answer(self, evidence: Relaxed, controls: Set) -> float:
        at = self._at(controls)
        return 100 * (evidence.mixed[at] - evidence.cut[at])

    def explain(self, evidence: Relaxed, controls: Set, given: Answer) -> str:
        at, gap = self._at(controls), self.answer(evidence, controls)
        mixed, cut = format_share(evidence.mixed[at], 1), format_share(evidence.cut[at], 1)
        if self.question(evidence, controls).right(given, gap):
            return f"The mixture has {mixed}, its strongest options alone {cut}: what was searched is not what is taken home."
        if isinstance(given, int | float) and abs(given + gap) <= 2:
            return "The other way round: a number above 0 means that the mixture is better."
        return "Switch to the view of accuracies, and read both lines at your epoch."

    def further(self, evidence: Relaxed) -> tuple[Further, ...]:
        return (
            Further(
                "search",
                {"supernet": SUPERNET},
                "Search where every subnet is measured as what it is, without a mixture.",
            ),
        )

    @classmethod
    def example(cls, rng: np.random.Generator) -> Relaxed:
        epochs = int(rng.integers(1, 12))
        pull = np.array([float(rng.choice([0.2, 1.0, 30.0])), 1.0, 1.0])
        weights = rng.dirichlet(pull, size=(epochs, LAYERS))
        mixed = rng.random(epochs)
        cut = np.clip(
            mixed - float(rng.choice([0.0, 0.05, 0.3])) * rng.random(epochs) + 0.02 * rng.normal(size=epochs),
            0,
            1,
        )
        alone = np.round(rng.random(len(OPTIONS) ** LAYERS), int(rng.choice([1, 6])))
        return Relaxed(
            weights=tuple(tuple(map(tuple, epoch)) for epoch in np.round(weights, 4).tolist()),
            mixed=tuple(np.round(mixed, 6).tolist()),
            cut=tuple(np.round(cut, 6).tolist()),
            alone=tuple(alone.tolist()),
        )

    @staticmethod
    def _at(controls: Set) -> int:
        """The epoch, from 0."""
        given = controls["epoch"]
        assert isinstance(given, int | float)
        return int(given) - 1

    @staticmethod
    def _chosen(evidence: Relaxed, at: int) -> list[int]:
        """The strongest option of each layer; the first of equals."""
        return [max(range(len(layer)), key=lambda i: (layer[i], -i)) for layer in evidence.weights[at]]

    def _picked(self, evidence: Relaxed, at: int) -> int:
        """Position of the picked architecture among all."""
        place = 0
        for option in self._chosen(evidence, at):
            place = place * len(OPTIONS) + option
        return place
