"""What `doctor` says of a Ray cluster."""

from __future__ import annotations

from dataclasses import replace

import pytest
from typer.testing import CliRunner

from core.cli import nodes_told, tables
from core.cli.main import app
from core.errors import CoreError
from core.executors import Node
from core.executors.machine import code_hash, torch_version

GOOD = Node("one", 8, 4 << 30, "2.13.0", "c0de" * 16)
OTHER = replace(
    GOOD,
    name="two",
    torch="2.12",
    refused="two has torch 2.12, and this machine 2.13: install torch 2.13 there.",
)


def lines(*nodes: Node) -> list[tuple[bool, str]]:
    return list(nodes_told.told("head:6379", lambda address: list(nodes)))


def test_a_cluster_that_works_is_told_node_by_node() -> None:
    found = lines(
        GOOD,
        replace(GOOD, name="head", cores=0, memory=0, torch="", code=""),
        replace(GOOD, name="late", alive=False),
    )
    assert all(good for good, _ in found)
    said = [line for _, line in found]
    assert said[0] == "Ray cluster at head:6379: 1 node with 8 cores"
    assert f"torch {torch_version()}, code {code_hash()[:12]}" in said[1]
    assert said[2:] == [
        "node one: 8 cores, 4.29 GB, torch 2.13.0, code c0dec0dec0de, takes calls",
        "node head: 0 cores, so it takes no calls",
        "node late: 8 cores, 4.29 GB, torch 2.13.0, code c0dec0dec0de, has gone: what ran there goes on elsewhere",
    ]


def test_a_refused_node_is_a_fault_with_its_reason() -> None:
    found = lines(GOOD, OTHER, replace(GOOD, name="three", torch="", code=""))
    assert [good for good, _ in found] == [False, True, True, False, False]
    assert found[0][1] == (
        "Ray cluster at head:6379: 1 node with 8 cores; no run starts before the refused are mended, or have left it"
    )
    assert found[3][1].endswith("torch 2.12, code c0dec0dec0de. Refused: " + OTHER.refused)
    assert "ask again" in found[4][1]
    assert lines(replace(OTHER, alive=False), GOOD)[0][0], "who has left hinders nobody"
    assert not lines()[0][0]


def test_the_command_asks_the_cluster_that_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(address: str) -> list[Node]:
        raise CoreError(f"No Ray cluster answers at {address}.")

    monkeypatch.setenv("PARETOSCOPE_RAY_ADDRESS", "10.0.0.1:6379")
    monkeypatch.setattr(tables, "_NEEDED", ())  # importing them all takes seconds
    monkeypatch.setattr(nodes_told.told, "__defaults__", (nobody,))
    said = CliRunner().invoke(app, ["doctor"])
    assert said.exit_code == 1
    assert "BAD  No Ray cluster answers at 10.0.0.1:6379." in said.stdout
    monkeypatch.delenv("PARETOSCOPE_RAY_ADDRESS")
    assert "Ray" not in CliRunner().invoke(app, ["doctor"]).stdout
