"""T14: what may not stand in the source, read from the syntax tree.

Each of these has once turned a file or a name from a stranger into running code, a page's script or a
hung process. The scanner itself is tested on a line of each.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted([*ROOT.glob("app.py"), *ROOT.glob("pages/**/*.py"), *ROOT.glob("core/**/*.py")])

MODULES = {
    "pickle",
    "cPickle",
    "dill",
    "cloudpickle",
    "shelve",
    "marshal",
    "joblib",
    "multiprocessing",
    "code",
}
NAMES = {"eval", "exec", "__import__"}
ATTRIBUTES = {
    "read_pickle",
    "to_pickle",
    "extractall",
    "unpack_archive",
    "fork",
    "forkpty",
    "system",
    "popen",
    "ProcessPoolExecutor",
    "unsafe_load",
    "full_load",
    "catch_warnings",
}
KEYWORDS = {
    ("weights_only", False),
    ("allow_pickle", True),
    ("unsafe_allow_html", True),
    ("unsafe_allow_javascript", True),
    ("shell", True),
}
# (path relative to the root, what) -> why it is safe there.
ALLOWED: dict[tuple[str, str], str] = {
    ("core/quiet.py", "catch_warnings"): "entered by the first thread and left by the last, under a lock",
}


def banned(source: str) -> list[tuple[int, str]]:
    """(line, what) of everything forbidden in a piece of Python."""
    found: list[tuple[int, str]] = []
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                found += [(node.lineno, f"import {a.name}") for a in names if a.name.split(".")[0] in MODULES]
            case ast.ImportFrom(module=str(module), names=names):
                if module.split(".")[0] in MODULES:
                    found.append((node.lineno, f"import {module}"))
                found += [(node.lineno, a.name) for a in names if a.name in ATTRIBUTES]
            case ast.Name(id=name) if name in NAMES:
                found.append((node.lineno, name))
            case ast.Attribute(attr=name, value=value) if name in ATTRIBUTES or (
                name in NAMES and isinstance(value, ast.Name) and value.id == "builtins"
            ):
                found.append((node.lineno, name))
            case ast.Call(func=ast.Attribute(attr="load", value=ast.Name(id="torch")), keywords=keywords):
                safe = any(
                    k.arg == "weights_only" and isinstance(k.value, ast.Constant) and k.value.value is True
                    for k in keywords
                )
                if not safe:
                    found.append((node.lineno, "torch.load without weights_only=True"))
        if isinstance(node, ast.Call):
            for keyword in node.keywords:
                if isinstance(keyword.value, ast.Constant) and (keyword.arg, keyword.value.value) in KEYWORDS:
                    found.append((node.lineno, f"{keyword.arg}={keyword.value.value}"))
    return found


def test_nothing_forbidden_stands_in_the_source():
    found = [
        f"{name}:{line}: {what}"
        for path in SOURCES
        for name in [str(path.relative_to(ROOT))]
        for line, what in banned(path.read_text(encoding="utf-8"))
        if (name, what) not in ALLOWED
    ]
    assert not found, "\n".join(found)


def test_there_is_something_to_scan():
    assert len(SOURCES) > 20


@pytest.mark.parametrize(
    "line",
    [
        "import pickle",
        "import pickle as p",
        "from pickle import loads",
        "import multiprocessing.pool",
        "from multiprocessing import Process",
        "import joblib",
        "eval('1')",
        "exec(text)",
        "run = eval",
        "__import__('os')",
        "import builtins; builtins.exec('1')",
        "pd.read_pickle(f)",
        "archive.extractall()",
        "shutil.unpack_archive(f)",
        "os.fork()",
        "with warnings.catch_warnings(): pass",
        "from warnings import catch_warnings",
        "os.system('ls')",
        "from os import system",
        "torch.load(f)",
        "torch.load(f, weights_only=False)",
        "torch.load(f, weights_only=flag)",
        "np.load(f, allow_pickle=True)",
        "st.markdown(x, unsafe_allow_html=True)",
        "subprocess.run(x, shell=True)",
        "concurrent.futures.ProcessPoolExecutor()",
    ],
)
def test_the_scanner_finds(line):
    assert banned(line)


@pytest.mark.parametrize(
    "line",
    [
        "model.eval()",
        "supernet.extract(arch)",
        "np.load(f, allow_pickle=False)",
        "torch.load(f, weights_only=True)",
        "'import pickle'",
        "subprocess.Popen([sys.executable, '-m', 'core.jobs.worker'])",
        "re.compile('x')",
    ],
)
def test_the_scanner_leaves_alone(line):
    assert banned(line) == []
