"""Where the arithmetic of evaluation and training is done: this machine's processor, or an accelerator of it.

PARETOSCOPE_DEVICE says which (auto: CUDA where there is one, then MPS, then the processor), PARETOSCOPE_PRECISION how
exactly it multiplies. Torch is imported by asking for a device, never by importing this module.

What goes in is moved by `put` and `net`, what comes out by `back`; chance is always drawn on the processor, so that
draws are the same everywhere, and what is kept in files is always the processor's. On the processor in float32 all of
it does nothing. Numbers of another device or precision differ in their last bits, so they have a name (`identity`)
that is part of what a measurement is known by.

CUDA runs cuDNN's deterministic algorithms. Sums in any order remain in index_add, scatter_add and cumsum, in the gradients
of indexing, of embeddings and of interpolation, and in atomics of attention kernels: trainings that use them repeat to
the last bits only on the processor.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import fields, is_dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar, cast
from weakref import WeakKeyDictionary

from core.errors import DataUnavailable, InvalidInput
from core.settings import settings

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

T = TypeVar("T")
M = TypeVar("M", bound="nn.Module")

TOLERANCE = {"float32": 3e-4, "tf32": 1e-2, "bf16": 4e-2}
"""How far a logit may lie from the processor's in float32, as a share of the largest: roundings of many layers."""


class Device:
    """The processor, and what every device can do.

    Args:
        precision: "float32", or "bf16" for products of bfloat16 numbers whose sums are float32 (autocast).

    Raises:
        InvalidInput: it does not multiply that way.
    """

    kind = "cpu"
    precisions: tuple[str, ...] = ("float32", "bf16")

    def __init__(self, precision: str = "float32") -> None:
        if precision not in self.precisions:
            raise InvalidInput(
                f"PARETOSCOPE_PRECISION={precision} is not known to {self.label}; choose "
                f"{' or '.join(self.precisions)}."
            )
        self.precision = precision
        self.clock: Callable[[], float] = time.perf_counter
        self._nets: WeakKeyDictionary[nn.Module, tuple[_Weights, nn.Module]] = WeakKeyDictionary()
        self._lock = threading.Lock()

    # --- what it is called ----------------------------------------------------------------------

    @property
    def label(self) -> str:
        """What a person calls it."""
        return "the processor"

    @property
    def identity(self) -> str:
        """Part of what a measurement made on it is known by; "" for the processor in float32."""
        return "" if (self.kind, self.precision) == ("cpu", "float32") else f"{self.kind} {self.precision}"

    @property
    def torch_device(self) -> torch.device:
        """The name by which torch knows it."""
        import torch

        return torch.device(self.kind)

    @property
    def elsewhere(self) -> bool:
        """Whether it has a memory of its own, into which tensors have to be moved."""
        return self.kind != "cpu"

    # --- moving ---------------------------------------------------------------------------------

    def put(self, tree: T) -> T:
        """The tensors of a tree on the device, those in its dataclasses (a batch) too; those that are there are not copied."""
        return _mapped(lambda leaf: leaf.to(self.torch_device), tree) if self.elsewhere else tree

    def back(self, tree: T) -> T:
        """The tensors of a tree where NumPy reads them: on the processor, no bfloat16 among them."""
        return _mapped(_as_numpy_reads, tree)

    def net(self, net: M) -> M:
        """The network with its weights on the device, for reading: itself where they are there, else a copy.

        A copy is kept as long as the network and its weights stay as they are.
        """
        if not self.elsewhere or self._has(net):
            return net
        with self._lock:
            kept = self._nets.get(net)
            if kept is None or not kept[0].are_of(net):
                kept = self._nets[net] = (_Weights(net), self._copied(net))
            return cast(M, kept[1])

    def move(self, net: M) -> M:
        """The network itself, its weights moved to the device in place, for training; optimizers are made after it."""
        if self.elsewhere and not self._has(net):
            net.to(self.torch_device)
        return net

    def leave(self, net: M) -> M:
        """The network itself, its weights moved to the processor in place: where everybody looks for them."""
        if self.elsewhere:
            net.to("cpu")
        return net

    def _has(self, net: nn.Module) -> bool:
        return all(t.device.type == self.torch_device.type for t in _tensors_of(net))

    def _copied(self, net: M) -> M:
        import copy

        import torch

        # Outside inference mode, whoever asks: weights that were made in it can never have a gradient.
        with torch.inference_mode(mode=False), torch.no_grad():
            return copy.deepcopy(net).to(self.torch_device)

    # --- memory ---------------------------------------------------------------------------------

    def free_bytes(self) -> int | None:
        """Bytes that can be taken now, as the device says; None for the processor, which shares its memory."""
        return None

    def is_out_of_memory(self, error: BaseException) -> bool:
        """Whether an error says that the device has no room left, so that smaller pieces may fit."""
        import torch

        return self.elsewhere and isinstance(error, torch.OutOfMemoryError)

    def forget(self) -> None:
        """Give back what is kept for later: copies of networks, and memory that torch holds in store."""
        with self._lock:
            self._nets.clear()

    # --- time and arithmetic --------------------------------------------------------------------

    def synchronize(self) -> None:
        """Wait until everything that was asked for is computed."""

    def computing(self) -> AbstractContextManager[Any]:
        """Within it products are as exact as the precision says; to be left before a generator yields."""
        if self.precision != "bf16":
            return nullcontext()
        import torch

        return torch.autocast(self.torch_device.type, dtype=torch.bfloat16)

    def seconds(self, run: Callable[[], object]) -> float:
        """How long the device takes for it, with nothing else waiting there."""
        self.synchronize()
        started = self.clock()
        run()
        self.synchronize()
        return self.clock() - started


class Cuda(Device):
    """A graphics processor that CUDA or ROCm drives: the current one, which CUDA_VISIBLE_DEVICES may choose."""

    kind = "cuda"
    precisions = ("float32", "tf32", "bf16")

    def __init__(self, precision: str = "float32") -> None:
        super().__init__(precision)
        import torch

        # Torch multiplies convolutions in TF32 unless it is told not to.
        torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
        torch.backends.cudnn.allow_tf32 = precision == "tf32"
        torch.backends.cudnn.deterministic = True
        torch.backends.cudnn.benchmark = False

    @property
    def label(self) -> str:
        import torch

        return torch.cuda.get_device_name()

    def free_bytes(self) -> int:
        import torch

        free, _ = torch.cuda.mem_get_info()
        # What torch holds in store for this process is free to it, too.
        return int(free) + torch.cuda.memory_reserved() - torch.cuda.memory_allocated()

    def forget(self) -> None:
        super().forget()
        import torch

        torch.cuda.empty_cache()

    def synchronize(self) -> None:
        import torch

        torch.cuda.synchronize()

    def seconds(self, run: Callable[[], object]) -> float:
        """Between two events in the stream of work: what the processor does meanwhile does not count."""
        import torch

        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        torch.cuda.synchronize()
        start.record()
        run()
        end.record()
        end.synchronize()
        return float(start.elapsed_time(end)) / 1000


class Mps(Device):
    """The graphics processor of a Mac."""

    kind = "mps"

    @property
    def label(self) -> str:
        return "the Mac's graphics processor"

    def free_bytes(self) -> int:
        import torch

        return max(0, torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory())

    def is_out_of_memory(self, error: BaseException) -> bool:
        return super().is_out_of_memory(error) or (
            isinstance(error, RuntimeError) and "MPS backend out of memory" in str(error)
        )

    def forget(self) -> None:
        super().forget()
        import torch

        torch.mps.empty_cache()

    def synchronize(self) -> None:
        import torch

        torch.mps.synchronize()


# --- choosing -----------------------------------------------------------------------------------

_within: ContextVar[Device | None] = ContextVar("device", default=None)


def chosen_device() -> Device:
    """The device that the settings ask for. Loads torch.

    Raises:
        InvalidInput: a setting is no device or no precision of it.
        DataUnavailable: the device is not there.
    """
    said = settings()
    return _within.get() or device_of(said.device, said.precision)


def require_device(identity: str) -> None:
    """This process computes on the device and in the precision that whoever gave the work out has.

    Args:
        identity: `Device.identity` there.

    Raises:
        InvalidInput: it does not, and its numbers would be others.
    """
    if (here := chosen_device().identity) != identity:
        raise InvalidInput(
            f"Where the work was given out it is done on {identity or 'the processor'}, and a process that does it "
            f"has {here or 'the processor'}: give both the same PARETOSCOPE_DEVICE and PARETOSCOPE_PRECISION."
        )


def device_of(kind: str, precision: str = "float32") -> Device:
    """One device per process and precision; "auto" for the first of CUDA, MPS and the processor that is there.

    Raises:
        InvalidInput: there is no such device, or no such precision of it.
        DataUnavailable: it is not there.
    """
    kinds = {"cpu": Device, "cuda": Cuda, "mps": Mps}
    if kind == "auto":
        kind = next(each for each in ("cuda", "mps", "cpu") if _is_there(each))
    if kind not in kinds:
        raise InvalidInput(f"There is no device called {kind!r}; choose auto, {', '.join(kinds)}.")
    if not _is_there(kind):
        raise DataUnavailable(
            f"PARETOSCOPE_DEVICE asks for {kind}, which this machine's torch does not find. Set it to auto or cpu, or "
            f"install a torch for {kind} and its driver."
        )
    return _made(kinds[kind], precision)


@cache
def _made(kind: type[Device], precision: str) -> Device:
    return kind(precision)


@cache
def _is_there(kind: str) -> bool:
    import torch

    if kind == "cuda":
        return torch.cuda.is_available()
    return kind == "cpu" or torch.backends.mps.is_available()


@contextmanager
def using(device: Device) -> Iterator[Device]:
    """Within it, in this thread, the device is chosen, whatever the settings say."""
    token = _within.set(device)
    try:
        yield device
    finally:
        _within.reset(token)


def beside(net: nn.Module, tree: T) -> T:
    """The tensors of a tree where a network has its weights; as they are where it has none."""
    found = next(_tensors_of(net), None)
    return tree if found is None else _mapped(lambda leaf: leaf.to(found.device), tree)


# --- trees and networks -------------------------------------------------------------------------


def _mapped(function: Callable[[Tensor], Tensor], tree: T) -> T:
    from torch import Tensor

    def map_tree(part: Any) -> Any:
        if isinstance(part, Tensor):
            return function(part)
        if isinstance(part, dict):
            return type(part)({name: map_tree(value) for name, value in part.items()})
        if hasattr(part, "_fields"):  # a tuple with names takes them one by one
            return type(part)(*map(map_tree, part))
        if isinstance(part, tuple | list):
            return type(part)(map_tree(value) for value in part)
        if is_dataclass(part) and not isinstance(part, type):
            return replace(part, **{each.name: map_tree(getattr(part, each.name)) for each in fields(part)})
        return part

    return cast(T, map_tree(tree))


def _as_numpy_reads(leaf: Tensor) -> Tensor:
    import torch

    here = leaf.detach().to("cpu")
    return here.float() if here.dtype == torch.bfloat16 else here


class _Weights:
    """The weights of a network as they are, to see later whether they still are."""

    def __init__(self, net: nn.Module) -> None:
        # The tensors themselves are kept, so that no other can have taken the place of one.
        self._tensors = [*_tensors_of(net)]
        self._versions = [_version(t) for t in self._tensors]

    def are_of(self, net: nn.Module) -> bool:
        """Whether the network has the same weights, and nobody wrote to them."""
        now = [*_tensors_of(net)]
        return (
            len(now) == len(self._tensors)
            and all(a is b for a, b in zip(now, self._tensors, strict=True))
            and self._versions == [_version(t) for t in now]
        )


def _version(tensor: Tensor) -> tuple[int, int]:
    return tensor.data_ptr(), 0 if tensor.is_inference() else tensor._version


def _tensors_of(net: nn.Module) -> Iterator[Tensor]:
    yield from net.parameters()
    yield from net.buffers()
