"""`doctor`, of a Ray cluster: its nodes, what they compute with, and why one is refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from core.errors import CoreError
from core.executors import Node
from core.executors.machine import code_hash, node_name, torch_version
from core.executors.ray_executor import nodes_at
from core.words import format_bytes, format_count

_SHOWN = 12
"""Of the hash of the code."""


def told(address: str, ask: Callable[[str], list[Node]] = nodes_at) -> Iterator[tuple[bool, str]]:
    """(whether it is fine, line) of the cluster, of this machine as its driver, and of each node.

    Args:
        address: of the head.
        ask: takes the address, and gives the nodes.
    """
    try:
        nodes = ask(address)
    except CoreError as error:
        yield False, str(error)
        return
    usable = [node for node in nodes if _is_usable(node)]
    refused = any(node.alive and node.refused for node in nodes)
    cores = sum(node.cores for node in usable)
    said = f"Ray cluster at {address}: {_count(len(usable), 'node')} with {_count(cores, 'core')}"
    if refused:
        said += "; no run starts before the refused are mended, or have left it"
    yield bool(usable) and not refused, said
    yield (
        True,
        f"this machine, {node_name()}, starts the calls: torch {torch_version() or '(none)'}, code {code_hash()[:_SHOWN]}",
    )
    for node in nodes:
        yield _line(node)


def _is_usable(node: Node) -> bool:
    return node.alive and node.cores > 0 and bool(node.code) and not node.refused


def _line(node: Node) -> tuple[bool, str]:
    about = f"node {node.name}: {_count(node.cores, 'core')}"
    about += f", {format_bytes(node.memory)}" if node.memory else ""
    if node.torch or node.code:
        about += f", torch {node.torch or '(none)'}, code {node.code[:_SHOWN]}"
    if node.refused:
        return False, f"{about}. Refused: {node.refused}"
    if not node.alive:
        return True, f"{about}, has gone: what ran there goes on elsewhere"
    if not node.cores:
        return True, f"{about}, so it takes no calls"
    if not node.code:
        return (
            False,
            f"{about}, has not said what it computes with: ask again, and if it stays so start Ray there anew",
        )
    return True, f"{about}, takes calls"


def _count(n: int, what: str) -> str:
    return f"{format_count(n)} {what}{'' if n == 1 else 's'}"
