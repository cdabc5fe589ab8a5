"""What processes say while they run: text, or with PARETOSCOPE_LOG=json one JSON object a line on standard error.

No line holds a secret: passwords in addresses and what the environment names as a password, key or token are crossed out.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import threading
import time
import traceback
from functools import lru_cache
from types import TracebackType
from typing import Any

from core.errors import InvalidInput
from core.settings import settings

LOG = logging.getLogger("paretoscope")
"""For what a person who runs a server should know."""
_SECRET_NAME = re.compile(r"(PASSWORD|PASSWD|SECRET|TOKEN|CREDENTIAL|_KEY)(_|$)", re.IGNORECASE)
_IN_ADDRESS = re.compile(r"(?<=://)([^\s:/@]*):([^\s/]+)@")
_IN_WORDS = re.compile(
    r"""((?:password|passwd|secret|token|api_?key)["']?\s*[=:]\s*)("[^"]*"|'[^']*'|[^\s,;&]+)""",
    re.IGNORECASE,
)
_HIDDEN = "***"
_SHORTEST = 4
"""A secret of fewer letters would be crossed out inside common words."""


def in_json() -> bool:
    """Whether lines are JSON."""
    try:
        return settings().log_format == "json"
    except InvalidInput:  # which is said, as text
        return False


def without_secrets(text: str) -> str:
    """The text with passwords, keys and tokens crossed out: those in it that look so, and those of the environment."""
    text = _IN_ADDRESS.sub(rf"\1:{_HIDDEN}@", text)
    text = _IN_WORDS.sub(rf"\1{_HIDDEN}", text)
    for secret in _secrets(_environment()):
        text = text.replace(secret, _HIDDEN)
    return text


def _environment() -> tuple[tuple[str, str], ...]:
    """What of the environment may hold a secret."""
    return tuple((n, v) for n, v in os.environ.items() if v and (_SECRET_NAME.search(n) or "://" in v))


@lru_cache(maxsize=4)
def _secrets(environment: tuple[tuple[str, str], ...]) -> tuple[str, ...]:
    """The secrets themselves, longest first, also as addresses spell them."""
    from urllib.parse import unquote

    found = set()
    for name, value in environment:
        if _SECRET_NAME.search(name):
            found.add(value)
        found |= {match[2] for match in _IN_ADDRESS.finditer(value)}
    found |= {unquote(each) for each in found}
    return tuple(sorted((each for each in found if len(each) >= _SHORTEST), key=len, reverse=True))


class JsonLines(logging.Formatter):
    """One JSON object a line: time (UTC), level, logger, server, run, message, and error with its traceback.

    Args:
        server: id of the server that writes; "" for none.
        run: id of the run that a worker works for; a record may name another as `run`.
    """

    def __init__(self, server: str = "", run: str = "") -> None:
        super().__init__()
        self.server, self.run = server, run

    def format(self, record: logging.LogRecord) -> str:
        error = record.exc_info and "".join(traceback.format_exception(*record.exc_info))
        said = {
            "time": f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(record.created))}.{int(record.msecs):03d}Z",
            "level": record.levelname.lower(),
            "logger": record.name,
            "server": getattr(record, "server", self.server),
            "run": getattr(record, "run", self.run),
            "message": record.getMessage(),
            "error": error,
        }
        return json.dumps(
            {name: without_secrets(text) for name, text in said.items() if text}, ensure_ascii=False
        )


class PlainLines(logging.Formatter):
    """Text, as a logger's own formatter writes it, without secrets."""

    def __init__(self, inner: logging.Formatter | None = None) -> None:
        super().__init__()
        self._inner = inner or logging.Formatter()

    def format(self, record: logging.LogRecord) -> str:
        return without_secrets(self._inner.format(record))


def begin(*, server: str = "", run: str = "") -> None:
    """Let everything that this process logs, and its uncaught errors, be written as the settings say.

    Called again, for what has been imported since has loggers of its own. As text, what was said before is said as it was,
    but for secrets.

    Args:
        server, run: ids that every JSON line names.
    """
    if not in_json():
        for handler in _handlers():
            if not isinstance(handler.formatter, PlainLines):
                handler.setFormatter(PlainLines(handler.formatter))
        if logging.lastResort is not None:
            logging.lastResort.setFormatter(PlainLines())
        return
    root = logging.getLogger()
    known = next((h.formatter for h in root.handlers if isinstance(h.formatter, JsonLines)), JsonLines())
    lines = JsonLines(server or known.server, run or known.run)
    if not any(isinstance(handler.formatter, JsonLines) for handler in root.handlers):
        root.handlers[:] = [logging.StreamHandler(sys.stderr)]
    LOG.setLevel(logging.INFO)
    for handler in _handlers():
        handler.setFormatter(lines)
    logging.captureWarnings(True)
    sys.excepthook = _uncaught
    threading.excepthook = lambda args: _uncaught(
        args.exc_type, args.exc_value or args.exc_type(), args.exc_traceback
    )


def _handlers() -> list[logging.StreamHandler[Any]]:
    """Of all loggers, those that write to a stream: programs around us bring their own."""
    known = [logging.getLogger(), *map(logging.getLogger, list(logging.root.manager.loggerDict))]
    every = [handler for logger in known for handler in logger.handlers]
    return [
        h for h in every if isinstance(h, logging.StreamHandler) and not isinstance(h, logging.FileHandler)
    ]


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if not issubclass(kind, KeyboardInterrupt | SystemExit):
        LOG.critical("unexpected error", exc_info=(kind, error, trace))


def say(line: str, *, level: int = logging.INFO, run: str = "") -> None:
    """A line of a server of jobs for whoever watches it: text on standard output with the time, or a JSON line."""
    if in_json():
        LOG.log(level, line, extra={"run": run} if run else {})
    else:
        print(f"{time.strftime('%H:%M:%S')} {without_secrets(line)}", flush=True)


def fail(message: str) -> None:
    """The one line on standard error with which a command ends."""
    if in_json():
        begin()
        LOG.error(message)
    else:
        print(without_secrets(message), file=sys.stderr)
