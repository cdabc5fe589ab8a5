"""The layers, checked from the syntax tree: imports point downwards, and some never happen at all."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]

# Low to high; names on one line may import each other, and anything above.
LAYERS = [
    {
        "errors",
        "config",
        "cache",
        "syntax",
        "registry",
        "settings",
        "seeding",
        "runtime",
        "text",
        "confined",
        "quiet",
    },
    {"spaces", "records"},
    {"pareto"},
    {"datasets"},
    {"networks", "objectives", "tasks"},
    {"similarity", "attacks"},
    {"supernets"},
    {"training", "evaluation", "export", "geometry"},
    {"pruning", "search"},
    {"store"},
    {"library"},
    {"workflows"},
    {"views", "jobs"},
    {"plots"},
    {"cli", "__main__", "__init__"},
]
LEVEL = {name: level for level, layer in enumerate(LAYERS) for name in layer}
# Training writes its checkpoints through a ledger, whose shape alone it knows (types only).
ONLY_HERE = {"sqlalchemy": ("core/store",), "plotly": ("core/plots",), "streamlit": ("app.py", "pages")}
NEVER_ON_A_PAGE = {"numpy", "torch", "plotly", "sklearn", "sqlalchemy"}


def sources() -> list[Path]:
    return [ROOT / "app.py", *sorted((ROOT / "pages").rglob("*.py")), *sorted((ROOT / "core").rglob("*.py"))]


def imports(path: Path) -> Iterator[tuple[str, int]]:
    """(dotted module, line) of every import that runs; those for type checkers alone do not count."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if node in typing_only:
            continue
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} imports relatively"
            yield node.module or "", node.lineno
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)


def test_every_folder_and_module_of_core_has_a_place() -> None:
    found = {p.stem for p in (ROOT / "core").iterdir() if p.suffix == ".py" or (p / "__init__.py").is_file()}
    assert found <= set(LEVEL), f"no layer for {found - set(LEVEL)}"


@pytest.mark.parametrize("path", sources(), ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_downwards(path: Path) -> None:
    relative = path.relative_to(ROOT)
    mine = LEVEL[relative.with_suffix("").parts[1]] if relative.parts[0] == "core" else len(LAYERS)
    for module, line in imports(path):
        parts = module.split(".")
        if parts[0] == "core" and len(parts) > 1 and parts[1] in LEVEL:
            assert LEVEL[parts[1]] <= mine, f"{relative}:{line} imports {module} from above"
        if parts[0] in ("pages", "app"):
            assert relative.parts[0] in ("pages", "app.py"), f"{relative}:{line} imports {module}"
        for package, places in ONLY_HERE.items():
            if parts[0] == package:
                assert str(relative).startswith(places), f"{relative}:{line} imports {package}"
        if relative.parts[0] == "pages" and len(relative.parts) == 2:
            assert parts[0] not in NEVER_ON_A_PAGE, f"{relative}:{line}: a page holds no maths"


@pytest.mark.parametrize("path", sources(), ids=lambda p: str(p.relative_to(ROOT)))
def test_files_stay_readable(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 400, f"{len(lines)} lines"
    tree = ast.parse("\n".join(lines))
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            assert (node.end_lineno or 0) - node.lineno < 80, f"{node.name} is too long for a screen"
    assert ast.get_docstring(tree), "a module says what it is"


BROWSING = """
import sys
import core
from core.library import supernets, extract_subnet
from core.library import fronts as front_view
from core.objectives.base import OBJECTIVES
from core.registry import ALL_REGISTRIES
import core.datasets.base, core.supernets.families, core.search.base, core.export.base, core.training.strategies
for registry in ALL_REGISTRIES.values():
    registry.describe()
extract_subnet.formats()
for entry in supernets.entries():
    table = supernets.table(entry)
    view = front_view.front(table, ("macs", "accuracy"))
    supernets.stage_rows(entry, entry.space.from_id(view.knees["distance"]))
assert not {"torch", "umap", "streamlit"} & set(sys.modules), sorted({"torch", "umap", "streamlit"} & set(sys.modules))
"""


def test_browsing_loads_neither_torch_nor_umap() -> None:
    done = subprocess.run(
        [sys.executable, "-c", BROWSING], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr


NO_IMAGES = ("core/evaluation", "core/training", "core/export", "core/networks")


@pytest.mark.parametrize("folder", NO_IMAGES)
def test_only_files_of_the_image_task_speak_of_images(folder: str) -> None:
    """Names, texts and comments: what is for any kind of data speaks of samples."""
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in sorted((ROOT / folder).rglob("*.py"))
        if "image" not in path.stem
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if re.search("image|pixel|picture", line, re.IGNORECASE)
    ]
    assert not found, "\n".join(found)
    assert (ROOT / folder).is_dir()
