"""A process that speaks with a Ray cluster for a driver: `python -m core.executors.ray_link`.

Ray ends the process that uses it when its head is gone, changes import paths and starts threads of its own, so it
lives here and not in the driver, which only hears events over a pipe. Calls are placed by us: each on a node that has
been asked for its code and its torch, so that a node which joins late computes nothing before it has answered, and a
call that is lost is started again with its last checkpoint and not, as Ray would, from its first argument. What waits
for room is told to Ray by itself (`core.executors.ray_demand`).
"""

from __future__ import annotations

import logging
import os
import queue
import signal
import socket
import sys
import threading
import time
import uuid
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from core.config import JsonObject
from core.errors import CoreError
from core.executors.backend import Failed, Lost
from core.executors.cluster_nodes import ClusterNodes, Listed
from core.executors.events_json import said
from core.executors.frames import packed, read_frame, unpacked, write_frame
from core.executors.ray_demand import Demand
from core.executors.ray_worker import Keeper, about, perform

_TICK_SECONDS = 0.25
_ENDING_SECONDS = 0.1
_POLITE_SECONDS = 0.5
"""So long a call that was told that nobody wants it may take to end by itself."""
_FORCED_SECONDS = 0.7
_NODES_SECONDS = 1.0
_HEAD_SECONDS = 10.0
"""A head that accepts no connection for so long is gone."""
_FIRST_NODES_SECONDS = 60.0


class Link:
    """The connection: what runs, what is shared, which nodes there are."""

    def __init__(self, answers: IO[bytes], head: JsonObject, shared: Mapping[str, bytes]) -> None:
        """Connect.

        Args:
            answers: where events go.
            head: address, code and torch of the driver; `work`, whether it has any, and does not only look.
            shared: see `Executor.opened`.

        Raises:
            CoreError: there is no cluster at the address, or it cannot be used from here.
        """
        self._answers, self._lock = answers, threading.Lock()
        self._ray = _connected(str(head["address"]))
        errors = self._ray.exceptions
        self._node_errors = (errors.NodeDiedError, errors.TaskUnschedulableError, errors.LocalRayletDiedError)
        self._session = uuid.uuid4().hex
        self._same = {"code": head["code"], "torch": head["torch"]}
        self._refs = {name: self._ray.put(value) for name, value in shared.items()}
        self._running: dict[int, tuple[Any, str]] = {}
        self._taking = False
        self.events: queue.SimpleQueue[tuple[Any, ...]] = queue.SimpleQueue()
        self.nodes = ClusterNodes(str(head["code"]), str(head["torch"]))
        context = self._ray.get_runtime_context()
        self._home = context.get_node_id()
        self._perform = self._ray.remote(num_cpus=1, max_retries=0)(perform)
        self._about = self._ray.remote(num_cpus=0, max_retries=0)(about)
        self._keeper = self._new_keeper()
        self._wanted: int | None = None if head["work"] else 0
        self._demand = Demand(self._ray, self._about, lambda *said: self.events.put(("seen", *said)))
        self.head_address = str(context.gcs_address)
        threading.Thread(target=self._watch_nodes, daemon=True).start()
        threading.Thread(target=self._watch_head, daemon=True).start()

    # --- what the driver says -------------------------------------------------------------------

    def submit(self, head: JsonObject, body: bytes) -> None:
        """Start a call on the node that has most room."""
        ticket, node = int(str(head["ticket"])), self.nodes.roomiest()
        if node is None:
            self._say(Lost(ticket, "the cluster had no node for it"))
            return
        told = {**head, **self._same, "session": self._session, "node": self.nodes.name(node)}
        reference = self._perform.options(scheduling_strategy=self._on(node)).remote(
            packed(told, body), self._refs, self._keeper
        )
        self._running[ticket] = (reference, node)
        self.nodes.count(node, 1)
        reference.future().add_done_callback(lambda future: self.events.put(("result", ticket, future)))

    def want(self, waiting: int) -> None:
        """So many more calls could run, if there were room."""
        self._wanted = waiting

    def stop(self) -> None:
        """Tell everything that runs that nobody wants it, end what does not end by itself, and wait a moment for it."""
        for _, node in self._running.values():
            self.nodes.count(node, -1)
        self._cancel()
        self._running.clear()
        self.tell_nodes()
        self._write({"event": "stopped"})

    def close(self) -> None:
        """Leave the cluster."""
        self._demand.withdraw()
        self._cancel()
        with suppress(Exception):
            self._ray.shutdown()

    # --- what the cluster says ------------------------------------------------------------------

    def result(self, ticket: int, future: Any) -> None:
        """A call has ended, in whatever way."""
        if ticket not in self._running:
            return
        _, node = self._running.pop(ticket)
        self.nodes.count(node, -1)
        error = future.exception()
        if error is None:
            head, body = unpacked(future.result())
            if head["event"] != "other":
                self._write(head, body)
                return
            self.nodes.refuse(node)
            self._say(Lost(ticket, f"{self.nodes.name(node)} has another release of Paretoscope"))
            return
        if isinstance(error, self._ray.exceptions.RayTaskError):
            self._say(Failed(ticket, "", str(error).strip().splitlines()[-1]))
            return
        gone = isinstance(error, self._node_errors)
        self.nodes.suspect(node, gone=gone)
        self.tell_nodes()
        with suppress(Exception):
            self.kept(self._ray.get(self._keeper.take.remote(), timeout=2))
        self._say(Lost(ticket, self._why(error, self.nodes.name(node), gone)))

    def kept(self, events: list[bytes]) -> None:
        """Checkpoints that calls handed over."""
        for event in events:
            self._write(*unpacked(event))

    def taken(self, future: Any) -> None:
        """The keeper has answered."""
        self._taking = False
        if future.exception() is None:
            self.kept(future.result())
        else:
            self._keeper = self._new_keeper()

    def tick(self) -> None:
        """Ask the keeper, if there may be anything."""
        if self._running and not self._taking:
            self._taking = True
            future = self._keeper.take.remote().future()
            future.add_done_callback(lambda done: self.events.put(("taken", done)))

    def look(self, found: list[Listed]) -> None:
        """The nodes as Ray lists them; new ones are asked what they compute with."""
        for node in self.nodes.update(found):
            reference = self._about.options(scheduling_strategy=self._on(node)).remote()
            reference.future().add_done_callback(
                lambda future, node=node: self.events.put(("about", node, future))
            )
        self.tell_nodes()
        wanted = self._wanted
        if wanted is None:  # whoever has come to compute needs a node at least
            wanted = int(not self.nodes.compute())
        # Machines that are started now are made as the one that was refused was.
        settled = not (self.nodes.any_refused() or self.nodes.being_asked())
        self._demand.arrange(wanted if settled else 0, self.nodes.alive())

    def seen(self, number: int, future: Any) -> None:
        """A question that waited for room has come to a node."""
        self._demand.heard(number, future)

    def told(self, node: str, future: Any) -> None:
        """A node has said what it computes with, or could not."""
        error = future.exception()
        head = None if error is not None else unpacked(future.result())[0]
        self.nodes.answered(node, head, "" if error is None else str(error))
        self.tell_nodes()

    def tell_nodes(self) -> None:
        """Send the driver all nodes."""
        self._write({"event": "nodes", "nodes": self.nodes.to_json()})

    def _cancel(self) -> None:
        if not self._running:
            return
        left = [reference for reference, _ in self._running.values()]
        # Ray ends this process where a call ends just as it is cancelled: those of milliseconds end by themselves.
        with suppress(Exception):
            _, left = self._ray.wait(left, num_returns=len(left), timeout=_ENDING_SECONDS)
        for force, seconds in ((False, _POLITE_SECONDS), (True, _FORCED_SECONDS)):
            with suppress(Exception):
                for reference in left:
                    self._ray.cancel(reference, force=force)
                _, left = self._ray.wait(left, num_returns=len(left), timeout=seconds)
            if not left:
                return

    # --- helpers --------------------------------------------------------------------------------

    def _why(self, error: Exception, node: str, gone: bool) -> str:
        if gone:
            return f"{node} went away"
        if isinstance(error, self._ray.exceptions.WorkerCrashedError):
            return f"its process on {node} ended early, often because memory ran out"
        if isinstance(error, self._ray.exceptions.OutOfMemoryError):
            return f"{node} ran out of memory"
        first = (str(error).strip() or type(error).__name__).splitlines()[0].partition(". ")[0]
        return f"its process on {node} was lost ({first.rstrip('.')})"

    def _say(self, event: Lost | Failed) -> None:
        self._write(*said(event))

    def _write(self, head: JsonObject, body: bytes = b"") -> None:
        with self._lock:
            write_frame(self._answers, head, body)

    def _on(self, node: str) -> Any:
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        return NodeAffinitySchedulingStrategy(node, soft=False)

    def _new_keeper(self) -> Any:
        made = self._ray.remote(num_cpus=0)(Keeper)
        return made.options(scheduling_strategy=self._on(self._home)).remote()

    def _watch_nodes(self) -> None:
        while True:
            with suppress(Exception):
                self.events.put(("nodes", self._ray.nodes()))
            time.sleep(_NODES_SECONDS)

    def _watch_head(self) -> None:
        host, _, port = self.head_address.rpartition(":")
        seen = time.monotonic()
        while time.monotonic() - seen < _HEAD_SECONDS:
            try:
                socket.create_connection((host.strip("[]"), int(port)), timeout=3).close()
                seen = time.monotonic()
            except OSError:
                pass
            time.sleep(1)
        # From here: the thread that serves may wait for the head, for a minute, until Ray ends the process.
        with suppress(OSError):
            self._write({"event": "gone"})
        os._exit(0)


def _connected(address: str) -> Any:
    _use_token()
    if address != "auto":
        host, _, port = address.rpartition(":")
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=5).close()
        except (OSError, ValueError) as error:
            raise CoreError(
                f"No Ray cluster answers at {address} (PARETOSCOPE_RAY_ADDRESS): start one with "
                "`ray start --head --port=6379` there, or unset the variable to compute on this machine."
            ) from error
    import ray

    try:
        ray.init(
            address=address,
            namespace="paretoscope",
            log_to_driver=False,
            logging_level=logging.ERROR,
            include_dashboard=None,
        )
    except Exception as error:
        cause = error.__cause__ or error
        said = [line for line in str(cause).strip().splitlines() if line.strip()] or [type(cause).__name__]
        raise CoreError(
            f"The Ray cluster at {address} cannot be used from here. This machine must be one of its nodes "
            f"(`ray start --address={address}`, with `--num-cpus=0` if it is not to compute). Ray says: {said[-1]}"
        ) from error
    return ray


def _use_token() -> None:
    """Speak as `ray start --head` does: with a token wherever there is one, unless the environment decides."""
    there = os.environ.get("RAY_AUTH_TOKEN") or os.environ.get("RAY_AUTH_TOKEN_PATH")
    if "RAY_AUTH_MODE" not in os.environ and (there or (Path.home() / ".ray" / "auth_token").exists()):
        os.environ["RAY_AUTH_MODE"] = "token"


def serve(link: Link, commands: IO[bytes]) -> None:
    """Do what the driver says and tell it what happens, until it closes its pipe."""

    def listen() -> None:
        while (frame := read_frame(commands)) is not None:
            link.events.put(("command", *frame))
        link.events.put(("end",))

    threading.Thread(target=listen, daemon=True).start()
    due = 0.0
    while True:
        try:
            kind, *rest = link.events.get(timeout=_TICK_SECONDS)
        except queue.Empty:
            kind, rest = "", []
        match kind:
            case "command" if rest[0]["command"] == "submit":
                link.submit(*rest)
            case "command" if rest[0]["command"] == "want":
                link.want(int(rest[0]["waiting"]))
            case "command":
                link.stop()
            case "result":
                link.result(*rest)
            case "nodes":
                link.look(*rest)
            case "about":
                link.told(*rest)
            case "taken":
                link.taken(*rest)
            case "seen":
                link.seen(*rest)
            case "end":
                return
        if time.monotonic() >= due:
            link.tick()
            due = time.monotonic() + _TICK_SECONDS


def main() -> int:
    """Serve one driver."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the driver
    answers, commands = os.fdopen(os.dup(1), "wb"), os.fdopen(os.dup(0), "rb")
    os.dup2(2, 1)
    opening = read_frame(commands)
    if opening is None:
        return 0
    head, body = opening
    shared, at = {}, 0
    sizes: Any = head["shared"]
    for name, size in sizes:
        shared[name], at = body[at : at + size], at + size
    try:
        link = Link(answers, head, shared)
    except CoreError as error:
        write_frame(answers, {"event": "unusable", "sentence": str(error)})
        return 0
    except Exception as error:  # of Ray's, which has many
        sentence = f"The Ray cluster at {head['address']} cannot be used: {type(error).__name__}: {error}"
        write_frame(answers, {"event": "unusable", "sentence": sentence})
        return 0
    del shared, body, opening
    with suppress(BrokenPipeError):
        serve(link, commands)
    link.close()
    return 0


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os._exit(code)  # Ray's threads would hold a process whose head is gone
