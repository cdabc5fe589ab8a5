"""One node of an ONNX graph, as the reader asks it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import InvalidInput
from core.supernets.reading.builder import unknown


class Node:
    """One node, its inputs looked up.

    Args:
        node: as the file has it.
        values: names of what flows -> its number.
        constants: names of what is known.
    """

    def __init__(self, node: Any, values: Mapping[str, int], constants: Mapping[str, NDArray[Any]]) -> None:
        import onnx

        self.op, self.name = str(node.op_type), str(node.name)
        self.inputs, self.out = list(node.input), str(node.output[0]) if node.output else ""
        self._values, self._constants = values, constants
        try:
            self.attributes = {each.name: onnx.helper.get_attribute_value(each) for each in node.attribute}
        except Exception as error:  # whatever a broken attribute makes of it
            raise InvalidInput("An operation in the ONNX file cannot be read.") from error

    def get(self, name: str, default: Any) -> Any:
        found = self.attributes.get(name, default)
        found = found.decode(errors="replace") if isinstance(found, bytes) else found
        if type(found) is not type(default) and not (isinstance(default, float) and isinstance(found, int)):
            raise unknown(f"{self.op} with an impossible {name[:40]}", self.name)
        return found

    @property
    def layer(self) -> str:
        """What a person calls a layer: by its weight, where that is named as in torch."""
        weight = self.inputs[1] if len(self.inputs) > 1 else ""
        return weight.removesuffix(".weight") if weight.endswith(".weight") else self.name

    def has(self, at: int) -> bool:
        return at < len(self.inputs) and self.inputs[at] != ""

    def flows(self, at: int) -> bool:
        return self.has(at) and self.inputs[at] in self._values

    def flow(self, at: int) -> int:
        if not self.flows(at):
            raise unknown(f"{self.op} of constants alone", self.name)
        return self._values[self.inputs[at]]

    def const(self, at: int) -> NDArray[Any]:
        if not self.has(at) or self.inputs[at] not in self._constants:
            raise unknown(f"{self.op} with weights that are computed from its input", self.name)
        return self._constants[self.inputs[at]]

    def number(self, at: int) -> float:
        return float(self.const(at).ravel()[0])

    def tensor(self, onnx: Any) -> Any:
        """The tensor of a Constant, however it is written."""
        for name, value in self.attributes.items():
            if name == "value":
                return value
            if name in ("value_float", "value_floats", "value_int", "value_ints"):
                return onnx.numpy_helper.from_array(
                    np.array(value, np.float32 if "float" in name else np.int64)
                )
        raise unknown("Constant of an unknown kind", self.name)
