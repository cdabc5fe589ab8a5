"""The wish to stop a training early and keep what is there: written down with the run, so that it survives a restart.

A training looks for it several times a second and ends with its last whole epoch. One that had stopped already is
started once more: it finds the wish, trains nothing, and writes its supernet. The file stays and says when it ended.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from core.errors import DamagedArtifact

if TYPE_CHECKING:
    from core.ledger import Ledger

STOP_FILE = "stop.json"


def ask_to_stop(ledger: Ledger) -> None:
    """Have the training of this ledger end with its last whole epoch, and keep what it has."""
    ledger.save_artifact(STOP_FILE, json.dumps({"asked": True}).encode(), "application/json")


def asked_to_stop(ledger: Ledger) -> bool:
    """Whether somebody wants it to end."""
    if all(each.name != STOP_FILE for each in ledger.artifacts()):
        return False
    try:
        return bool(json.loads(ledger.artifact(STOP_FILE)).get("asked"))
    except DamagedArtifact:  # no training ends because of it
        return False


def withdraw(ledger: Ledger) -> None:
    """Have it go on after all: whoever resumes a training that was to be kept wants it trained."""
    if asked_to_stop(ledger):
        ledger.save_artifact(STOP_FILE, json.dumps({"asked": False}).encode(), "application/json")


def note_stop(ledger: Ledger, epoch: int, of: int) -> None:
    """Write down after which epoch a training ended that was to go on."""
    told = json.dumps({"asked": True, "epoch": epoch, "of": of})
    ledger.save_artifact(STOP_FILE, told.encode(), "application/json")
