"""Trials in the background: a page asks, and asks again a second later; what was found is kept on the disk.

One trial runs at a time in this server, in a process of its own. Each visitor has at most one trial waiting:
whoever moves a slider wants to know about where it stands now. A trial is kept under what decides its
result: the request, the data of the machine, and the version of torch.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

from pydantic import ValidationError

from core.cache import Cache
from core.config import JsonObject
from core.datasets.loading import write_whole
from core.errors import CoreError
from core.jobs.forecast import Trial, trial_params
from core.settings import settings
from core.store import RunStore

_ROOT = Path(__file__).resolve().parents[2]
_PATIENCE_SECONDS = 300.0
_AGAIN_SECONDS = 60.0
_MOST_KNOWN = 256
_MADE = re.compile(r"(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])")

Answer = Trial | str
"""A trial, or the sentence why there is none."""


class Trials:
    """The trials of one server."""

    def __init__(self) -> None:
        self._known: Cache[Trial] = Cache(_MOST_KNOWN)
        self._refused: dict[str, tuple[float, str]] = {}
        self._lock = threading.Lock()
        self._waiting: dict[str, tuple[str, JsonObject]] = {}
        self._busy = False

    def ask(
        self, kind: str, params: JsonObject, session: str, *, store: RunStore | None = None
    ) -> Answer | None:
        """What is known of a request; None while it is being tried, for which this call has asked.

        Args:
            kind: name of the workflow.
            params: its request.
            session: who asks; a new question replaces one of theirs that still waits.
            store: of a student, where what the request names is looked up: nobody else is told that answer. A request
                that names nothing anybody made is tried once for all.
        """
        decisive = trial_params(kind, params)
        own = store if store is not None and store.sandbox_id and _names_something(decisive) else None
        key = _key(kind, decisive, own.sandbox_id if own else None)
        known = self._answer(key)
        if known is not None:
            return known
        asked: dict[str, Any] = {"kind": kind, "params": params}
        if own:
            asked["environment"] = own.environment()
        with self._lock:
            self._waiting[session] = (key, asked)
            if not self._busy:
                self._busy = True
                threading.Thread(target=self._work, name="trials", daemon=True).start()
        return None

    def _answer(self, key: str) -> Answer | None:
        """What is known; a sentence why there is no trial holds for a minute."""
        since, sentence = self._refused.get(key, (float("-inf"), ""))
        if time.monotonic() < since + _AGAIN_SECONDS:
            return sentence
        found = self._known.find(key) or _kept(key)
        return None if found is None else self._known.put(key, found)

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._busy = False
                    return
                session = next(iter(self._waiting))
                key, request = self._waiting.pop(session)
            if self._answer(key) is None:
                answer = _tried(key, request)
                if isinstance(answer, Trial):
                    self._known.put(key, answer)
                else:
                    self._refused[key] = (time.monotonic(), answer)


def _names_something(params: JsonObject) -> bool:
    """Whether a request names a run, a supernet or a table that somebody made."""
    return _MADE.search(json.dumps(params)) is not None


def _tried(key: str, request: JsonObject) -> Answer:
    answer = spawn(request)
    if isinstance(answer, Trial):
        with suppress(CoreError):  # a full disk: it is tried again by the next server
            write_whole(_path(key), lambda file: file.write(answer.model_dump_json().encode()), private=True)
    return answer


def spawn(request: JsonObject) -> Answer:
    """Try a request in a process of its own, with its environment if it has one, and wait for it."""
    environment = cast(Mapping[str, str], request.get("environment", {}))
    try:
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-m", "core.jobs.trial_worker"],
            cwd=_ROOT,
            env={**os.environ, **environment, "OMP_NUM_THREADS": "1"},
            input=json.dumps({"kind": request["kind"], "params": request["params"]}).encode(),
            capture_output=True,
            timeout=_PATIENCE_SECONDS,
            check=False,
        )
        answer = json.loads(done.stdout)
        return Trial.model_validate(answer["trial"]) if "trial" in answer else str(answer["refused"])
    except subprocess.TimeoutExpired:
        return "The machine is too busy for a trial now."
    except (OSError, ValueError, KeyError, ValidationError):
        return "The trial did not end as it should."


def _kept(key: str) -> Trial | None:
    try:
        return Trial.model_validate_json(_path(key).read_bytes())
    except (OSError, ValueError):
        return None


def _path(key: str) -> Path:
    return settings().home / "forecasts" / f"{key}.json"


def _key(kind: str, params: JsonObject, sandbox_id: str | None) -> str:
    machine = [platform.node(), platform.machine(), os.cpu_count(), version("torch"), sys.version_info[:2]]
    of = [sandbox_id] if sandbox_id else []  # what was tried before there were sandboxes stays known
    text = json.dumps([kind, params, machine, *of], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
