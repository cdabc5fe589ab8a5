"""Comparisons of trainings, as runs of `compare_trainings` keep them.

Every supernet that a comparison trains is kept with it; one that is wanted becomes an ordinary trained supernet of
the gallery, whose request, had it been run, would have trained the same bits.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

from core.config import JsonObject, Settings
from core.errors import InvalidInput
from core.library.results import Described, Part, Record
from core.library.supernets import SUPERNET_FILE
from core.records import Metrics, RunState
from core.spaces import SearchSpace
from core.training.cost_classes import CostClasses
from core.training.watched import plain
from core.store.part_ledger import PartLedger

if TYPE_CHECKING:
    from core.store import RunStore
