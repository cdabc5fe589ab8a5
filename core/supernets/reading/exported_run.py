"""What a torch.export program answers, computed by torch's own operators, to compare a converted network with.

Only operators that `exported_file` knows are called, by names that stand here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from core.errors import InvalidInput
from core.supernets.reading.builder import unknown
from core.supernets.reading.exported_archive import read_archive
from core.supernets.reading.exported_call import made as made_by

_KNOWN = frozenset(
    [
        "conv2d",
        "convolution",
        "batch_norm",
        "_native_batch_norm_legit_no_training",
        "linear",
        "addmm",
        "mm",
        "matmul",
        "t",
        "permute",
        "transpose",
        "relu",
        "relu6",
        "hardtanh",
        "clamp",
        "clamp_min",
        "hardswish",
        "hardsigmoid",
        "silu",
        "mish",
        "gelu",
        "elu",
        "leaky_relu",
        "sigmoid",
        "tanh",
        "erf",
        "add",
        "sub",
        "mul",
        "div",
        "cat",
        "max_pool2d",
        "max_pool2d_with_indices",
        "avg_pool2d",
        "adaptive_avg_pool2d",
        "adaptive_max_pool2d",
        "mean",
        "amax",
        "flatten",
        "view",
        "reshape",
        "_unsafe_view",
        "squeeze",
        "dropout",
        "feature_dropout",
        "alias",
        "detach",
        "clone",
        "contiguous",
        "sym_size",
        "pad",
        "constant_pad_nd",
    ]
)
_OVERLOADS = frozenset(
    [
        "default",
        "Tensor",
        "Scalar",
        "int",
        "dim",
        "dims",
        "padding",
        "using_ints",
        "input",
        "correction",
        "Tensor_Scalar",
    ]
)
_LAST = frozenset(("softmax", "log_softmax", "_softmax", "_log_softmax"))


@torch.no_grad()
def run_exported(data: bytes, images: Tensor) -> Tensor:
    """(n, classes) answers of the program in a .pt2 file, without a softmax at its end.

    Raises:
        InvalidInput: it cannot be run.
    """
    archive = read_archive(data)
    module = archive.graph
    known: dict[str, Any] = {}
    for spec in module["signature"]["input_specs"]:
        kind, said = next(iter(spec.items()))
        if kind == "user_input":
            known[said["arg"]["as_tensor"]["name"]] = images
        elif kind in ("parameter", "buffer", "tensor_constant"):
            known[said["arg"]["name"]] = torch.from_numpy(archive.tensors[said[f"{kind}_name"]].copy())
    for node in module["graph"]["nodes"]:
        parts = str(node["target"]).split(".")
        name, overload = (parts[3].rstrip("_") if not parts[3].startswith("__") else parts[3]), parts[4]
        given = {each["name"]: _value(each["arg"], known) for each in node["inputs"]}
        outputs = [made_by(out) for out in node["outputs"]]
        if name in _LAST:
            known[outputs[0]] = next(iter(given.values()))
            continue
        if name not in _KNOWN or overload not in _OVERLOADS:
            raise unknown(f"aten.{name}", "")
        made = getattr(getattr(torch.ops.aten, name), overload)(**given)
        for out, value in zip(outputs, made if isinstance(made, tuple) else (made,), strict=False):
            known[out] = value
    last = next(
        spec["user_output"]["arg"] for spec in module["signature"]["output_specs"] if "user_output" in spec
    )
    found = known[last["as_tensor"]["name"]]
    if not isinstance(found, Tensor):
        raise InvalidInput("This network answers with other things than numbers.")
    return found.flatten(1)


def _value(arg: Mapping[str, Any], known: Mapping[str, Any]) -> Any:
    kind, value = next(iter(arg.items()))
    if kind == "as_none":
        return None
    if kind == "as_tensor":
        return known[value["name"]]
    if kind == "as_tensors":
        return [known[each["name"]] for each in value]
    if kind == "as_optional_tensor":
        return known[value["as_tensor"]["name"]] if "as_tensor" in value else None
    if kind == "as_sym_int":
        return _size(value, known)
    if kind == "as_sym_ints":
        return [_size(each, known) for each in value]
    if kind in ("as_int", "as_float", "as_bool", "as_string", "as_ints", "as_floats", "as_bools"):
        return value
    raise InvalidInput("The graph in the torch.export file has an argument that is not known here.")


def _size(said: Mapping[str, Any], known: Mapping[str, Any]) -> int:
    return int(said["as_int"] if "as_int" in said else known[said["as_name"]])
