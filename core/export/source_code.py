"""Python source of an extracted network: the classes it is made of, and the calls that build it.

`write_source` pastes the sources of the plain blocks a subnet uses and writes one constructor call
per block from its `arguments`. `rebuild` reads such a file back from its syntax tree, without
running it, and builds the network it describes.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Mapping, Sequence

from torch import nn

from core.errors import CoreError
from core.syntax import parse, source_of

_ALLOWED = frozenset({"torch", "safetensors"}) | sys.stdlib_module_names

_TOP_LEVEL = (ast.Import, ast.ImportFrom, ast.ClassDef, ast.FunctionDef)

_LOADER = '''
def load(path: str | Path | None = None) -> nn.Sequential:
    """The subnet with its weights (from the file beside this one), in eval mode."""
    net = build()
    net.load_state_dict(load_file(path or Path(__file__).with_name("model.safetensors")))
    return net.eval().requires_grad_(False)
'''


_BUILDER = '''
def build(described):
    """A network with fresh weights.

    Args:
        described: its blocks, each {"block": name, "arguments": {...}}.
    """
    return nn.Sequential(*(CLASSES[each["block"]](**each["arguments"]) for each in described))
'''

_BARE = ("from __future__ import annotations", "from torch import nn")
_WITH_WEIGHTS = (*_BARE, "from pathlib import Path", "from safetensors.torch import load_file")


def write_source(net: nn.Sequential, about: str) -> str:
    """The text of `model.py`.

    Args:
        net: an extracted network.
        about: module docstring: what this is.

    Raises:
        CoreError: a block does not say how it was constructed, or needs more than torch.
    """
    classes = block_classes(net)
    sources = "\n\n".join(source_of(cls).rstrip() + "\n" for cls in classes.values())
    build = (
        "def build() -> nn.Sequential:\n"
        '    """The network with fresh weights."""\n'
        f"    return {_sequential(net, 4)}\n"
    )
    imports = _imports(classes, "\n".join((sources, build, _LOADER)))
    printable = "".join(c if c.isprintable() or c == "\n" else " " for c in about)
    docstring = printable.replace("\\", "/").replace('"', "'")  # whatever it says, it stays a docstring
    return f'"""{docstring}"""\n\n{imports}\n\n\n{sources}\n\n{build}\n{_LOADER}'


def write_blocks(net: nn.Sequential) -> str:
    """The text of a `blocks.py` that builds networks from the names and arguments of their blocks.

    Args:
        net: has every block that one of the networks has.

    Raises:
        CoreError: see `block_classes`.
    """
    classes = block_classes(net)
    sources = "\n\n".join(source_of(cls).rstrip() + "\n" for cls in classes.values())
    names = "".join(f'    "{name}": {name},\n' for name in classes)
    known = f"CLASSES = {{\n{names}}}\n"
    imports = _imports(classes, f"{sources}\n{known}", always=_BARE)
    about = '"""The blocks that the subnets of this kit are made of, as plain torch code."""'
    return f"{about}\n\n{imports}\n\n\n{sources}\n\n{known}\n{_BUILDER}"


def block_classes(net: nn.Sequential) -> dict[str, type[nn.Module]]:
    """The plain classes a network is made of, by name, in the order of first use.

    Raises:
        CoreError: two classes share a name, or a block has no `arguments`.
    """
    found: dict[str, type[nn.Module]] = {}
    for block in _blocks(net):
        cls = type(block)
        if not isinstance(getattr(block, "arguments", None), dict):
            raise CoreError(
                f"A block of this subnet ({cls.__name__}) does not say how it was built; take another format."
            )
        if found.setdefault(cls.__name__, cls) is not cls:
            raise CoreError(f"Two blocks of this subnet are called {cls.__name__}; take another format.")
    return found


def rebuild(source: str, classes: Mapping[str, type[nn.Module]]) -> nn.Sequential:
    """The network that a text of `write_source` describes, with fresh weights; the text is not run.

    Args:
        source: the text.
        classes: the blocks it may use; the text must hold exactly their sources.

    Raises:
        CoreError: the text is not Python, imports too much, or holds other code than it should.
    """
    try:
        tree = parse(source)
        compile(tree, "model.py", "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        raise CoreError("The generated model.py is not valid Python.") from error
    if any(name.split(".")[0] not in _ALLOWED for name in _imported_modules(tree)):
        raise CoreError("The generated model.py needs more than torch and safetensors.")
    if not all(isinstance(node, _TOP_LEVEL) for node in tree.body[1:]):
        raise CoreError("The generated model.py holds more than imports, blocks and functions.")
    pasted = {node.name: ast.dump(node) for node in tree.body if isinstance(node, ast.ClassDef)}
    if pasted != {name: ast.dump(parse(source_of(cls)).body[0]) for name, cls in classes.items()}:
        raise CoreError("The generated model.py does not hold the blocks of this subnet.")
    match [node for node in tree.body if isinstance(node, ast.FunctionDef)]:
        case [
            ast.FunctionDef(name="build", body=[ast.Expr(), ast.Return(value=ast.Call() as call)]),
            ast.FunctionDef(name="load") as load,
        ] if ast.dump(load) == ast.dump(parse(_LOADER).body[0]):
            return _construct(call, classes)  # type: ignore[return-value]
    raise CoreError("The generated model.py does not build a network.")


def _blocks(net: nn.Sequential) -> list[nn.Module]:
    blocks: list[nn.Module] = []
    for part in net:
        blocks += _blocks(part) if type(part) is nn.Sequential else [part]
    return blocks


def _sequential(net: nn.Sequential, indent: int) -> str:
    margin = " " * (indent + 4)
    lines = [
        margin + (_sequential(p, indent + 4) if type(p) is nn.Sequential else _call(p)) + "," for p in net
    ]
    return "\n".join(["nn.Sequential(", *lines, " " * indent + ")"])


def _call(block: nn.Module) -> str:
    arguments: dict[str, object] = block.arguments  # type: ignore[assignment]
    for name, value in arguments.items():
        if _literal(repr(value)) != value:
            raise CoreError(f"{type(block).__name__} was built with a {name} that cannot be written as text.")
    inner = ", ".join(f"{name}={value!r}" for name, value in arguments.items())
    return f"{type(block).__name__}({inner})"


def _literal(text: str) -> object:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return None


def _imports(classes: Mapping[str, type], text: str, always: Sequence[str] = _WITH_WEIGHTS) -> str:
    """The import lines that the text uses, standard library first, in one order."""
    used = {node.id for node in ast.walk(parse(text)) if isinstance(node, ast.Name)}
    wanted = dict.fromkeys(always)
    names: dict[str, set[str]] = {}
    for module in {cls.__module__ for cls in classes.values()}:
        for node in parse(source_of(sys.modules[module])).body:
            if isinstance(node, ast.Import):
                wanted |= {
                    f"import {_alias(a)}": None
                    for a in node.names
                    if (a.asname or a.name.split(".")[0]) in used
                }
            elif isinstance(node, ast.ImportFrom):
                names.setdefault(node.module or "", set()).update(
                    _alias(a) for a in node.names if (a.asname or a.name) in used
                )
    for module, imported in names.items():
        wanted |= {f"from {module} import {name}": None for name in sorted(imported)}
    return _ordered(list(wanted))


def _alias(name: ast.alias) -> str:
    return f"{name.name} as {name.asname}" if name.asname else name.name


def _ordered(lines: list[str]) -> str:
    """__future__, standard library, others: a block each; names of one module on one line."""
    blocks: list[list[str]] = [[], [], []]
    plain = sorted(line for line in lines if line.startswith("import "))
    grouped: dict[str, list[str]] = {}
    for line in lines:
        if line.startswith("from "):
            module, _, name = line.removeprefix("from ").partition(" import ")
            grouped.setdefault(module, []).append(name)
    merged = [f"from {module} import {', '.join(sorted(grouped[module]))}" for module in sorted(grouped)]
    for line in [*plain, *merged]:
        root = line.split()[1].split(".")[0]
        blocks[0 if root == "__future__" else 1 if root in sys.stdlib_module_names else 2].append(line)
    return "\n\n".join("\n".join(block) for block in blocks if block)


def _imported_modules(tree: ast.Module) -> list[str]:
    names: list[str] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names.append(node.module or ".")
    return names


def _construct(call: ast.expr, classes: Mapping[str, type[nn.Module]]) -> nn.Module:
    match call:
        case ast.Call(
            func=ast.Attribute(value=ast.Name(id="nn"), attr="Sequential"), args=parts, keywords=[]
        ):
            return nn.Sequential(*(_construct(part, classes) for part in parts))
        case ast.Call(func=ast.Name(id=name), args=[], keywords=keywords) if name in classes:
            try:
                arguments = {str(word.arg): ast.literal_eval(word.value) for word in keywords}
                return classes[name](**arguments)
            except (TypeError, ValueError) as error:
                raise CoreError(
                    f"The generated model.py builds {name} with arguments it does not take."
                ) from error
    raise CoreError("The generated model.py builds something other than this subnet's blocks.")
