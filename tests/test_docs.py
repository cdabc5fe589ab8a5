"""What the README says is true: methods, pictures, commands, pages, shipped supernets."""

from __future__ import annotations

import hashlib
import re
import tomllib
from pathlib import Path

import pytest
import typer

from core.cli import tables
from core.cli.main import app
from core.library import supernets
from core.library.supernets import SUPERNET_FILE
from core.registry import ALL_REGISTRIES
from core.words import format_share

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def section(name: str) -> str:
    return README.split(f"<!-- {name} -->")[1].split(f"<!-- /{name} -->")[0].strip()


def test_methods_table_is_what_the_registries_hold() -> None:
    assert section("methods") == tables.methods_markdown(), "python -m core list --markdown"


def test_every_method_says_what_it_is_and_where_it_comes_from() -> None:
    tables.methods_markdown()
    sourced = {"family", "strategy", "algorithm", "dataset", "exporter"}
    for kind, registry in ALL_REGISTRIES.items():
        for info in registry.describe():
            assert info.summary, (kind, info.name)
            assert info.label != info.name, (kind, info.name)
            assert info.source or kind not in sourced, (kind, info.name)
            assert re.fullmatch(r"[a-z][a-z0-9_]*", info.name)


def test_pictures_exist_and_stay_small() -> None:
    pictures = re.findall(r"\]\((assets/images/[^)]+)\)", README)
    assert len(pictures) >= 5
    for picture in pictures:
        assert (ROOT / picture).stat().st_size < 400_000, picture


def test_the_lesson_in_the_readme_is_the_one_that_is_tried() -> None:
    """`tests/test_one_file.py` takes it to its end."""
    tried = ROOT / "tests" / "additions" / "lesson" / "core" / "lessons" / "last_points.py"
    assert section("lesson") == f"```python\n{tried.read_text(encoding='utf-8').rstrip()}\n```"


def test_commands_of_the_readme_exist() -> None:
    known = {
        command.name or command.callback.__name__
        for group in (app, *(each.typer_instance for each in app.registered_groups))
        for command in group.registered_commands
        if command.callback and not command.hidden
    } | {str(each.name) for each in app.registered_groups}
    named = set()
    for line in re.findall(r"^ +python -m core (.+)$", README, re.MULTILINE):
        head = line.split("#")[0].split("--")[0]
        named |= set(re.findall(r"(?:^|\| )(\w[\w-]*)", head))
    assert named <= known, named - known
    assert known <= named, known - named
    targets = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"^ +make ([\w-]+)", README, re.MULTILINE):
        assert f"\n{target}:" in targets


def test_every_command_has_help() -> None:
    """What a person sees: a sentence for the command, and one for every argument and flag."""
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    assert {"train", "search", "front", "costs", "extract", "data", "list", "check", "resume"} <= set(
        commands
    )
    for name, command in commands.items():
        assert command.help, name
        assert command.help.strip()[0].isupper(), name
        for parameter in command.params:
            said = getattr(parameter, "help", None)
            assert said or parameter.name == "help", f"{name}: {parameter.name}"


def test_pinned_requirements_name_the_owners_packages() -> None:
    pins = dict(
        re.findall(
            r"^([\w-]+)==(\S+)$", (ROOT / "requirements.txt").read_text(encoding="utf-8"), re.MULTILINE
        )
    )
    assert {"streamlit", "plotly", "torch", "pandas", "umap-learn"} <= set(pins)
    assert pins["torch"] == "2.13.0"


def test_version_is_the_same_everywhere() -> None:
    import core

    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == core.__version__
    assert f"## {core.__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_shipped_supernets_are_small_and_complete() -> None:
    folders = sorted((ROOT / "assets" / "supernets").iterdir())
    assert [f.name for f in folders] == ["digits-cnn", "digits-lesson", "earlier", "fashion-cnn"]
    assert sum(p.stat().st_size for f in folders for p in f.rglob("*")) < 5_000_000
    for entry in supernets.entries():
        assert entry.sha256 == hashlib.sha256(entry.read()).hexdigest()
        table = supernets.table(entry)
        assert len(table) == entry.space.size
        assert table["arch_id"].is_unique
        assert not table.isna().any(axis=None)
        assert entry.card.command.startswith("python -m core train ")


@pytest.mark.parametrize("row", [r for r in section("supernets").splitlines() if r.startswith("| `")])
def test_numbers_about_shipped_supernets_are_those_of_their_tables(row: str) -> None:
    name, _, size, accuracies, command = (cell.strip() for cell in row.strip("|").split("|"))
    entry = supernets.find(None, name.strip("`"))
    table = supernets.table(entry)
    found = table.set_index("arch_id")["test_accuracy"]
    smallest = found[entry.space.arch_id(entry.space.smallest)]
    # Chosen on validation images, of equals the cheapest; the test images only report.
    ordered = table.sort_values("macs", kind="stable")
    best = found[ordered["arch_id"].iloc[int(ordered["accuracy"].to_numpy().argmax())]]
    assert size == f"{entry.space.size:,}"
    assert accuracies == f"{format_share(smallest, 1)} and {format_share(best, 1)}"
    assert command.strip("`") == entry.card.command
    assert (ROOT / "assets" / "supernets" / entry.supernet_id / SUPERNET_FILE).is_file()


def test_there_is_a_row_for_each_shipped_supernet() -> None:
    assert section("supernets").count("| `") >= len(supernets.entries())
