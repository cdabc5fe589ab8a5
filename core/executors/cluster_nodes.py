"""The nodes of a cluster: who is there, who may compute, who has room."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from typing import NotRequired, TypedDict

from pydantic import JsonValue

from core.config import JsonObject
from core.executors.calls import Node

_SUSPECT_SECONDS = 20.0
"""So long a node that lost a call comes last: the cluster may not know yet that it is dead."""
_GONE_SECONDS = 40.0
"""So long what a call said of its node, that it is dead, counts for more than what the cluster says."""

_ANSWER_SECONDS = 60.0
"""So long a node that joins is expected to say what it computes with."""


class Listed(TypedDict):
    """What Ray says of a node."""

    NodeID: str
    Alive: bool
    NodeManagerAddress: str
    NodeManagerHostname: str
    NodeName: NotRequired[str]
    Resources: dict[str, float]


@dataclass
class _Known:
    node: Node
    running: int = 0
    asked: bool = False
    since: float = field(default_factory=lambda: time.monotonic())
    lost_at: float = float("-inf")
    gone_at: float = float("-inf")

    @property
    def alive(self) -> bool:
        return self.node.alive and time.monotonic() - self.gone_at > _GONE_SECONDS

    @property
    def usable(self) -> bool:
        return self.alive and bool(self.node.code) and not self.node.refused and self.node.cores > 0


class ClusterNodes:
    """What is known of each node, by Ray's id of it."""

    def __init__(self, code: str, torch: str) -> None:
        """`code` and `torch` are the driver's; a node with others computes nothing."""
        self._code, self._torch = code, torch
        self._known: dict[str, _Known] = {}

    def update(self, found: Iterable[Listed]) -> list[str]:
        """Take over Ray's list; the ids of nodes that are yet to be asked what they compute with."""
        names = Counter(_name(each) for each in found if each["Alive"])
        for each in found:
            resources = each["Resources"]
            identity, name = str(each["NodeID"]), _name(each)
            if identity not in self._known:
                if not each["Alive"]:  # had gone before we came
                    continue
                unique = name if names[name] == 1 and not self._has(name) else f"{name} ({identity[-6:]})"
                self._known[identity] = _Known(Node(unique, 0, 0, "", ""))
            known = self._known[identity]
            known.node = replace(
                known.node,
                alive=bool(each["Alive"]),
                cores=int(resources.get("CPU", 0)) if each["Alive"] else known.node.cores,
                memory=int(resources.get("memory", 0)) if each["Alive"] else known.node.memory,
            )
        new = [i for i, k in self._known.items() if k.node.alive and k.node.cores and not k.asked]
        for identity in new:
            self._known[identity].asked = True
        return new

    def _has(self, name: str) -> bool:
        return any(known.node.name == name for known in self._known.values())

    def answered(self, identity: str, said: JsonObject | None, error: str) -> None:
        """A node has said what it computes with (code, torch), or could not, for a reason."""
        known = self._known[identity]
        if said is None:
            missing = "No module named 'core" in error
            if not missing:
                known.asked = False  # it went away, or is too busy: it is asked again
                return
            sentence = f"{known.node.name} does not find Paretoscope: start Ray there in the project's folder, with PYTHONPATH=."
            known.node = replace(known.node, refused=sentence)
            return
        known.node = replace(known.node, code=str(said["code"]), torch=str(said["torch"]))
        if known.node.torch != self._torch:
            known.node = replace(
                known.node,
                refused=f"{known.node.name} has torch {known.node.torch or '(none)'}, and this machine {self._torch}: "
                f"install torch {self._torch} there.",
            )
        elif known.node.code != self._code:
            self.refuse(identity)

    def refuse(self, identity: str) -> None:
        """A node turned out to have other code."""
        known = self._known[identity]
        sentence = f"{known.node.name} has another release of Paretoscope, or changed files: update it."
        known.node = replace(known.node, refused=sentence)

    def suspect(self, identity: str, *, gone: bool) -> None:
        """A node has lost a call: a process of it has died, or the node itself."""
        known = self._known[identity]
        known.lost_at = time.monotonic()
        if gone:
            known.gone_at = known.lost_at

    def count(self, identity: str, change: int) -> None:
        """A call has begun (+1) or ended (-1) there."""
        self._known[identity].running += change

    def name(self, identity: str) -> str:
        """What a node is called."""
        return self._known[identity].node.name

    def roomiest(self) -> str | None:
        """The usable node with most free cores; one that lost a call lately only if there is no room elsewhere."""
        usable = [(i, k) for i, k in self._known.items() if k.usable]
        calm = time.monotonic() - _SUSPECT_SECONDS
        return max(
            usable,
            key=lambda each: (
                each[1].running < each[1].node.cores and each[1].lost_at < calm,
                each[1].node.cores - each[1].running,
            ),
            default=(None, None),
        )[0]

    def alive(self) -> list[str]:
        """Those that are there, whether they compute or not."""
        return [identity for identity, known in self._known.items() if known.alive]

    def compute(self) -> bool:
        """Whether anyone that is there has a core and is not refused."""
        return any(k.alive and k.node.cores > 0 and not k.node.refused for k in self._known.values())

    def any_refused(self) -> bool:
        """Whether any differs from the driver, or did while it was there."""
        return any(known.node.refused for known in self._known.values())

    def being_asked(self) -> bool:
        """Whether one that joined a moment ago is yet to say what it computes with."""
        recent = time.monotonic() - _ANSWER_SECONDS
        return any(
            k.alive and k.node.cores > 0 and not k.node.code and not k.node.refused and k.since > recent
            for k in self._known.values()
        )

    def to_json(self) -> list[JsonValue]:
        """All nodes, for the driver."""
        return [
            asdict(replace(known.node, running=known.running, alive=known.alive))
            for known in self._known.values()
        ]


def _name(found: Listed) -> str:
    name = str(found.get("NodeName") or "")
    return str(found["NodeManagerHostname"]) if name in ("", found["NodeManagerAddress"]) else name
