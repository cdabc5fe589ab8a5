"""One node of a torch.export graph, as the reader asks it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.supernets.reading.builder import unknown

Array = NDArray[Any]


class Call:
    """One node: an operator with its arguments by name.

    Args:
        node: as the file has it.
        values: names of what flows -> its number.
        constants: names of what is known.
        sizes: names of sizes -> what they are, -1 for the batch.
        reads: names -> how often each is read.
    """

    def __init__(
        self,
        node: Mapping[str, Any],
        values: Mapping[str, int],
        constants: Mapping[str, Array],
        sizes: Mapping[str, int],
        reads: Mapping[str, int],
    ) -> None:
        target = str(node["target"])
        parts = target.split(".")
        if not target.startswith("torch.ops.aten.") or len(parts) != 5:
            raise unknown(target[:80], "")
        self.op = parts[3].removesuffix("_") if not parts[3].endswith("__") else parts[3]
        self._given = {str(each["name"]): each["arg"] for each in node["inputs"]}
        self.first = next(iter(self._given), "")
        outputs = node["outputs"]
        self.out = made(outputs[0]) if outputs else ""
        self._values, self._constants, self._sizes, self._reads = values, constants, sizes, reads
        stack = str((node.get("metadata") or {}).get("nn_module_stack") or "")
        self.name = stack.split(";")[-1].split(",")[1] if stack.count(",") > 1 else self.out

    def has(self, name: str) -> bool:
        return name in self._given and "as_none" not in self._given[name]

    def get(self, name: str, default: Any) -> Any:
        """A plain argument; the file's own default where it says none."""
        if not self.has(name):
            return default
        kind, value = next(iter(self._given[name].items()))
        if kind in ("as_int", "as_float", "as_bool", "as_string", "as_ints", "as_floats", "as_bools"):
            return value
        if kind in ("as_sym_int", "as_sym_ints"):
            return self.sizes(name)
        raise unknown(f"aten.{self.op} with a computed {name[:40]}", self.name)

    def number(self, name: str, default: float) -> float:
        return float(self.get(name, default))

    def two(self, name: str, default: int) -> list[int]:
        found = self.get(name, [])
        found = [found] if isinstance(found, int) else list(found)
        found = found or [default]
        return [found[0], found[-1]]

    def sizes(self, name: str) -> list[int]:
        """A shape, sizes that only the batch decides being -1."""
        kind, value = next(iter(self._given[name].items()))
        if kind == "as_ints":
            return [int(each) for each in value]
        return [
            int(each["as_int"]) if "as_int" in each else self._sizes.get(each["as_name"], -1)
            for each in value
        ]

    def tensors(self, name: str) -> list[str]:
        return [str(each["name"]) for each in self._given[name]["as_tensors"]]

    def reads_flow(self) -> bool:
        return any(name in self._values for arg in self._given.values() for name in names(arg))

    def flows(self, name: str) -> bool:
        return self.has(name) and any(each in self._values for each in names(self._given[name]))

    def flow(self, name: str) -> int:
        if not self.flows(name):
            raise unknown(f"aten.{self.op} of constants alone", self.name)
        return self._values[next(iter(names(self._given[name])))]

    def one_flows(self) -> tuple[str, str]:
        """Names of the argument that flows, and of the one that does not."""
        return ("self", "other") if self.flows("self") else ("other", "self")

    def read_once(self, name: str) -> bool:
        return self._reads[next(iter(names(self._given[name])))] == 1

    def constant(self, name: str) -> Array:
        found = self.maybe(name)
        if found is None:
            raise unknown(f"aten.{self.op} with weights that are computed from its input", self.name)
        return found

    def maybe(self, name: str) -> Array | None:
        if not self.has(name):
            return None
        return self._constants.get(next(iter(names(self._given[name])), ""))

    def value(self, name: str) -> Array:
        """A constant, or a number."""
        found = self.maybe(name)
        return np.asarray(self.number(name, math.nan) if found is None else found, np.float64)


def names(arg: Mapping[str, Any]) -> Sequence[str]:
    """Tensors that an argument names."""
    kind, value = next(iter(arg.items()))
    if kind == "as_tensor":
        return [str(value["name"])]
    if kind == "as_tensors":
        return [str(each["name"]) for each in value]
    if kind == "as_optional_tensor":
        return [str(value["as_tensor"]["name"])] if "as_tensor" in value else []
    return []


def made(output: Mapping[str, Any]) -> str:
    """Name of what a node makes."""
    tensors = names(output)
    value = next(iter(output.values()))
    return tensors[0] if tensors else str(value.get("as_name", "")) if isinstance(value, dict) else ""
