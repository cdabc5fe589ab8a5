"""Messages between two processes of ours: a JSON head, then bytes; over a pipe, or packed into one row of bytes."""

from __future__ import annotations

import json
import struct
from typing import IO

from core.config import JsonObject

_SIZES = struct.Struct(">IQ")


def packed(head: JsonObject, body: bytes = b"") -> bytes:
    """A message as one row of bytes."""
    text = json.dumps(head).encode()
    return _SIZES.pack(len(text), len(body)) + text + body


def unpacked(message: bytes) -> tuple[JsonObject, bytes]:
    """The message that `packed` wrote."""
    of_text, _ = _SIZES.unpack_from(message)
    end = _SIZES.size + of_text
    head: JsonObject = json.loads(message[_SIZES.size : end])
    return head, message[end:]


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
