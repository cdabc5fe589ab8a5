"""Events as a head of JSON and a body of bytes, for the way between two processes."""

from __future__ import annotations

from core.config import JsonObject
from core.executors.backend import Event, Failed, Finished, Kept, Lost


def said(event: Event) -> tuple[JsonObject, bytes]:
    """An event as (head, body)."""
    if isinstance(event, Kept):
        return {"event": "kept", "ticket": event.ticket, "fraction": event.fraction}, event.checkpoint
    if isinstance(event, Finished):
        head: JsonObject = {
            "event": "finished",
            "ticket": event.ticket,
            "node": event.node,
            "seconds": event.seconds,
        }
        return head, event.value
    if isinstance(event, Failed):
        return {
            "event": "failed",
            "ticket": event.ticket,
            "error": event.error,
            "sentence": event.sentence,
        }, b""
    return {"event": "lost", "ticket": event.ticket, "why": event.why}, b""


def heard(head: JsonObject, body: bytes) -> Event:
    """The event that `said` wrote."""
    ticket = int(str(head["ticket"]))
    match head["event"]:
        case "kept":
            return Kept(ticket, body, float(str(head["fraction"])))
        case "finished":
            return Finished(ticket, body, str(head["node"]), float(str(head["seconds"])))
        case "failed":
            return Failed(ticket, str(head["error"]), str(head["sentence"]))
    return Lost(ticket, str(head["why"]))
