"""What every predict.py shares: reading files that anybody may have written, and asking the network.

A bundle's predict.py is this text and that of one kind of data, put together by `core.export.predict_script`;
it runs without this project.
"""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from pathlib import Path
from typing import Any, NoReturn


def fail(message: str) -> NoReturn:
    """End with one plain sentence and exit status 2."""
    print(f"predict.py: {message}", file=sys.stderr)
    raise SystemExit(2)


try:
    import numpy as np
    import torch
    from torch import Tensor, nn
except ImportError as missing:
    fail(f"{missing.name} is not installed; try: pip install torch numpy safetensors")

HERE = Path(__file__).resolve().parent
# Always the same: the last bits of a result can depend on how many samples go through together.
BATCH = 256
MOST_BYTES = 4 * 2**30


@torch.no_grad()
def logits(net: nn.Module, inputs: Any) -> Tensor:
    """Outputs (n, classes) for a tensor of n samples, or a tuple of such tensors, in batches of one fixed size."""
    leaves = inputs if isinstance(inputs, tuple) else (inputs,)
    parts = []
    for start in range(0, len(leaves[0]), BATCH):
        batch = tuple(leaf[start : start + BATCH] for leaf in leaves)
        parts.append(net(batch if isinstance(inputs, tuple) else batch[0]))
    return torch.cat(parts)


def count_correct(net: nn.Module, inputs: Any, y: Tensor) -> int:
    """How many of the samples get their label's class."""
    return int((logits(net, inputs).argmax(1) == y).sum())


def print_accuracy(correct: int, n: int) -> None:
    """The one line that a script reads."""
    print(json.dumps({"accuracy": correct / n, "correct": correct, "n": n}))


def to_labels(y: Any, n: int, classes: int, samples: str) -> Tensor:
    """Class indices (n,) from an array."""
    if y.shape != (n,):
        fail(f"y has shape {y.shape}; it needs one label for each of the {n} {samples}.")
    if not np.issubdtype(y.dtype, np.integer):
        fail(f"y holds {y.dtype} values; use whole numbers from 0 to {classes - 1}.")
    if y.min() < 0 or y.max() >= classes:
        fail(f"y holds labels outside 0 to {classes - 1}.")
    return torch.from_numpy(y.astype(np.int64))


def read_arrays(
    path: Path, wanted: dict[str, str], optional: tuple[str, ...] = (), hint: str = ""
) -> dict[str, Any]:
    """Arrays of an .npz file by name, with what each is in words; nothing in the file is ever executed."""
    try:
        # Opened here: numpy leaves a file that it cannot read open.
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            if any(name not in file for name in wanted):
                named = " and ".join(f"{name} ({what})" for name, what in wanted.items())
                fail(f"{path.name} must hold arrays named {named}.")
            if sum(member.file_size for member in file.zip.infolist()) > MOST_BYTES:
                fail(f"{path.name} unpacks to more than {MOST_BYTES >> 30} GB; give it in parts.")
            arrays = {name: file[name] for name in (*wanted, *(each for each in optional if each in file))}
    except Exception:  # zipfile, zlib and numpy raise a dozen kinds over a damaged file; all mean the same
        fail(f"{path.name} cannot be read as an .npz file of plain number arrays{hint}.")
    if not all(isinstance(array, np.ndarray) for array in arrays.values()):
        named = " or ".join(arrays)
        fail(f"{path.name} holds an {named} that is not a NumPy array.")
    for name, array in arrays.items():
        # Dates and records compare with numbers in their own ways, or not at all.
        if array.dtype.kind not in "biufcSU":
            fail(f"{path.name} holds an array {name} that is not made of plain numbers.")
    return arrays


def load_subnet() -> nn.Module:
    """The network of this folder, in eval mode."""
    sys.path.insert(0, str(HERE))
    try:
        from model import load
    except ImportError as missing:
        if missing.name == "model":
            fail(f"model.py is missing; keep the files of the download together in {HERE}.")
        fail(f"{missing.name} is not installed; try: pip install torch numpy safetensors")
    try:
        net: nn.Module = load(HERE / "model.safetensors")
    except Exception as error:
        fail(
            f"the weights in model.safetensors cannot be loaded ({type(error).__name__}); unpack the download again."
        )
    return net


def read_about() -> Any:
    """What `architecture.json` says of this subnet."""
    return json.loads((HERE / "architecture.json").read_text(encoding="utf-8"))


def started(
    parser: argparse.ArgumentParser, arguments: list[str] | None
) -> tuple[Any, tuple[int, ...], list[str]]:
    """The options, the shape of one sample, and the names of the classes."""
    options = parser.parse_args(arguments)
    # Pillow and numpy warn about odd files before they refuse them; one sentence is enough.
    warnings.simplefilter("ignore")
    several = isinstance(options.file, list)
    for path in options.file if several else [options.file]:
        if not (path.is_file() or (several and path.is_dir())):
            fail(f"there is no file {path}.")
    return options, *described()


def described() -> tuple[tuple[int, ...], list[str]]:
    """The shape of one sample, and the names of the classes."""
    try:
        about = read_about()
        return tuple(about["input_shape"]), list(about["classes"])
    except (OSError, ValueError, KeyError, TypeError):
        fail(f"architecture.json is missing or damaged; keep the files of the download together in {HERE}.")
