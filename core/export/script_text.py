"""A script that runs without this project, put together from its own file and from what it shares with others."""

from __future__ import annotations

import ast
from collections.abc import Collection, Sequence
from pathlib import Path


def script_text(
    folder: Path, name: str, later: Collection[str], shared: Sequence[str | Path] = ("common",)
) -> bytes:
    """The text of one script.

    Args:
        folder: of the scripts.
        name: of the script's own file, without the ending.
        later: packages that are not imported at the top: the shared part imports them itself, and says in one
            sentence if they are missing.
        shared: what the script begins with, in this order: files of the folder, or paths of others.
    """
    about, imports, code = _parts((folder / f"{name}.py").read_text(encoding="utf-8"))
    files = [each if isinstance(each, Path) else folder / f"{each}.py" for each in shared]
    before = [_parts(file.read_text(encoding="utf-8")) for file in files]
    every = [line for _, lines, _ in before for line in lines] + imports
    lines = sorted({line for line in every if line.split()[1].split(".")[0] not in later})
    lines.sort(key=lambda line: (line.split()[0] == "from", line))
    text = [
        about,
        "",
        "from __future__ import annotations",
        "",
        *_joined(lines),
        "",
        "",
        "\n\n\n".join([*(text for _, _, text in before), code]),
    ]
    return "\n".join(text).encode()


def _parts(source: str) -> tuple[str, list[str], str]:
    """The docstring, the import statements (but for __future__), and what follows them."""
    tree, lines = ast.parse(source), source.splitlines()

    def text(node: ast.stmt) -> str:
        return "\n".join(lines[node.lineno - 1 : node.end_lineno])

    imported = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    last = imported[-1].end_lineno or 0
    kept = [text(node) for node in imported[1:]]
    return text(tree.body[0]), kept, "\n".join(lines[last:]).strip("\n") + "\n"


def _joined(lines: list[str]) -> list[str]:
    """`from a import b` and `from a import c` as one line."""
    names: dict[str, set[str]] = {}
    plain = []
    for line in lines:
        module, found, listed = line.removeprefix("from ").partition(" import ")
        if line.startswith("from ") and found:
            names.setdefault(module, set()).update(part.strip() for part in listed.split(","))
        else:
            plain.append(line)
    return plain + [f"from {module} import {', '.join(sorted(listed))}" for module, listed in names.items()]
