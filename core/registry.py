"""Plug-ins: one file, one class, one name.

A registry knows its plug-ins from the *syntax tree* of its package, so menus, help texts and the
README's method table can be made without importing torch; `get` imports the one module it needs and
`create` builds the plug-in from its settings. Names are permanent: they are stored in runs.
"""

from __future__ import annotations

import ast
import difflib
import importlib
import importlib.util
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import ValidationError

from core.config import BaseConfig, JsonObject
from core.errors import NotFound, wrong_setting
from core.syntax import parse

T = TypeVar("T")
C = TypeVar("C", bound=type)


@dataclass(frozen=True)
class PluginInfo:
    """What a menu or a table shows of a plug-in, read without importing it.

    Attributes:
        facts: every attribute that its class sets to a text ("task_name" of a family).
    """

    kind: str
    name: str
    label: str
    source: str
    summary: str
    module: str
    facts: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)


class Registry(Generic[T]):
    """The plug-ins of one kind, found in the modules of one package.

    Args:
        kind: what one plug-in is called, for messages ("family", "strategy", ...).
        package: dotted name of the package whose modules are searched.
        variable: name of the registry object as it stands in the decorators of that package.
    """

    def __init__(self, kind: str, package: str, variable: str) -> None:
        self.kind = kind
        self.package = package
        self._variable = variable
        self._classes: dict[str, type] = {}
        self._infos: dict[str, PluginInfo] | None = None
        # Two sessions may open their first page together.
        self._lock = threading.RLock()
        ALL_REGISTRIES[kind] = self

    def register(self, name: str) -> Callable[[C], C]:
        """Class decorator: make the class available under `name`.

        Raises:
            ValueError: another class has that name already.
        """

        def decorate(cls: C) -> C:
            known = self._classes.get(name)
            if known is not None and (known.__module__, known.__qualname__) != (
                cls.__module__,
                cls.__qualname__,
            ):
                raise ValueError(f"{self.kind} {name!r} is registered twice")
            cls.name = name  # type: ignore[attr-defined]
            self._classes[name] = cls
            return cls

        return decorate

    def describe(self) -> list[PluginInfo]:
        """Every plug-in by name, without importing any of them."""
        with self._lock:
            if self._infos is None:
                self._infos = self._scan()
            return [self._infos[name] for name in sorted(self._infos)]

    def names(self) -> list[str]:
        return [info.name for info in self.describe()]

    def info(self, name: str) -> PluginInfo:
        """Label, source and summary of one plug-in.

        Raises:
            NotFound: no plug-in has that name; the message suggests the nearest one.
        """
        for info in self.describe():
            if info.name == name:
                return info
        near = difflib.get_close_matches(name, self.names(), n=1)
        hint = f" Did you mean {near[0]!r}?" if near else f" There are: {', '.join(self.names())}."
        raise NotFound(f"There is no {self.kind} called {name!r}.{hint}")

    def get(self, name: str) -> Any:
        """The class registered under `name`; imports its module at first use.

        Raises:
            NotFound: no plug-in has that name.
        """
        info = self.info(name)
        with self._lock:
            if name not in self._classes:
                importlib.import_module(info.module)
            return self._classes[name]

    def create(self, name: str, settings: JsonObject | BaseConfig | None = None, **given: Any) -> T:
        """A plug-in ready for use.

        Args:
            name: its registered name.
            settings: fields of its `Config`, or the validated `Config` itself; defaults where left out.
            given: what its contract builds it from besides, by name.

        Raises:
            NotFound: no plug-in has that name.
            InvalidInput: a setting is unknown or out of bounds; the sentence names it.
        """
        plugin = self.get(name)
        made: T = plugin(self.config(name, settings), **given)
        return made

    def config(self, name: str, settings: JsonObject | BaseConfig | None = None) -> Any:
        """The validated settings of a plug-in.

        Raises:
            NotFound, InvalidInput: see `create`.
        """
        plugin = self.get(name)
        if isinstance(settings, plugin.Config):
            return settings
        fields = settings.model_dump() if isinstance(settings, BaseConfig) else dict(settings or {})
        try:
            return plugin.Config.model_validate(fields)
        except ValidationError as error:
            raise wrong_setting(plugin.label, error) from error

    def _scan(self) -> dict[str, PluginInfo]:
        spec = importlib.util.find_spec(self.package)
        if spec is None or not spec.submodule_search_locations:
            raise ValueError(f"{self.package} is not a package")
        found: dict[str, PluginInfo] = {}
        # A package may lie in several folders: whoever adds one adds its plug-ins.
        folders = [Path(folder) for folder in spec.submodule_search_locations]
        for path in sorted(path for folder in folders for path in folder.glob("*.py")):
            module = self.package if path.stem == "__init__" else f"{self.package}.{path.stem}"
            for node in parse(path.read_text(encoding="utf-8")).body:
                if isinstance(node, ast.ClassDef) and (name := self._registered_name(node)):
                    found[name] = self._read(node, name, module)
        return found

    def _registered_name(self, node: ast.ClassDef) -> str | None:
        for decorator in node.decorator_list:
            match decorator:
                case ast.Call(
                    func=ast.Attribute(value=ast.Name(id=variable), attr="register"),
                    args=[ast.Constant(value=str(name))],
                ) if variable == self._variable:
                    return name
        return None

    def _read(self, node: ast.ClassDef, name: str, module: str) -> PluginInfo:
        literals: dict[str, str] = {}
        for statement in node.body:
            match statement:
                case ast.Assign(targets=[ast.Name(id=key)], value=value):
                    pass
                case ast.AnnAssign(target=ast.Name(id=key), value=ast.expr() as value):
                    pass
                case _:
                    continue
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                literals[key] = value.value
        doc = (ast.get_docstring(node) or "").strip().split("\n\n")[0].replace("\n", " ")
        return PluginInfo(
            self.kind, name, literals.get("label", name), literals.get("source", ""), doc, module, literals
        )


ALL_REGISTRIES: dict[str, Registry[Any]] = {}
"""Registries created so far, by kind."""
