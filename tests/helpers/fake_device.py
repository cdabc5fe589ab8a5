"""A device that is this machine's processor and behaves like an accelerator, only stricter.

Its tensors hold a tensor of the processor and compute with it, so that results are the processor's to the last bit.
But a tensor that was not moved may not meet one that was, `.numpy()` needs `.cpu()` first, chance must come from the
processor, memory is what the test says, and time passes only where the device works or somebody waits for it.

It is torch's place for other makers' backends, registered from Python, so models, optimizers and autograd take it for
a device like any other.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import return_and_correct_aliasing
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

from core.device import Device, using

NAME = "strict"
# Where a tensor of no dimensions may stand on the processor, as for CUDA; written by the autograd engine and by hooks.
_COPIES = {"aten::_to_copy", "aten::copy_"}


class NotMoved(RuntimeError):
    """Tensors of two devices met."""


class ChanceOnDevice(RuntimeError):
    """The device was asked for random numbers: another one would draw others."""


class FakeDevice(Device):
    """See above.

    Attributes:
        room: bytes that fit at once; None for as many as one likes.
        taken, most: bytes that tensors on it hold now, and held at most.
        moved: tensors that were moved to it.
        operation: seconds that an operation takes there.
        refusals: how often it had no room.
    """

    kind = NAME
    precisions = ("float32",)

    def __init__(self, room: int | None = None) -> None:
        super().__init__()
        self.room, self.taken, self.most, self.moved, self.refusals = room, 0, 0, 0, 0
        self.operation, self.operations = 0.0, 0
        self._busy_until = self._now = 0.0
        self._held: dict[int, list[int]] = {}
        self.clock = lambda: self._now

    @property
    def label(self) -> str:
        return "a strict device"

    def free_bytes(self) -> int | None:
        return None if self.room is None else max(0, self.room - self.taken)

    def synchronize(self) -> None:
        self._now = max(self._now, self._busy_until)

    def worked(self) -> None:
        """An operation was given to it, which nobody waits for."""
        self.operations += 1
        self._busy_until = max(self._busy_until, self._now) + self.operation

    def hold(self, moved: Moved) -> None:
        """A tensor is there from now until nobody has it."""
        storage = moved.held.untyped_storage()
        place, size = storage.data_ptr(), storage.nbytes()
        if not size:
            return
        entry = self._held.setdefault(place, [0, size])
        if entry[0] == 0:
            if self.room is not None and self.taken + size > self.room:
                del self._held[place]
                self.refusals += 1
                raise torch.OutOfMemoryError("no room on the strict device")
            self.taken += size
            self.most = max(self.most, self.taken)
        entry[0] += 1
        weakref.finalize(moved, self._release, place).atexit = False

    def _release(self, place: int) -> None:
        entry = self._held[place]
        entry[0] -= 1
        if not entry[0]:
            self.taken -= entry[1]
            del self._held[place]


_current: list[FakeDevice] = []


@contextmanager
def fake_device(room: int | None = None) -> Iterator[FakeDevice]:
    """Within it, a new one is the chosen device."""
    device = FakeDevice(room)
    _current.append(device)
    try:
        with using(device):
            yield device
    finally:
        _current.pop()


class Moved(Tensor):
    """A tensor on the strict device."""

    held: Tensor

    @staticmethod
    def __new__(cls, held: Tensor) -> Moved:
        return Tensor._make_wrapper_subclass(  # type: ignore[attr-defined, no-any-return]
            cls,
            held.shape,
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            device=torch.device(NAME, 0),
        )

    def __init__(self, held: Tensor) -> None:
        self.held = held
        if _current:
            _current[-1].hold(self)

    def __repr__(self) -> str:  # type: ignore[override]
        return f"Moved({self.held})"

    __torch_function__ = torch._C._disabled_torch_function_impl  # type: ignore[assignment]

    @classmethod
    def __torch_dispatch__(  # type: ignore[override]
        cls, func: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        return _run(func, *args, **(kwargs or {}))


def _run(func: Any, *args: Any, **kwargs: Any) -> Any:
    name, device = func.name(), kwargs.get("device")
    if name.startswith("aten::to."):  # as it comes in inference mode, not yet taken apart
        return func.decompose(*args, **kwargs)
    there = device is not None and torch.device(device).type == NAME
    inputs = [leaf for leaf in pytree.tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
    if name not in _COPIES:
        _require_together(func, inputs)
        _require_no_chance(func, inputs, there)
    elif name == "aten::_to_copy":
        there = isinstance(args[0], Moved) if device is None else there
    elif _current and isinstance(args[0], Moved) and not isinstance(args[1], Moved):
        _current[-1].moved += 1
    on = there if name == "aten::_to_copy" or not inputs else any(isinstance(each, Moved) for each in inputs)
    given = {key: value for key, value in kwargs.items() if key != "device"}
    found = func(*pytree.tree_map_only(Moved, _held, args), **pytree.tree_map_only(Moved, _held, given))
    if _current and on:
        _current[-1].worked()
    if name == "aten::copy_":
        return args[0]
    if not on:
        # Its own tensor might be written to while the device still has it.
        return pytree.tree_map_only(Tensor, torch.clone, found) if found is inputs[0] else found
    # A view of weights is no inference tensor, though it is taken in inference mode.
    normal = func.is_view and not inputs[0].is_inference()
    with torch.inference_mode(mode=False) if normal else nullcontext():
        wrapped = pytree.tree_map_only(Tensor, Moved, found)
    if name == "aten::_to_copy":
        return wrapped
    return return_and_correct_aliasing(func, args, kwargs, wrapped)


def _held(tensor: Moved) -> Tensor:
    return tensor.held


def _require_together(func: Any, inputs: list[Tensor]) -> None:
    loose = [each for each in inputs if not isinstance(each, Moved)]
    pointwise = torch.Tag.pointwise in func.tags
    if len(loose) < len(inputs) and any(each.ndim or not pointwise for each in loose):
        raise NotMoved(f"{func.name()}: a tensor on the processor meets one on the device")


def _require_no_chance(func: Any, inputs: list[Tensor], there: bool) -> None:
    # Dropout that drops nothing is tagged like one that does.
    drops_nothing = "dropout" in func.name() or "attention" in func.name()
    draws = torch.Tag.nondeterministic_seeded in func.tags and not drops_nothing
    if draws and (there or any(isinstance(each, Moved) for each in inputs)):
        raise ChanceOnDevice(f"{func.name()} draws on the device")


def _register() -> list[torch.library.Library]:
    """Once per process and before anything had a gradient: autograd starts a thread per device then and none later."""
    _setup_privateuseone_for_python_backend(NAME)
    every = torch.library.Library("_", "IMPL")
    every.fallback(_run, "PrivateUse1")
    # What torch calls from C++ while it makes a tensor does not find the way to a fallback.
    own = torch.library.Library("aten", "IMPL")
    makers: dict[str, Callable[..., Any]] = {
        "empty.memory_format": torch.ops.aten.empty.memory_format,
        "empty_strided": torch.ops.aten.empty_strided.default,
        "copy_": torch.ops.aten.copy_.default,
    }
    for name, operation in makers.items():
        own.impl(name, partial(_run, operation), "PrivateUse1")
    return [every, own]


_LIBRARIES = _register()
