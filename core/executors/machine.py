"""This machine as a node: its name, its cores and memory, and what decides the bits that it computes."""

from __future__ import annotations

import hashlib
import os
import platform
from functools import cache
from importlib import metadata
from pathlib import Path

from core.executors.calls import Node
from core.settings import machine_memory

_CORE = Path(__file__).resolve().parents[1]


@cache
def code_hash() -> str:
    """SHA-256 over the names and bytes of all our Python sources, as this process found them first."""
    digest = hashlib.sha256()
    for path in sorted(_CORE.rglob("*.py")):
        source = path.read_bytes()
        digest.update(f"{path.relative_to(_CORE).as_posix()} {len(source)}\n".encode())
        digest.update(source)
    return digest.hexdigest()


@cache
def torch_version() -> str:
    """Of the installed torch, without importing it; "" if there is none."""
    try:
        return metadata.version("torch")
    except metadata.PackageNotFoundError:
        return ""


def n_cores() -> int:
    """Cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # no such question on this system
        return os.cpu_count() or 1


def node_name() -> str:
    """What this machine is called."""
    return platform.node() or "this machine"


def this_node(cores: int, running: int) -> Node:
    """This machine, with so many cores for calls and so many calls that run."""
    return Node(node_name(), cores, machine_memory(), torch_version(), code_hash(), running=running)
