"""The predict.py of a download: the script for its kind of data and what all such scripts share, in one text."""

from __future__ import annotations

import ast
from functools import lru_cache
from pathlib import Path

from core.export import predicting

_FOLDER = Path(predicting.__file__).parent
_LATER = {"core", "numpy", "torch"}


@lru_cache
def predict_script(task: str) -> bytes:
    """The text of predict.py for one kind of data; it needs torch, numpy and safetensors, and nothing of ours.

    Args:
        task: registry name of the task; its script is `predicting/predict_TASK.py`.
    """
    about, imports, code = _parts((_FOLDER / f"predict_{task}.py").read_text(encoding="utf-8"))
    _, shared_imports, shared = _parts((_FOLDER / "common.py").read_text(encoding="utf-8"))
    # The shared part imports torch and numpy itself, and says in one sentence if they are missing.
    lines = sorted(
        {line for line in (*shared_imports, *imports) if line.split()[1].split(".")[0] not in _LATER}
    )
    lines.sort(key=lambda line: (line.split()[0] == "from", line))
    text = [
        about,
        "",
        "from __future__ import annotations",
        "",
        *_joined(lines),
        "",
        "",
        shared,
        "",
        "",
        code,
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
