"""What lies beyond this machine: servers, nodes, the device, and where files are; nothing where there is nothing beyond it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from core.executors.calls import Node
from core.executors.nodes_in_background import Told
from core.records import Run, RunState
from core.store.servers import PAGES, Server, Work
from core.words import format_bytes, format_count, format_share

QUIET = (
    "Everything runs on this machine. A further server (`python -m core work`), a Ray cluster, a GPU or an object store is one "
    "setting each: see *Beyond one machine* in the README."
)
_NONE = "–"


@dataclass(frozen=True)
class Place:
    """What the settings of this server say.

    Attributes:
        device: what computes, "" for the processor.
        ray_address: of the head of a Ray cluster, "" for none.
        files: where files are for all servers, "" for the home.
    """

    device: str = ""
    ray_address: str = ""
    files: str = ""


def is_worth_showing(place: Place, servers: Sequence[Server]) -> bool:
    """Whether anything lies beyond this one server and its home."""
    return len(servers) > 1 or bool(place.device or place.ray_address or place.files)


def headline(place: Place, servers: Sequence[Server], runs: Sequence[Run]) -> str:
    """All of it in a sentence or two, in Markdown; `runs` are those that wait or run."""
    waiting = sum(run.state is RunState.QUEUED for run in runs)
    at_work = sum(run.state is RunState.RUNNING for run in runs)
    takers = sum(not server.draining for server in servers)
    said = f"**{_count(len(servers), 'server')}**"
    if takers < len(servers):
        said += f", {takers} of them taking new work"
    said += f"; {_count(at_work, 'run')} at work, {waiting} waiting."
    parts = [f"computing on {place.device or 'the processor'}"]
    parts.append(f"files in `{place.files}`" if place.files else "files in the home")
    if place.ray_address:
        parts.append(f"spaces and searches on the Ray cluster at `{place.ray_address}`")
    return f"{said} {_first_upper(', '.join(parts))}."


def what_is_wrong(servers: Sequence[Server], runs: Sequence[Run]) -> str:
    """A sentence where something waits for a person, "" otherwise."""
    waiting = sum(run.state is RunState.QUEUED for run in runs)
    if servers and all(server.draining for server in servers):
        return (
            "No server takes new work, as you asked: what waits stays in the queue until one does. Press *Take work again* at "
            "one of them."
            if waiting
            else "No server takes new work, as you asked. Press *Take work again* at one of them before you start anything."
        )
    versions = sorted({server.version for server in servers})
    if len(versions) > 1:
        return f"Servers run different versions ({', '.join(versions)}): update the older ones, so that all measure alike."
    return ""


def server_rows(
    servers: Sequence[Server],
    work: Mapping[str, Work],
    runs: Sequence[Run],
    *,
    me: str,
    now: float,
) -> list[dict[str, str]]:
    """A row per server: who it is, what it does now, and what it has done.

    Args:
        servers: living ones.
        work: what each did, by its owner id.
        runs: those that wait or run.
        me: owner id of this server.
        now: seconds since 1970.
    """
    titles = {run.run_id: f"{run.title} ({format_share(run.fraction)})" for run in runs}
    rows = []
    for server, name in zip(servers, names(servers, me), strict=True):
        done = work.get(server.owner_id, Work(0, 0.0, 0))
        busy = [titles.get(run_id, run_id[:8]) for run_id in server.runs]
        if server.in_sandboxes:
            busy.append(_count(server.in_sandboxes, "job") + " of students")
        rows.append(
            {
                "server": name if server.does == PAGES else f"{name}, jobs only",
                "runs now": ", ".join(busy)
                or ("nothing, takes no new work" if server.draining else "nothing"),
                "workers": str(server.workers),
                "up for": about(now - server.since),
                "runs done": format_count(done.ended),
                "at work": about(done.seconds) if done.seconds else _NONE,
                "measured / s": rate(done),
            }
        )
    return rows


def names(servers: Sequence[Server], me: str) -> list[str]:
    """What each server is called: its machine, and its process where a machine has several."""
    machines = [server.name for server in servers]
    called = [
        f"{server.name} (process {server.pid})" if machines.count(server.name) > 1 else server.name
        for server in servers
    ]
    return [
        f"{name}, this one" if s.owner_id == me else name for name, s in zip(called, servers, strict=True)
    ]


def rate(work: Work) -> str:
    """Measurements per second at work."""
    if not work.measured or work.seconds < 1.0:
        return _NONE
    per_second = work.measured / work.seconds
    return f"{per_second:,.0f}" if per_second >= 10 else f"{per_second:.2g}"


def about(seconds: float) -> str:
    """A stretch of time in its largest unit: "50 s", "2 min", "3 h", "5 days"."""
    for unit, size in (("days", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= (2 * size if unit == "days" else size):
            return f"{seconds / size:.0f} {unit}"
    return f"{max(seconds, 0.0):.0f} s"


def node_rows(nodes: Sequence[Node]) -> list[dict[str, str]]:
    """A row per node of a cluster."""
    return [
        {
            "node": node.name,
            "cores": str(node.cores),
            "memory": format_bytes(node.memory) if node.memory else _NONE,
            "torch": node.torch or _NONE,
            "state": node.refused or _state(node),
        }
        for node in nodes
    ]


def _state(node: Node) -> str:
    if not node.alive:
        return "gone"
    if not node.cores:
        return "takes no calls"
    return "takes calls" if node.torch else "is asked"


def nodes_said(told: Told) -> str:
    """What to say of the nodes beside, or in the place of, their table."""
    if told.said:
        return told.said
    if told.nodes is None:
        return "Asking the Ray cluster for its nodes; this takes a few seconds, and nothing waits for it."
    usable = [node for node in told.nodes if node.alive and node.cores and not node.refused]
    said = (
        f"{_count(len(usable), 'node')} with {_count(sum(node.cores for node in usable), 'core')} together."
    )
    if any(node.alive and node.refused for node in told.nodes):
        said += " No run starts there before the refused are mended, or have left."
    return said


def _count(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{format_count(n)} {what}s"


def _first_upper(text: str) -> str:
    return text[:1].upper() + text[1:]
