"""The locks agree with the readable lists, are complete, and carry hashes for every platform."""

from __future__ import annotations

import re
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]


def listed(name: str) -> dict[str, str]:
    """Package -> version of a readable list."""
    pins = re.findall(r"^([\w.-]+)(?:\[[\w,-]+\])?==(\S+)$", (ROOT / name).read_text(), re.MULTILINE)
    return {canonicalize_name(package): version for package, version in pins}


def locked(name: str) -> dict[str, tuple[str, list[str]]]:
    """Package -> version and hashes of a lock."""
    blocks = re.findall(
        r"^([\w.-]+)==(\S+) \\\n((?:    --hash=.*\n?)+)", (ROOT / name).read_text(), re.MULTILINE
    )
    return {canonicalize_name(p): (v, re.findall(r"--hash=sha256:([0-9a-f]{64})\b", h)) for p, v, h in blocks}


RUN, DEV = locked("requirements.lock"), locked("requirements-dev.lock")


@pytest.mark.parametrize(
    ("name", "lock"), [("requirements.txt", RUN), ("requirements-dev.txt", {**RUN, **DEV})]
)
def test_a_lock_has_what_its_list_names(name: str, lock: dict[str, tuple[str, list[str]]]) -> None:
    pins = {package: version for package, version in listed(name).items() if package != "torch"}
    assert pins
    assert {package: lock.get(package, ("missing", []))[0] for package in pins} == pins


def test_torch_is_pinned_by_version_alone() -> None:
    assert "torch" in listed("requirements.txt")
    assert "torch" not in RUN | DEV


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_every_line_is_a_version_or_a_hash(name: str) -> None:
    for line in (ROOT / name).read_text().splitlines():
        assert re.fullmatch(r"#.*|[\w.-]+==[\w.+!]+ \\|    --hash=sha256:[0-9a-f]{64}( \\)?", line), (
            f"{line[:80]!r}: no addresses, no options"
        )
    assert all(hashes for _, hashes in locked(name).values())


def test_hashes_cover_the_other_platforms() -> None:
    for package in ("numpy", "pandas", "pyarrow", "scikit-learn", "onnxruntime"):
        assert len(RUN[package][1]) > 8, f"{package}: only the files of one machine"


def test_nothing_that_is_needed_is_missing() -> None:
    known = set(RUN) | {"torch"}
    for package in RUN:
        for text in metadata.requires(package) or []:
            needed = Requirement(text)
            if needed.marker is None or needed.marker.evaluate({"extra": ""}):
                assert canonicalize_name(needed.name) in known, f"{package} needs {needed}"


def test_no_package_is_locked_twice() -> None:
    assert not set(RUN) & set(DEV)
