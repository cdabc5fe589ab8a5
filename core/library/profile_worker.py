"""The confined process that reads a latency profile: `python -m core.library.profile_worker`, see `core.confined`."""

from __future__ import annotations

from pathlib import Path

from core.config import JsonObject
from core.confined import serve
from core.evaluation.latency.profile import read_profile


def work(data: bytes, options: JsonObject, target: Path) -> JsonObject:
    """Read the profile and write it anew to `target`, with nothing that is not part of one."""
    profile = read_profile(data)
    target.write_bytes(profile.encode())
    return {"objective": profile.objective}


if __name__ == "__main__":
    serve(work)
