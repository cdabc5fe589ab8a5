"""Calling a function of ours by its name, and putting what it raised into words that travel."""

from __future__ import annotations

import importlib
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import cast

from core import errors
from core.errors import CoreError
from core.executors.backend import Failed, Finished
from core.executors.calls import Desk

ROOT = Path(__file__).resolve().parents[2]
Function = Callable[[bytes, Desk], bytes]


def function_of(name: str) -> Function:
    """The function that "module:name" names.

    Raises:
        CoreError: it is none of ours.
    """
    module, _, attribute = name.partition(":")
    try:
        found = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name and not module.startswith(error.name):
            raise  # something that it needs
        raise CoreError(f"There is no module {module!r} to compute with.") from error
    function = getattr(found, attribute, None)
    own = getattr(function, "__module__", None) == module and not attribute.startswith("_")
    if not own or ROOT not in Path(found.__file__ or "/").resolve().parents:
        raise CoreError(f"{name!r} is not a function of this release.")
    return cast(Function, function)


def performed(ticket: int, function: str, payload: bytes, desk: Desk, node: str) -> Finished | Failed:
    """Call it here and now; nothing but what ends the process is raised.

    Args:
        ticket: of this start.
        function, payload, desk: see `Call`.
        node: where this is.
    """
    try:
        called = function_of(function)
        # After its module is there: importing is no part of the work.
        started = time.perf_counter()
        value = called(payload, desk)
        if not isinstance(value, bytes):
            raise TypeError(f"{function} returned {type(value).__name__}, not bytes")
        return Finished(ticket, value, node, time.perf_counter() - started)
    except CoreError as error:
        return Failed(ticket, _class_of(error), str(error))
    except Exception as error:
        traceback.print_exc(file=sys.stderr)
        return Failed(ticket, "", f"{type(error).__name__}: {error}")


def _class_of(error: CoreError) -> str:
    """The nearest class that `core.errors` has."""
    return next(cls.__name__ for cls in type(error).__mro__ if getattr(errors, cls.__name__, None) is cls)
