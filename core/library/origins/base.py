"""The origin contract: what a network of this origin is, and how it is loaded.

`core.library.networks` asks the origin that a network's id names. Describing needs no torch; loading gives
plain blocks in eval mode, whose children are the stages.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from core.config import Plugin
from core.records import Obtained
from core.registry import Registry

if TYPE_CHECKING:
    from torch import nn

    from core.library.supernets import SupernetEntry
    from core.store import RunStore

ORIGINS: Registry[Origin] = Registry("origin", "core.library.origins", "ORIGINS")


@dataclass(frozen=True)
class ModelInfo:
    """What is known of a network without loading it.

    Attributes:
        model_id: permanent, see `core.library.network_id`.
        title: what a person reads.
        short: the same in a few characters, for axes.
        supernet_id: the supernet it comes from, or whose architecture it has.
        arch_id: its architecture.
        origin: registry name.
        seed: of its own training; of the supernet's training for a subnet.
        stages: a name for each stage where they are not those of the architecture.
    """

    model_id: str
    title: str
    short: str
    supernet_id: str
    arch_id: str
    origin: str
    seed: int
    stages: tuple[str, ...] = ()


@dataclass(frozen=True)
class Known:
    """What was found out about a network, for tables and reports.

    Attributes:
        values: objective -> value in its stored unit; what was not measured is missing.
        obtained: objective -> how its value was obtained.
        facts: (what, text) of how the network came to be, for people.
        sha256: of the file that holds its weights; "" where they are cut out of the supernet's.
    """

    values: Mapping[str, float] = field(default_factory=dict)
    obtained: Mapping[str, Obtained] = field(default_factory=dict)
    facts: tuple[tuple[str, str], ...] = ()
    sha256: str = ""


class Origin(Plugin, ABC):
    """One way a network comes to be.

    Attributes:
        form: what follows the origin's name in an id, for messages.
    """

    form: ClassVar[str]

    @abstractmethod
    def describe(self, store: RunStore | None, owner: str, part: str) -> ModelInfo:
        """What the network is. No torch.

        Raises:
            NotFound, InvalidInput: there is no such network; the sentence says what to do.
        """

    def known(self, store: RunStore | None, owner: str, part: str) -> Known:
        """The numbers of a network that `describe` finds, without measuring anything. No torch.

        Raises:
            NotFound, InvalidInput: there is no such network.
        """
        return Known()

    @abstractmethod
    def load(self, store: RunStore | None, owner: str, part: str, entry: SupernetEntry) -> nn.Sequential:
        """The network itself. Loads torch.

        Args:
            store: where runs are kept.
            owner, part: of its id.
            entry: the supernet it belongs to.

        Raises:
            NotFound, InvalidInput, DamagedArtifact: it is not here, or its file is damaged.
            DataUnavailable: data that it needs are not here.
        """
