"""The package's surface: functions under their public names, and nothing heavy behind them."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import subprocess
import sys
from types import FunctionType

import pytest

import core.pareto


@pytest.mark.parametrize("name", [m.name for m in pkgutil.iter_modules(core.pareto.__path__)])
def test_examples_in_docstrings_run(name):
    module = importlib.import_module(f"core.pareto.{name}")
    assert doctest.testmod(module).failed == 0


def test_public_names_are_functions_or_classes_with_a_docstring():
    for name in core.pareto.__all__:
        public = getattr(core.pareto, name)
        assert isinstance(public, FunctionType | type), name
        assert public.__doc__, name


def test_names_do_not_change_when_submodules_are_imported():
    code = (
        "import core.pareto, pkgutil, importlib\n"
        "for m in pkgutil.iter_modules(core.pareto.__path__): importlib.import_module(f'core.pareto.{m.name}')\n"
        "assert core.pareto.hypervolume([[1, 1]], [0, 0], maximize=[True, True]) == 1\n"
        "assert core.pareto.non_dominated([[1, 1]], maximize=[True, True]).all()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_import_loads_nothing_heavy():
    code = (
        "import sys, core.pareto\n"
        "heavy = {'torch', 'pandas', 'plotly', 'streamlit', 'sklearn', 'umap', 'pymoo'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
