"""The layers, checked from the syntax tree: imports point downwards, and some never happen at all."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import cache
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
        "device",
        "seeding",
        "runtime",
        "text",
        "confined",
        "quiet",
        "elsewhere",
        "logs",
        "over_seeds",
        "rank_correlation",
    },
    {"spaces", "records", "ledger", "words", "glossary", "executors", "people"},
    {"pareto", "chance"},
    {"datasets"},
    {"networks", "objectives", "tasks", "attacks"},
    {"similarity"},
    {"supernets"},
    {"training", "evaluation", "export", "geometry", "predictors"},
    {"pruning", "search", "proxies", "norm_search"},
    {"store"},
    {"library"},
    {"lessons"},
    {"workflows"},
    {"views", "jobs"},
    {"classes", "operations"},
    {"plots"},
    {"papers"},
    {"reports"},
    {"cli", "__main__", "__init__"},
]
LEVEL = {name: level for level, layer in enumerate(LAYERS) for name in layer}
ONLY_HERE = {
    "sqlalchemy": ("core/store",),
    "plotly": ("core/plots",),
    "matplotlib": ("core/papers",),
    "streamlit": ("app.py", "pages"),
}
NEVER_ON_A_PAGE = {"numpy", "torch", "plotly", "sklearn", "sqlalchemy"}


def sources() -> list[Path]:
    return [ROOT / "app.py", *sorted((ROOT / "pages").rglob("*.py")), *sorted((ROOT / "core").rglob("*.py"))]


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def nodes_of(path: Path) -> tuple[ast.AST, ...]:
    """All of its tree; walking it anew for each rule took longer than the rules."""
    return tuple(ast.walk(tree_of(path)))


def imports(path: Path) -> Iterator[tuple[str, int]]:
    """(dotted module, line) of every import: at the top, inside functions, and for type checkers alone."""
    for node in nodes_of(path):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} imports relatively"
            yield node.module or "", node.lineno
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_of(path): path for path in sources()}


def own_imports(nodes: Iterable[ast.AST]) -> Iterator[tuple[str, int]]:
    """(own module, line) of the imports in a piece of code; a name of a package is that package."""
    for inner in nodes:
        if isinstance(inner, ast.Import):
            names = [alias.name for alias in inner.names]
        elif isinstance(inner, ast.ImportFrom):
            names = [f"{inner.module}.{alias.name}" for alias in inner.names]
            names = [name if name in MODULES else str(inner.module) for name in names]
        else:
            continue
        yield from ((name, inner.lineno) for name in dict.fromkeys(names) if name in MODULES)


def inside_functions(nodes: Iterable[ast.AST]) -> list[ast.AST]:
    return [n for n in nodes if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]


def test_every_folder_and_module_of_core_has_a_place() -> None:
    found = {p.stem for p in (ROOT / "core").iterdir() if p.suffix == ".py" or (p / "__init__.py").is_file()}
    assert found <= set(LEVEL), f"no layer for {found - set(LEVEL)}"


def in_every_file(rule: Callable[[Path], None]) -> None:
    """What breaks a rule, of all files together: a test for each file would take longer to collect than to run."""
    broken = []
    for path in sources():
        try:
            rule(path)
        except AssertionError as error:
            broken.append(f"{path.relative_to(ROOT)}: {str(error).splitlines()[0]}")
    assert not broken, "\n".join(broken)


def test_imports_point_downwards() -> None:
    in_every_file(imports_point_downwards)


def imports_point_downwards(path: Path) -> None:
    relative = path.relative_to(ROOT)
    # Another package's types may be named anywhere.
    typing_only = {
        inner.lineno
        for node in nodes_of(path)
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        for inner in ast.walk(node)
        if isinstance(inner, ast.stmt)
    }
    mine = LEVEL[relative.with_suffix("").parts[1]] if relative.parts[0] == "core" else len(LAYERS)
    for module, line in imports(path):
        parts = module.split(".")
        if parts[0] == "core" and len(parts) > 1 and parts[1] in LEVEL:
            assert LEVEL[parts[1]] <= mine, f"{relative}:{line} imports {module} from above"
        if parts[0] in ("pages", "app"):
            assert relative.parts[0] in ("pages", "app.py"), f"{relative}:{line} imports {module}"
        for package, places in ONLY_HERE.items():
            if parts[0] == package and line not in typing_only:
                assert str(relative).startswith(places), f"{relative}:{line} imports {package}"
        if relative.parts[0] == "pages" and len(relative.parts) == 2:
            assert parts[0] not in NEVER_ON_A_PAGE, f"{relative}:{line}: a page holds no maths"


def test_files_stay_readable() -> None:
    in_every_file(stays_readable)


def stays_readable(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 400, f"{len(lines)} lines"
    tree = tree_of(path)
    for node in nodes_of(path):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            assert (node.end_lineno or 0) - node.lineno < 80, f"{node.name} is too long for a screen"
    assert ast.get_docstring(tree), "a module says what it is"


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = {name: {t for t, _ in own_imports(nodes_of(path)) if t != name} for name, path in MODULES.items()}
    done: set[str] = set()

    def walk(name: str, path: list[str]) -> None:
        assert name not in path, " -> ".join([*path[path.index(name) :], name])
        if name not in done:
            for other in sorted(graph[name]):
                walk(other, [*path, name])
            done.add(name)

    for name in graph:
        walk(name, [])


# What loads torch or umap when it is imported, and is therefore imported inside functions by code that pages use.
HEAVY = {
    "core.attacks.steps",
    "core.evaluation.by_network",
    "core.evaluation.carried",
    "core.evaluation.evaluator",
    "core.evaluation.kept_activations",
    "core.evaluation.latency.on_device",
    "core.evaluation.spread_walk",
    "core.evaluation.work",
    "core.export.exporting",
    "core.export.measuring_kit",
    "core.export.onnx_parts",
    "core.export.subnet",
    "core.export.tracing",
    "core.geometry.alignment",
    "core.geometry.connectivity",
    "core.lessons.relaxed",
    "core.networks.answers",
    "core.networks.attention_heads",
    "core.networks.calibration",
    "core.networks.capture",
    "core.networks.chain",
    "core.networks.costs",
    "core.networks.cut",
    "core.networks.decoder_graphs",
    "core.networks.file",
    "core.networks.generating",
    "core.networks.heads",
    "core.networks.outline",
    "core.networks.trees",
    "core.networks.units",
    "core.norm_search.layers",
    "core.norm_search.trial",
    "core.proxies.copies",
    "core.pruning.feature_merging",
    "core.pruning.pruners.by_criterion",
    "core.pruning.retraining",
    "core.supernets.decoder_space",
    "core.supernets.few_shot",
    "core.supernets.files",
    "core.supernets.folders.checking",
    "core.supernets.masked",
    "core.supernets.ordering",
    "core.supernets.statistics",
    "core.supernets.sub_spaces",
    "core.tasks.base",
    "core.training.alone",
    "core.training.blocks",
    "core.training.checkpoint",
    "core.supernets.mobile_stages",
    "core.supernets.ofa_mobilenet_v3",
    "core.supernets.ofa_proxyless",
    "core.supernets.converting",
    "core.supernets.loaders.converted_card",
    "core.supernets.reading.exported_run",
    "core.supernets.reading.onnx_run",
    "core.supernets.path_stages",
    "core.supernets.resnet_stages",
    "core.supernets.resnet_stems",
    "core.training.gradient_conflict",
    "core.training.gradient_matching",
    "core.training.loop",
    "core.training.plain",
    "core.supernets.new_classifier",
    "core.training.supernet_session",
    "core.training.watched",
    "core.training.work",
    "core.training.projection",
    "core.training.together",
}
# A command imports what it needs, so that `--help` comes at once; a worker listens before it loads anything.
AT_ONCE = ("core/cli/", "core/jobs/worker.py", "core/jobs/__init__.py")


def loads_torch(name: str) -> bool:
    """Whether importing a module imports torch, from the imports that run with it."""
    seen: set[str] = set()
    rest = [name]
    while rest:
        if (module := rest.pop()) in seen or module not in MODULES:
            continue
        seen.add(module)
        rest += [".".join(module.split(".")[:n]) for n in range(1, module.count(".") + 1)]
        for node in tree_of(MODULES[module]).body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = [a.name for a in node.names] if isinstance(node, ast.Import) else [str(node.module)]
                if {n.split(".")[0] for n in names} & {"torch", "umap"}:
                    return True
                rest += [target for target, _ in own_imports([node])]
    return False


def test_own_modules_are_imported_inside_functions_only_to_keep_torch_out() -> None:
    used: set[str] = set()
    for name, path in MODULES.items():
        relative = str(path.relative_to(ROOT))
        if not relative.startswith("core/") or relative.startswith(AT_ONCE):
            continue
        for function in inside_functions(nodes_of(path)):
            for target, line in own_imports(ast.walk(function)):
                assert target in HEAVY, (
                    f"{relative}:{line} imports {target} late: {name} may import it at its top"
                )
                used.add(target)
    assert used == HEAVY
    assert [name for name in sorted(HEAVY) if not loads_torch(name)] == []


def test_a_store_is_opened_by_whoever_starts_work_and_nowhere_else() -> None:
    opened = {
        str(path.relative_to(ROOT))
        for path in sources()
        for node in nodes_of(path)
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == "RunStore"
    }
    assert opened == {
        "core/cli/driving.py",
        "core/store/sandboxes.py",  # for workers, as their environment says
        "pages/ui/home_store.py",
    }


def test_no_call_is_a_wall_of_positions() -> None:
    walls = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in sources()
        if "migrations" not in path.parts  # a table is its columns
        for node in nodes_of(path)
        if isinstance(node, ast.Call) and len(node.args) >= 8
    ]
    assert walls == []


def test_the_formatter_is_seldom_told_to_look_away() -> None:
    python = [p for folder in ("core", "pages", "tests", "benchmarks") for p in (ROOT / folder).rglob("*.py")]
    mark = "# fmt: " + "skip"
    places = [str(p) for p in python for line in p.read_text(encoding="utf-8").splitlines() if mark in line]
    assert len(places) < 40, f"{len(places)} places"


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
extract_subnet.formats("elastic_cnn")
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


# Public signatures may hold a dictionary of anything only here, for one of six reasons.
UNTYPED = {
    # Tensors and arrays beside numbers, by name: a strategy's own state, a network's inputs, what tells of samples.
    "datasets.base:Dataset.inputs",
    "datasets.base:Raw.inputs",
    "datasets.base:RawImages.inputs",
    "datasets.graphs:RawGraph.inputs",
    "datasets.language:RawLanguage.inputs",
    "datasets.text_rows:RawTexts.inputs",
    "datasets.series:RawSeries.inputs",
    "datasets.tokens:RawTokens.inputs",
    "export.predicting.common:read_arrays",
    "export.tracing:feed",
    "networks.trees:flat",
    "networks.trees:unflat",
    "training.checkpoint:Restored.strategy",
    "training.checkpoint:dump",
    "training.checkpoint:restore",
    "training.strategies.base:Strategy.state_dict",
    "training.strategies.base:Strategy.load_state_dict",
    "training.strategies.boss_nas:BossNAS.state_dict",
    "training.strategies.boss_nas:BossNAS.load_state_dict",
    "training.strategies.fair:Fair.state_dict",
    "training.strategies.fair:Fair.load_state_dict",
    "training.strategies.elastic_vit_sampling:ElasticViTSampling.state_dict",
    "training.strategies.elastic_vit_sampling:ElasticViTSampling.load_state_dict",
    "training.strategies.shift_nas:ShiftNAS.state_dict",
    "training.strategies.shift_nas:ShiftNAS.load_state_dict",
    "training.strategies.pa_da:PADA.state_dict",
    "training.strategies.pa_da:PADA.load_state_dict",
    "training.strategies.loss_following:LossFollowing.state_dict",
    "training.strategies.loss_following:LossFollowing.load_state_dict",
    # JSON of a file that is judged here: what it returns, or raises, is typed.
    "datasets.tokenizer_judging:judged",
    "datasets.tokenizing:Tokenizing.__init__",
    "datasets.tokenizer_judging:numbered",
    "evaluation.costs:CostTable.to_json",
    "evaluation.costs:CostTable.from_json",
    "geometry.connectivity:Curve.from_json",
    "geometry.connectivity:Plane.from_json",
    "library.evaluated:EvaluatedRecord.upgraded",
    "library.results:Record.upgraded",
    "networks.untrusted_files:read_header",
    "spaces.choice:read_choice",
    "spaces.space:SearchSpace.from_dict",
    "spaces.space:SearchSpace.from_json",
    "supernets.reading.exported_archive:Archive.graph",
    "supernets.reading.exported_call:Call.__init__",
    "supernets.reading.exported_call:made",
    "supernets.reading.exported_call:names",
    "supernets.reading.onnx_shapes:folded",
    "supernets.stage_cost:StageCost.from_json",
    "views.written_space:inputs_of",
    # Rows of the database, whose columns the schema types.
    "store.class_rows:hash_of",
    "store.class_rows:is_whole",
    "store.class_rows:read_deal",
    "store.class_rows:read_entry",
    "store.class_rows:read_room",
    "store.class_rows:read_student",
    "store.class_rows:read_taking",
    "store.signing:Owner.columns",
    "store.ledger:encode_measurement",
    "store.ledger:measurement_hash",
    "store.rows:read_run",
    "store.rows:read_supernet",
    # Rows of any table, written as they are.
    "library.csv_tables:csv_bytes",
    # Pasted into downloads, which know no types of ours.
    "networks.blocks.operations_block:OperationsBlock.__init__",
    "networks.blocks.operations_block:OperationsBlock.plain",
    # Plotly's own.
    "plots.diagram:diagram_parts",
    "plots.finished:unchecked",
}
_ANYTHING = re.compile(r"\b(dict|Dict|Mapping|MutableMapping)(\[str, (Any|object)\]|\b(?!\[))")


def public_annotations(tree: ast.AST, prefix: str = "") -> Iterator[tuple[str, str]]:
    """(name, annotation) of what public functions take and give, and of the fields of public classes."""
    for node in ast.iter_child_nodes(tree):
        name = getattr(node, "name", "")
        if isinstance(node, ast.ClassDef) and not name.startswith("_"):
            for field in node.body:
                if isinstance(field, ast.AnnAssign) and not ast.unparse(field.target).startswith("_"):
                    yield f"{prefix}{name}.{ast.unparse(field.target)}", ast.unparse(field.annotation)
            yield from public_annotations(node, f"{prefix}{name}.")
        elif isinstance(node, ast.FunctionDef) and (not name.startswith("_") or name == "__init__"):
            given = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
            said = [each.annotation for each in given] + [node.returns]
            yield from ((f"{prefix}{name}", ast.unparse(each)) for each in said if each is not None)


def untyped(tree: ast.AST) -> set[str]:
    return {name for name, annotation in public_annotations(tree) if _ANYTHING.search(annotation)}


def test_public_contracts_hold_no_untyped_dictionaries() -> None:
    found = {
        f"{module.removeprefix('core.')}:{name}"
        for module, path in MODULES.items()
        if module.startswith("core")
        for name in untyped(tree_of(path))
    }
    assert found - UNTYPED == set(), (
        "say what is in it: a record, a TypedDict, JsonObject, Settings or Metrics"
    )
    assert UNTYPED - found == set(), "these are typed now"


@pytest.mark.parametrize(
    "hidden", ["dict[str, Any]", "list[dict[str, object]]", "dict | None", "Mapping[str, Any]"]
)
def test_an_untyped_dictionary_is_found_wherever_it_stands(hidden: str) -> None:
    places = {
        f"def f(x: {hidden}) -> int: ...": {"f"},
        f"def f() -> {hidden}: ...": {"f"},
        f"class C:\n    field: {hidden} = None\n    def g(self, *, y: {hidden}): ...": {"C.field", "C.g"},
        f"def _f(x: {hidden}): ...\nclass _C:\n    field: {hidden}": set(),
    }
    for text, names in places.items():
        assert untyped(ast.parse(text)) == names
    assert untyped(ast.parse("def f(x: dict[str, int], y: Mapping[str, float]) -> Metrics: ...")) == set()
