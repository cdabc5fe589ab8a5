"""Comparisons of trainings, as runs of `compare_trainings` keep them; no torch.

Every supernet that a comparison trains is kept with it; one that is wanted becomes an ordinary trained supernet of
the gallery, whose request, had it been run, would have trained the same bits.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from core.config import Settings
from core.errors import NotFound
from core.library.part_rows import PLACES, part_file
from core.library.results import Described, Part, Record
from core.library.supernets import SUPERNET_FILE
from core.records import RunState
from core.spaces import SearchSpace
from core.training.watch import SizeClasses
from core.training.watch_rows import plain

if TYPE_CHECKING:
    from core.ledger import Ledger
    from core.store import RunStore

KIND = "compare_trainings"
TRAINING = "train_supernet"
_MEDIA_TYPE = "application/octet-stream"


class Budget(Part):
    """What one method may use for each seed.

    Attributes:
        epochs: of its training.
        passes: forward passes with a gradient, in those of one subnet over one epoch.
        share: passes as a share of those that were to be spent; 1 where steps are the budget.
    """

    epochs: int
    passes: float
    share: float = 1.0


class ComparedMethod(Part):
    """One way to train.

    Attributes:
        label: what a person reads; different for every method of a comparison.
        strategy, settings: registry name, and its own settings.
        training: settings of the training that are its own.
        budget: of each of its trainings.
    """

    label: str
    strategy: str
    settings: Settings
    training: Settings = {}
    budget: Budget


class ComparedTraining(Part):
    """One training that is done.

    Attributes:
        index: which one of the run; its file and its epochs are those of this part (`core.library.part_rows`).
        method: place among the methods.
        seed: of all its chance.
        seconds: of training and of what is measured after each epoch.
        passes: as they were counted, in those of one subnet over one epoch.
        bytes, sha256: of its supernet's file.
        accuracy, test_accuracy: of the measured subnets, in their order.
    """

    index: int
    method: int
    seed: int
    seconds: float
    passes: float
    bytes: int
    sha256: str
    accuracy: tuple[float, ...]
    test_accuracy: tuple[float, ...]


class Classes(Part):
    """Classes of cost, see `core.training.watch.SizeClasses`.

    Attributes:
        most: MACs of the dearest subnet of each.
        shares: of all architectures, in each: what drawing uniformly comes to.
    """

    most: tuple[int, ...]
    shares: tuple[float, ...]

    def of(self, macs: ArrayLike) -> NDArray[np.int64]:
        """(n,) MACs -> (n,) class of each, from 0 for the cheapest."""
        return SizeClasses(np.array(self.most, np.int64)).of_costs(np.asarray(macs, np.int64))


class ComparisonRecord(Record):
    """What a run keeps, written anew after every training.

    Attributes:
        title, family, config: of the supernets.
        data: what they are trained on, as a card says it; `choice`: as a request says it.
        training: what all methods share, as settings of a training.
        budget: "steps" or "passes".
        space, size: the search space, and how many architectures it has.
        arch_ids, macs, params: of the measured subnets.
        classes: of MACs.
        sizes: places of the smallest, the middle and the largest among the measured subnets.
        stages: what the stages of the chain are called.
        batch: samples on which gradients are compared.
        samples: of the validation and of the test split.
        methods: in the order asked for.
        seeds: asked for.
        trainings: those that are done.
    """

    FILE: ClassVar[str] = "comparison.json"
    title: str
    family: str
    config: Settings
    data: Described
    choice: Settings
    training: Settings
    budget: str
    space: tuple[Settings, ...]
    size: int
    arch_ids: tuple[str, ...]
    macs: tuple[float, ...]
    params: tuple[float, ...]
    classes: Classes
    sizes: tuple[int, ...]
    stages: tuple[str, ...]
    batch: int
    samples: tuple[int, int]
    methods: tuple[ComparedMethod, ...]
    seeds: tuple[int, ...]
    trainings: tuple[ComparedTraining, ...] = ()

    @cached_property
    def described(self) -> SearchSpace:
        """The search space."""
        return SearchSpace.from_json(self.space)

    @property
    def asked(self) -> int:
        """Trainings the run was asked for."""
        return len(self.methods) * len(self.seeds)

    def place(self, index: int) -> tuple[int, int]:
        """Method and seed of a training: all methods with the first seed come first, then with the next."""
        return index % len(self.methods), self.seeds[index // len(self.methods)]

    def find(self, index: int) -> ComparedTraining:
        """One training.

        Raises:
            NotFound: it is not done.
        """
        for each in self.trainings:
            if each.index == index:
                return each
        raise NotFound("This training of the comparison is not done.")

    def request(self, training: ComparedTraining, title: str) -> Settings:
        """The request of `train_supernet` that trains the same bits."""
        method = self.methods[training.method]
        settings: Settings = {
            **self.training,
            **method.training,
            "strategy": method.strategy,
            "strategy_config": method.settings,
            "epochs": method.budget.epochs,
            "seed": training.seed,
        }
        return {
            "title": title,
            "family": self.family,
            "config": self.config,
            "data": self.choice,
            "training": settings,
        }


def keep(store: RunStore, run_id: str, index: int, title: str) -> str:
    """Add one supernet of a comparison to the gallery, as if it had been trained by itself; returns its id.

    Raises:
        NotFound: there is no such training, or it is not done.
        DamagedArtifact, InvalidInput: its file has changed.
        StorageFailed: the disk refused it.
    """
    whole = store.ledger(run_id)
    record = ComparisonRecord.so_far(whole)
    if record is None:
        raise NotFound("This comparison has trained nothing yet.")
    training = record.find(index)
    params = record.request(training, title)
    data = supernet_of(whole, index)
    kept = store.create_run(TRAINING, params, title=title, seed=training.seed, state=RunState.RUNNING)
    ledger = store.ledger(kept)
    for row in PLACES.parts(whole.metrics()).get(index, []):
        ledger.log_metrics(int(row.pop("step")), plain(row))
    # The file last: without it there is no supernet.
    ledger.save_artifact(SUPERNET_FILE, data, _MEDIA_TYPE)
    store.set_state(kept, RunState.DONE, f"Kept from the comparison {store.get_run(run_id).title}.")
    return kept


def kept_of(store: RunStore, record: ComparisonRecord) -> dict[int, str]:
    """Trainings of a comparison whose supernets are in the gallery: index -> id there."""
    by_file = {
        files[SUPERNET_FILE]: run_id
        for run_id, files in store.kept.of_kind(TRAINING).items()
        if SUPERNET_FILE in files
    }
    return {each.index: by_file[each.sha256] for each in record.trainings if each.sha256 in by_file}


def supernet_of(ledger: Ledger, index: int) -> bytes:
    """The file of one trained supernet.

    Raises:
        NotFound: it is not trained yet.
        DamagedArtifact: its file has changed.
    """
    return ledger.artifact(part_file(index, SUPERNET_FILE))
