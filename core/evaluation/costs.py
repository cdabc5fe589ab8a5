"""Counted costs: sums over stages, looked up in a table, microseconds per subnet.

A stage's cost depends only on the choices it reads and on those that fix its input shape, so a
whole space is priced from a few hundred entries. The table can be written to JSON and read back
without torch, which is how a page draws a subnet's diagram at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from core.errors import InvalidInput
from core.spaces import SearchSpace

if TYPE_CHECKING:
    from core.supernets.base import Stage, Supernet

Row = dict[str, Any]
_DENSE = 4096
"""Tables up to this many entries are filled at once; larger ones entry by entry, as asked for."""


class _StageTable:
    """Costs of one stage, by the option indices of the choices it depends on."""

    def __init__(
        self, space: SearchSpace, names: Sequence[str], price: Callable[[NDArray[np.uint8]], Row | None]
    ) -> None:
        self.columns = [space.position[name] for name in names]
        self.names = tuple(names)
        self.cardinalities = [space.cardinalities[c] for c in self.columns]
        self._weights = (
            np.cumprod([1, *self.cardinalities[:0:-1]])[::-1].astype(np.int64)
            if names
            else np.zeros(0, np.int64)
        )
        self.entries = int(np.prod(self.cardinalities, dtype=np.int64)) if names else 1
        self._width = len(space)
        self._price = price
        self.rows: dict[int, Row | None] = {}
        self._dense: dict[str, NDArray[np.int64]] = {}

    def codes(self, archs: NDArray[np.uint8]) -> NDArray[np.int64]:
        return archs[:, self.columns].astype(np.int64) @ self._weights

    def row(self, code: int) -> Row | None:
        """The stage's cost, None where the stage is absent."""
        if code not in self.rows:
            arch = np.zeros(self._width, np.uint8)
            arch[self.columns] = [
                code // w % c for w, c in zip(self._weights.tolist(), self.cardinalities, strict=True)
            ]
            self.rows[code] = self._price(arch)
        return self.rows[code]

    def total(self, archs: NDArray[np.uint8], field: str) -> NDArray[np.int64]:
        codes = self.codes(archs)
        if self.entries <= _DENSE:
            if field not in self._dense:
                self._dense[field] = np.array([self._value(c, field) for c in range(self.entries)], np.int64)
            return self._dense[field][codes]
        found, inverse = np.unique(codes, return_inverse=True)
        return np.array([self._value(int(c), field) for c in found], np.int64)[inverse]

    def _value(self, code: int, field: str) -> int:
        row = self.row(code)
        return 0 if row is None else int(row[field])


class CostTable:
    """MACs, parameters and bytes of every architecture of one supernet."""

    def __init__(self, space: SearchSpace, stages: Sequence[_StageTable]) -> None:
        self.space = space
        self._stages = list(stages)

    @classmethod
    def of(cls, supernet: Supernet) -> CostTable:
        """The table of a supernet; its weights are not read, so it may live on the meta device."""
        space = supernet.space

        def pricer(stage: Stage) -> Callable[[NDArray[np.uint8]], Row | None]:
            def price(arch: NDArray[np.uint8]) -> Row | None:
                values = arch.tolist()
                return None if stage.key(values) is None else stage.cost(values).to_json()

            return price

        tables = []
        for stage in supernet.chain:
            names = sorted({*stage.reads, *stage.sees}, key=space.position.__getitem__)
            tables.append(_StageTable(space, names, pricer(stage)))
        return cls(space, tables)

    def macs(self, archs: NDArray[np.uint8]) -> NDArray[np.int64]:
        """(n, d) architectures -> (n,) multiply-accumulates for one input."""
        return self._sum(archs, "macs")

    def params(self, archs: NDArray[np.uint8]) -> NDArray[np.int64]:
        """(n, d) architectures -> (n,) trainable numbers."""
        return self._sum(archs, "params")

    def size_bytes(self, archs: NDArray[np.uint8]) -> NDArray[np.int64]:
        """(n, d) architectures -> (n,) bytes of the extracted subnet's tensors."""
        return 4 * self.params(archs) + self._sum(archs, "buffer_bytes")

    def counted(self, name: str, archs: NDArray[np.uint8]) -> NDArray[np.int64]:
        """The counted objective of that name ("macs", "params" or "size_bytes")."""
        return {"macs": self.macs, "params": self.params, "size_bytes": self.size_bytes}[name](archs)

    def stages(self, arch: Sequence[int]) -> list[Row]:
        """Cost, shape and label of each stage this architecture has, in order."""
        one = np.array([arch], np.uint8)
        rows = [table.row(int(table.codes(one)[0])) for table in self._stages]
        return [row for row in rows if row is not None]

    def _sum(self, archs: NDArray[np.uint8], field: str) -> NDArray[np.int64]:
        total = np.zeros(len(archs), np.int64)
        for table in self._stages:
            total += table.total(archs, field)
        return total

    def to_json(self) -> dict[str, Any]:
        """A JSON-able table.

        Raises:
            InvalidInput: a stage depends on so many choices that the table would be huge.
        """
        if max(t.entries for t in self._stages) > _DENSE:
            raise InvalidInput("The cost table of this space is too large to store.")
        return {
            "space": self.space.to_json(),
            "stages": [
                {"names": list(t.names), "rows": [t.row(c) for c in range(t.entries)]} for t in self._stages
            ],
        }

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
                table = _StageTable(space, stage["names"], _no_price)
                if len(stage["rows"]) != table.entries:
                    raise InvalidInput("The stored cost table is incomplete.")
                table.rows = dict(enumerate(stage["rows"]))
                tables.append(table)
        except (KeyError, TypeError) as error:
            raise InvalidInput("The stored cost table cannot be read.") from error
        return cls(space, tables)


def _no_price(arch: NDArray[np.uint8]) -> Row | None:
    raise InvalidInput("The stored cost table has no entry for this architecture.")
