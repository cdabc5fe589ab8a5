"""Counted costs of whole spaces: looked up stage by stage, microseconds per subnet.

A stage's cost depends only on the choices it declares, so a whole space is priced from a few hundred
entries. The table can be written to JSON and read back without torch, which is how a page draws a
subnet's diagram at once. What is made of the stages' quantities is each objective's business
(`core.objectives.base.FromCosts`).
"""

from __future__ import annotations

import base64
import binascii
import math
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.errors import InvalidInput
from core.objectives.base import FromCosts
from core.spaces import SearchSpace
from core.supernets.stage_cost import StageCost

if TYPE_CHECKING:
    from core.supernets.base import Stage, Supernet

Price = Callable[[NDArray[np.uint8]], StageCost | None]
_DENSE = 4096
"""Tables up to this many entries are filled at once; larger ones entry by entry, as asked for."""
_LARGEST_CODE = 1 << 62
_MOST_STORED = 1 << 18
"""Entries of one stage up to which a table is written to a card; each is an index of two bytes before packing."""


class _StageTable:
    """Costs of one stage, by the option indices of the choices it depends on."""

    def __init__(
        self, space: SearchSpace, names: Sequence[str], price: Price, routed_by: Sequence[str] = ()
    ) -> None:
        self.columns = [space.position[name] for name in names]
        self.names, self.routed_by = tuple(names), tuple(routed_by)
        self._routing = {space.position[name] for name in routed_by}
        self.cardinalities = [space.cardinalities[c] for c in self.columns]
        # Exact: a stage that depends on everything may have more entries than an int64 holds.
        self.entries = math.prod(self.cardinalities)
        self.weights = np.cumprod([1, *self.cardinalities[:0:-1]])[::-1].astype(np.int64)[: len(names)]
        self._width = len(space)
        self._price = price
        self._known: dict[tuple[int, ...], StageCost | None] = {}
        self._all: _Costed | None = None

    def cost(self, options: Sequence[int]) -> StageCost | None:
        """The stage's cost for these options of its choices, None where the stage is absent."""
        key = tuple(options)
        if key not in self._known:
            arch = np.zeros(self._width, np.uint8)
            arch[self.columns] = key
            self._known[key] = self._price(arch)
        return self._known[key]

    def entries_of(self, archs: NDArray[np.uint8], at: NDArray[np.int64] | slice = slice(None)) -> Entries:
        """Which entry each of some architectures has, by default of all n."""
        options = [archs[:, column][at] for column in self.columns]
        if self.entries <= _LARGEST_CODE:
            codes = np.zeros(len(archs[:, 0][at]), np.int64)
            for chosen, weight in zip(options, self.weights.tolist(), strict=True):
                codes += chosen * np.int64(weight)
            if self._all is None and self.entries <= min(_DENSE, len(codes)):
                self._all = _Costed([self.cost(self._options(code)) for code in range(self.entries)])
            if self._all is not None:
                return Entries(self._all, codes)
        else:
            codes = np.stack(options, axis=1).view(f"V{len(self.columns)}").ravel()
        _, first, index = np.unique(codes, return_index=True, return_inverse=True)
        each = [[int(chosen[place]) for chosen in options] for place in first]
        return Entries(_Costed([self.cost(row) for row in each]), index)

    def _options(self, code: int) -> list[int]:
        return [code // w % c for w, c in zip(self.weights.tolist(), self.cardinalities, strict=True)]

    def telling(self, switches: frozenset[int]) -> list[int]:
        """Which of its columns tell computations apart where the stage is there.

        Args:
            switches: columns that may do nothing but decide which stages there are.
        """
        columns = [column for column in self.columns if column not in self._routing]
        if self.entries > _DENSE:
            return columns
        options = np.array([self._options(code) for code in range(self.entries)]).reshape(self.entries, -1)
        costs = [self.cost(row) for row in options.tolist()]
        kinds: dict[str, int] = {}
        kind = np.array([-1 if c is None else kinds.setdefault(_in_any_part(c), len(kinds)) for c in costs])
        return [
            column
            for at, column in enumerate(self.columns)
            if column in columns and (column not in switches or _differs(options, kind, at))
        ]

    def to_json(self) -> dict[str, Any]:
        """Different rows once each, and which of them every entry has."""
        rows: list[dict[str, Any] | None] = []
        place: dict[str, int] = {}
        index = np.zeros(self.entries, np.uint16)
        for code in range(self.entries):
            cost = self.cost(self._options(code))
            at = place.setdefault(repr(cost), len(rows))
            if at == len(rows):
                rows.append(None if cost is None else cost.to_json())
            index[code] = at
        written = {"names": list(self.names), "rows": rows}
        if self.routed_by:
            written["routed_by"] = list(self.routed_by)
        if len(rows) == self.entries:
            return written
        return written | {"index": base64.b64encode(zlib.compress(index.astype("<u2").tobytes(), 9)).decode()}

    def fill(self, stored: Mapping[str, Any]) -> None:
        """Take the entries that `to_json` wrote.

        Raises:
            InvalidInput: they are not all there.
        """
        rows = [None if row is None else StageCost.from_json(row) for row in stored["rows"]]
        index = range(len(rows)) if "index" not in stored else _unpacked(stored["index"], self.entries)
        if len(index) != self.entries or max(index, default=-1) >= len(rows):
            raise InvalidInput("The stored cost table is incomplete.")
        self._known = {tuple(self._options(code)): rows[at] for code, at in enumerate(index)}


def _in_any_part(cost: StageCost) -> str:
    """What a stage costs, whosever weights it has."""
    return repr(replace(cost, counted={name: n for name, n in cost.counted.items() if name != "part"}))


def _differs(options: NDArray[np.int64], kind: NDArray[np.int64], at: int) -> bool:
    """Whether an option decides what the stage costs where it is there, and not only if it is there."""
    _, group = np.unique(np.delete(options, at, axis=1), axis=0, return_inverse=True)
    there = kind >= 0
    pairs = set(zip(group.reshape(-1)[there].tolist(), kind[there].tolist(), strict=True))
    return len(pairs) > len({g for g, _ in pairs})


def _unpacked(text: str, entries: int) -> list[int]:
    # No more than is asked for, whatever the text would unpack to.
    found = zlib.decompressobj().decompress(base64.b64decode(text, validate=True), 2 * entries + 2)
    return [int(at) for at in np.frombuffer(found, "<u2")]


class _Costed:
    """Entries of one stage, and the columns that were asked of them."""

    def __init__(self, costs: Sequence[StageCost | None]) -> None:
        self.costs = costs
        self.present = np.array([cost is not None for cost in costs])
        self._columns: dict[str, NDArray[np.int64]] = {}

    def column(self, name: str, value: Callable[[StageCost], int]) -> NDArray[np.int64]:
        if name not in self._columns:
            found = [0 if cost is None else value(cost) for cost in self.costs]
            self._columns[name] = np.array(found, np.int64)
        return self._columns[name]


class Entries:
    """One stage of n architectures: a few entries, and which of them each architecture has."""

    def __init__(self, costed: _Costed, index: NDArray[np.int64]) -> None:
        self._costed, self._index = costed, index

    @property
    def present(self) -> NDArray[np.bool_]:
        """(n,) whether the architecture has this stage."""
        return np.asarray(self._costed.present[self._index])

    @property
    def group(self) -> str:
        """Blocks of equal resolution share it; "" where none of the architectures has this stage."""
        here = np.flatnonzero(self.present)[:1]
        cost = self._costed.costs[self._index[here[0]]] if len(here) else None
        return "" if cost is None else cost.group

    @property
    def part(self) -> NDArray[np.int64]:
        """(n,) whose weights the stage has, where the supernet is in parts; 0 otherwise, and where it is absent."""
        return np.asarray(self._costed.column("its part", lambda c: c.counted.get("part", 0))[self._index])

    @property
    def output_size(self) -> NDArray[np.int64]:
        """(n,) numbers in one sample's output of the stage; 0 where it is absent."""
        # No quantity has this name: it is no identifier.
        return np.asarray(self._costed.column("output size", lambda cost: cost.output_size)[self._index])

    def counted(self, quantity: str) -> NDArray[np.int64]:
        """(n,) a counted quantity; 0 where the stage is absent."""

        def value(cost: StageCost) -> int:
            if quantity not in cost.counted:
                raise NotCounted(f"This supernet's stages do not count {quantity.replace('_', ' ')}.")
            return int(cost.counted[quantity])

        return np.asarray(self._costed.column(quantity, value)[self._index])


class StageKeys:
    """What one stage depends on: architectures with equal keys compute the same in it, after equal beginnings.

    Attributes:
        columns: positions of the choices it depends on.
        options: of each of them.
        entries: different keys there can be.
    """

    def __init__(self, table: _StageTable) -> None:
        self.columns, self.options, self.entries = table.columns, table.cardinalities, table.entries
        self._weights = table.weights

    def of(self, archs: NDArray[np.uint8]) -> NDArray[np.int64]:
        """(n, d) architectures -> (n,) key numbers below `entries`; only where they fit 63 bits."""
        return np.asarray(archs[:, self.columns].astype(np.int64) @ self._weights)


class NotCounted(InvalidInput):
    """The stages of this table do not count a quantity; a stored table may be older than the quantity."""


class _Costs:
    """The stages of n architectures, as an objective reads them."""

    def __init__(self, tables: Sequence[_StageTable], archs: NDArray[np.uint8]) -> None:
        self._tables, self._archs = tables, archs

    def __len__(self) -> int:
        return len(self._archs)

    def stages(self) -> Iterator[Entries]:
        for table in self._tables:
            yield table.entries_of(self._archs)

    def total(self, quantity: str) -> NDArray[np.int64]:
        total = np.zeros(len(self), np.int64)
        for stage in self.stages():
            total += stage.counted(quantity)
        return total


class CostTable:
    """What the stages of every architecture of one supernet cost."""

    def __init__(self, space: SearchSpace, stages: Sequence[_StageTable]) -> None:
        self.space = space
        self._stages = list(stages)

    @classmethod
    def of(cls, supernet: Supernet) -> CostTable:
        """The table of a supernet; its weights are not read, so it may live on the meta device."""
        space = supernet.space

        def pricer(stage: Stage) -> Price:
            def price(arch: NDArray[np.uint8]) -> StageCost | None:
                values = arch.tolist()
                return None if stage.key(values) is None else stage.cost(values)

            return price

        tables = []
        for stage in supernet.chain:
            names = sorted(set(stage.depends_on), key=space.position.__getitem__)
            tables.append(_StageTable(space, names, pricer(stage), stage.routed_by))
        return cls(space, tables)

    def counted(self, objective: FromCosts, archs: NDArray[np.uint8]) -> NDArray[np.int64]:
        """(n, d) architectures -> (n,) values of a counted objective.

        Raises:
            NotCounted: the stages do not count what it needs.
        """
        return objective.counted(_Costs(self._stages, archs))

    def total(self, quantity: str, archs: NDArray[np.uint8]) -> NDArray[np.int64]:
        """(n, d) architectures -> (n,) sums of a quantity over their stages.

        Raises:
            NotCounted: the stages do not count it.
        """
        return _Costs(self._stages, archs).total(quantity)

    def entries(self, archs: NDArray[np.uint8]) -> Iterator[Entries]:
        """Of each stage in order, what it costs in n architectures."""
        return _Costs(self._stages, archs).stages()

    def entries_of(self, stage: int, archs: NDArray[np.uint8], at: NDArray[np.int64]) -> Entries:
        """What the stage at this place of the chain costs in those of n architectures that are at `at`."""
        return self._stages[stage].entries_of(archs, at)

    def keys(self) -> list[StageKeys]:
        """Of each stage in order, what it depends on."""
        return [StageKeys(table) for table in self._stages]

    def telling(self) -> list[list[int]]:
        """Of each stage in order, the positions of choices that make it another computation where it is there.

        A depth only decides which blocks there are: a block that two depths have is the same in both. Choices that only
        decide whose weights a stage has are left out: `Entries.part` says whose they are.
        """
        required = {choice.requires[0] for choice in self.space.choices if choice.requires}
        # Descriptions from before choices had a kind do not say which is a depth.
        switches = frozenset(
            at
            for at, c in enumerate(self.space.choices)
            if c.kind == "depth" or (not c.kind and c.ordinal and c.name in required)
        )
        return [table.telling(switches) for table in self._stages]

    def stages(self, arch: Sequence[int]) -> list[StageCost]:
        """Cost, shape and label of each stage this architecture has, in order."""
        one = np.array([arch], np.uint8)
        costs = [table.cost(one[0, table.columns].tolist()) for table in self._stages]
        return [cost for cost in costs if cost is not None]

    def to_json(self) -> dict[str, Any]:
        """A JSON-able table.

        Raises:
            InvalidInput: a stage depends on so many choices that the table would be huge.
        """
        if max(t.entries for t in self._stages) > _MOST_STORED:
            raise InvalidInput("The cost table of this space is too large to store.")
        return {"space": self.space.to_json(), "stages": [table.to_json() for table in self._stages]}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> CostTable:
        """The table that `to_json` wrote; needs no torch.

        Raises:
            InvalidInput: the data is not such a table.
        """
        try:
            space = SearchSpace.from_json(data["space"])
            tables = []
            for stage in data["stages"]:
                table = _StageTable(space, stage["names"], _no_price, stage.get("routed_by", ()))
                if table.entries > _MOST_STORED:
                    raise InvalidInput("The stored cost table is larger than any that is written.")
                table.fill(stage)
                tables.append(table)
        except (KeyError, TypeError, ValueError, AttributeError, binascii.Error, zlib.error) as error:
            raise InvalidInput("The stored cost table cannot be read.") from error
        return cls(space, tables)


def _no_price(arch: NDArray[np.uint8]) -> StageCost | None:
    raise InvalidInput("The stored cost table has no entry for this architecture.")
