"""The contract of executors: pieces of work are functions by name, with bytes in and bytes out.

Whoever has work opens an executor and runs calls on its session, in one thread, the driver's. A function runs wherever
the executor decides, perhaps more than once (a process or a node may be lost in the middle), so it may depend on
nothing but its payload, what is shared, and its own last checkpoint, and it changes nothing outside. Only the driver
writes to the store. Nothing is pickled: bytes are JSON, npz or safetensors, and a name is a module of ours. Latency and
energy are never measured through an executor: nobody knows what else such a core does.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from contextlib import AbstractContextManager

from core.config import Plugin
from core.executors.session import Session
from core.registry import Registry


class Executor(Plugin, ABC):
    """A place where calls run."""

    @abstractmethod
    def opened(self, shared: Mapping[str, bytes]) -> AbstractContextManager[Session]:
        """A session; closing it ends everything that was started for it.

        Args:
            shared: bytes that every call may read, brought to each node once however many calls there are.

        Raises:
            CoreError: the place cannot be used; the sentence says what to do.
        """


EXECUTORS: Registry[Executor] = Registry("executor", "core.executors", "EXECUTORS")
