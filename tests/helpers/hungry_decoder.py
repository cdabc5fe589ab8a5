"""A decoder that does what its options say: for tests of `core.confined` (`python -m tests.helpers.hungry_decoder`)."""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.confined import serve
from core.errors import InvalidInput


def work(data: bytes, options: Mapping[str, Any], target: Path) -> Mapping[str, Any]:
    target.write_bytes(data[::-1])
    match options["do"]:
        case "answer":
            return {"bytes": len(data), "nice": os.nice(0), "options": dict(options)}
        case "chatter":
            print("*** a library is talking ***", flush=True)
            os.write(1, b"and its C code, too")
            return {"said": "only this"}
        case "refuse":
            raise InvalidInput("This is not what was asked for.")
        case "spin":
            while True:
                pass
        case "grow":
            kept = []
            while True:
                kept.append(bytearray(2**24))
        case "fill":
            with target.open("wb") as file:
                while True:
                    file.write(bytes(2**20))
        case "sleep":
            time.sleep(60)
        case "abort":
            os.abort()
        case "fail":
            raise KeyError("a bug of ours")
        case "limits":
            names = ("AS", "CPU", "FSIZE", "CORE")
            return {name: resource.getrlimit(getattr(resource, f"RLIMIT_{name}"))[0] for name in names}
    return json.loads(sys.argv[1])


if __name__ == "__main__":
    serve(work)
