"""Training a supernet: one loop for all strategies."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from core.datasets.base import Dataset
from core.errors import DamagedArtifact
from core.evaluation.costs import CostTable
from core.evaluation.evaluator import evaluate_table
from core.evaluation.work import walk_seconds
from core.records import Metrics, Progress
from core.seeding import stream
from core.spaces import Archs
from core.supernets.base import Supernet
from core.tasks.base import Batch, EvaluationData
from core.training.actions import ACTIONS
from core.training.averaging import Average
from core.training.config import TrainingConfig
from core.training.epochs import Run, Stop, Stretch, never
from core.training.film import FILM_FILE, Film, Offer, Script, empty_film, offered, read_film, script
from core.training.strategies import STRATEGIES, Phase, Strategy
from core.training.strategies.base import epochs_of
from core.training.supernet_session import NotANumber, SupernetSession
from core.training.together import ours, require_shareable
from core.training.watch import SizeClasses, memory_in_use
from core.training.work import Plan, epoch_works, with_frames
from core.words import format_share

if TYPE_CHECKING:
    from core.ledger import Ledger

_RANDOM_SHOWN = 5
_MOST_VALIDATION = 1000
_ENDS = ("smallest", "largest")


def train(
    supernet: Supernet,
    dataset: Dataset,
    config: TrainingConfig,
    ledger: Ledger,
    *,
    film: bool = False,
    stop: Stop = never,
) -> Generator[Progress, None, Supernet]:
    """Train a supernet; resumes from the ledger's latest checkpoint.

    Args:
        supernet: what is trained.
        dataset: on what.
        config: how.
        ledger: gets the numbers of every epoch, and the whole state.
        film: keep the front after some epochs as the artifact `FILM_FILE` (see `core.training.film`).
        stop: see `core.training.epochs.Stop`; what is trained is then as it was after the last whole epoch.

    Yields:
        Progress several times a second; `metrics` holds the numbers of the last finished epoch.

    Returns:
        The trained supernet: the given one, trained in place, unless the strategy put another in its place.

    Raises:
        InvalidInput: the data do not fit the supernet, or the strategy's settings or space are wrong.
        CoreError: the loss is no longer a number; the last good checkpoint is kept.
    """
    supernet.task.require_fit(supernet.config, dataset)
    supernet.task.augmentation(config.augmentation)
    strategy: Strategy = STRATEGIES.create(config.strategy, config.strategy_config)
    supernet = strategy.supernet_for(supernet)
    if ours() is not None:
        require_shareable(strategy, supernet)
    run = SupernetRun(supernet, dataset, config, ledger, film=film, stop=stop)
    try:
        yield Progress(run.fraction(0), "Starting" if run.epoch == 0 else f"Going on after epoch {run.epoch}")
        yield from run.go()
        run.take_frame(run.epoch)
    finally:
        for net in (supernet, run.supernet):
            run.session.device.leave(net)
    return run.supernet


class SupernetRun(Run):
    """The moving parts of one training of a supernet."""

    def __init__(
        self,
        supernet: Supernet,
        dataset: Dataset,
        config: TrainingConfig,
        ledger: Ledger,
        *,
        film: bool = False,
        stop: Stop = never,
    ) -> None:
        super().__init__(supernet, dataset, config, ledger, order_seed=config.seed, stop=stop)
        strategy: Strategy = STRATEGIES.create(config.strategy, config.strategy_config)
        strategy.check_supernet(supernet)
        self.phases = strategy.phases(supernet.space)
        self.lengths = epochs_of(self.phases, config.epochs)
        self.session = SupernetSession(supernet, dataset, config, strategy, self.phases[0])
        self._begun, self._together = False, ours()
        self._sizes = SizeClasses.of(supernet.space, self.session.macs)
        self._shown = _shown_archs(supernet, config.seed)
        self._validation = _validation_data(supernet, dataset)
        self.works = epoch_works(
            supernet,
            strategy,
            self.phases,
            self.lengths,
            steps=self.steps,
            batch=config.batch_size,
            shown=self._shown,
            measured=len(self._validation.targets),
            seed=config.seed,
        )
        self._script = self._written() if film else None
        self._plan = Plan(with_frames(self.works, self._script))
        self.back()
        self._passes_before = self._taken_before()

    @property
    def supernet(self) -> Supernet:
        """What is being trained; a strategy may put another one in its place."""
        return self.session.net

    def trained(self) -> Supernet:
        return self.supernet

    def average(self) -> Average | None:
        return self.session.average

    def order(self) -> NDArray[np.int64] | None:
        if self.supernet.task.whole:
            return None
        return self.session.strategy.order(
            self.session, len(self.dataset.train), stream(self.config.seed, "data order", self.epoch)
        )

    def _phase(self) -> tuple[Phase, int, int]:
        """The current phase, its epochs done and its length."""
        done = self.epoch
        for phase, length in zip(self.phases, self.lengths, strict=True):
            if done < length:
                return phase, done, length
            done -= length
        raise ValueError("training is over")

    def fraction(self, step: int) -> float:
        return self._plan.share(self.epoch, step)

    def stretch(self) -> Stretch:
        phase, done, length = self._phase()
        return Stretch(done, length, phase.learning_rate)

    def doing(self) -> str:
        return f"Epoch {self.epoch + 1} of {self.config.epochs}, {self._phase()[0].name}"

    def begin_epoch(self) -> None:
        self._begun = True
        phase, done, _ = self._phase()
        self.session.phase, self.session.epoch, self.session.step = phase, self.epoch, 0
        self.session.drawn.clear()
        if done == 0:
            for name in phase.actions:
                ACTIONS[name](self.session)
            if phase.actions and self._together is not None:
                self._as_the_first()

    def take_step(self, step: int, batch: Batch, rate: float) -> float:
        self.session.step, self.session.rate = step, rate
        self.session.progress = (self.epoch + step / self.steps) / self.config.epochs
        try:
            loss = self.session.strategy.step(self.session, self.session.device.put(batch))
        except NotANumber:
            return math.nan
        # Once the strategy has done all it does to the weights: what it holds at zero is zero in their average.
        if self.session.average is not None:
            self.session.average.update()
        return loss

    def stopping(self) -> bool:
        if self._together is None:
            return super().stopping()
        # Its own sentence, where one is first asked: each process has its own clock.
        return self._together.agree(self._together.first and super().stopping())

    def ending(self, due: bool) -> bool:
        if self._together is None:
            return super().ending(due)
        self._together.wishes = self._together.first and due and super().stopping()
        return self._together.ends

    def _as_the_first(self) -> None:
        """All go on from the first process's state: elsewhere the same numbers may differ in their last bits."""
        assert self._together is not None
        said = self._together.told(self.session.dump() if self._together.first else None)
        if not self._together.first and said is not None:
            self.session.restore(said)

    def measure(self) -> Metrics:
        if self._together is not None:
            self._together.require_same(self.supernet)
            if not self._together.first:
                return {}
        if self._script is not None and self.epoch + 1 in self._script.epochs:
            self.take_frame(self.epoch + 1)
        accuracies = evaluate_table(self.supernet, self._shown, ("accuracy",), self._validation)["accuracy"]
        by_arch = dict(zip(map(tuple, self._shown.tolist()), accuracies.tolist(), strict=True))
        ends = self.supernet.space.ends or ()
        random = [v for arch, v in by_arch.items() if arch not in ends] or [math.nan]
        return {
            "phase": self._phase()[0].name,
            **{name: by_arch[arch] for name, arch in zip(_ENDS, ends, strict=False)},
            "random": float(np.mean(random)),
            "random_low": min(random),
            "random_high": max(random),
            "median": float(np.median(random)),
            "learning_rate": self.session.rate,
            "passes": self._passes_before + self.session.passes,
            "memory": memory_in_use(),
            **self._sizes.metrics(self.session.drawn, self.session.macs),
        }

    # --- the film -------------------------------------------------------------------------------

    def offers(self) -> Iterator[Offer]:
        """What a film could show, the better first."""
        return offered(self.supernet.space, self._macs, self._walking)

    def _written(self) -> Script | None:
        total = sum(work.whole for work in self.works)
        space, epochs = self.supernet.space, self.config.epochs
        return script(space, self._macs, self._walking, total=total, epochs=epochs)

    def _macs(self, rows: Archs) -> NDArray[np.float64]:
        return self.session.macs(rows.tolist()).astype(np.float64)

    def _walking(self, rows: Archs) -> float:
        samples = 1 if self.supernet.task.whole else len(self._validation.targets)
        return walk_seconds(self.supernet, CostTable.of(self.supernet), rows, samples)

    def take_frame(self, epoch: int) -> None:
        """Measure the film's subnets as they are after so many epochs, if there is a film and no such frame in it."""
        if self._script is None or epoch == 0 or (self._together is not None and not self._together.first):
            return
        film = self._film(self._script)
        if epoch in film.epochs:
            return
        found = evaluate_table(self.supernet, self._script.rows, ("accuracy",), self._validation)
        taken = film.with_frame(epoch, found["accuracy"])
        self.ledger.save_artifact(FILM_FILE, taken.dump(), "application/octet-stream")

    def _film(self, written: Script) -> Film:
        if any(each.name == FILM_FILE for each in self.ledger.artifacts()):
            with suppress(DamagedArtifact):
                kept = read_film(self.ledger.artifact(FILM_FILE))
                if np.array_equal(kept.rows, written.rows):
                    return kept
        macs = self.session.macs(written.rows.tolist())
        return empty_film(
            written.rows, macs, exact=written.exact, samples=self._validation.answers("validation")
        )

    def _taken_before(self) -> float:
        """Forward passes with a gradient of the epochs that were trained before this process took the training up.

        Epochs of earlier releases did not count them: they are what the strategy says that a step costs.
        """
        if self.epoch == 0:
            return 0.0
        known = {row["step"]: row.get("passes") for row in self.ledger.metrics()}.get(self.epoch)
        if known is not None:
            return float(known)
        phases = [phase for phase, n in zip(self.phases, self.lengths, strict=True) for _ in range(n)]
        space, strategy = self.supernet.space, self.session.strategy
        return sum(strategy.passes(space, phase) * self.steps for phase in phases[: self.epoch])

    def back(self) -> None:
        kept = self.ledger.latest_checkpoint() if self._together is None or self._together.first else None
        if self._begun:
            # What the broken epoch did to the session, the strategy and the supernet goes with them.
            strategy = STRATEGIES.create(self.config.strategy, self.config.strategy_config)
            assert isinstance(self.net, Supernet)
            self.session = SupernetSession(self.net, self.dataset, self.config, strategy, self.phases[0])
        if kept is not None:
            self.session.restore(kept)
        if self._together is not None:
            self._as_the_first()
        self.epoch = self.session.epoch

    def state(self) -> bytes:
        self.session.epoch = self.epoch
        return self.session.dump()

    def sentence(self, metrics: Metrics) -> str:
        if "phase" not in metrics:  # the first of several processes says it
            return f"Epoch {metrics['epoch']} of {self.config.epochs}"
        return f"Epoch {metrics['epoch']} of {self.config.epochs}, {metrics['phase']}: {in_words(metrics)}"


def _shown_archs(net: Supernet, seed: int) -> np.ndarray:
    """Smallest, largest (where there are such) and a few random subnets whose curves are drawn; distinct.

    The random ones are a fixed draw: the same after every epoch, and for every training with this seed.
    """
    rows = net.space.sample_array(_RANDOM_SHOWN, stream(seed, "shown"))
    return np.unique(np.array([*(net.space.ends or ()), *map(tuple, rows)], np.uint8), axis=0)


def _validation_data(net: Supernet, dataset: Dataset) -> EvaluationData:
    """Calibration rows and the first validation samples; splits are in stratified order."""
    few = dataset.validation.first(_MOST_VALIDATION)
    return net.task.evaluation(dataset, {"validation": few})


def in_words(metrics: Metrics) -> str:
    """Validation accuracy after an epoch, as part of a sentence."""
    if "smallest" not in metrics:
        return f"validation accuracy of random subnets {format_share(float(metrics['random']), 1)}"
    return (
        f"validation accuracy of the smallest subnet {format_share(float(metrics['smallest']), 1)}, of the largest "
        f"{format_share(float(metrics['largest']), 1)}"
    )
