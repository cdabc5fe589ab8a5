"""Messages between two processes of ours over a pipe: a JSON head, then bytes."""

from __future__ import annotations

import json
import struct
from typing import IO

from core.config import JsonObject

_SIZES = struct.Struct(">IQ")


def write_frame(pipe: IO[bytes], head: JsonObject, body: bytes = b"") -> None:
    """Send a message whole; one thread at a time.

    Raises:
        OSError: nobody reads any more.
    """
    text = json.dumps(head).encode()
    pipe.write(_SIZES.pack(len(text), len(body)) + text)
    pipe.write(body)
    pipe.flush()


def read_frame(pipe: IO[bytes]) -> tuple[JsonObject, bytes] | None:
    """The next message; None where the pipe has ended, be it in the middle of one."""
    sizes = pipe.read(_SIZES.size)
    if len(sizes) < _SIZES.size:
        return None
    of_text, of_body = _SIZES.unpack(sizes)
    text, body = pipe.read(of_text), pipe.read(of_body)
    if len(text) < of_text or len(body) < of_body:
        return None
    head: JsonObject = json.loads(text)
    return head, body
