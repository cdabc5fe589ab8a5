"""What the commands print and read: tables, architectures, lists of methods, a diagnosis."""

from __future__ import annotations

import importlib
import json
import platform
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.cli import flags, nodes_told
from core.cli.driving import find_supernet, open_store, run_workflow
from core.cli.saving import Saved
from core.config import Settings
from core.errors import CoreError, InvalidInput, NotFound
from core.ledger import Ledger
from core.objectives.base import FromProfile, names_of
from core.objectives.base import objectives as described
from core.records import Obtained, Source
from core.registry import ALL_REGISTRIES, Registry
from core.settings import settings
from core.spaces import Arch, SearchSpace
from core.text import display_name

if TYPE_CHECKING:
    import pandas as pd

    from core.library.supernets import SupernetEntry
    from core.workflows.train_supernet import Asked

_REGISTRIES = (
    "core.datasets.base",
    "core.supernets.families",
    "core.supernets.options.registry",
    "core.training.strategies",
    "core.training.losses",
    "core.predictors.base",
    "core.proxies.base",
    "core.search.base",
    "core.objectives.base",
    "core.export.base",
    "core.similarity.base",
    "core.networks.blocks.base",
    "core.tasks",
    "core.pruning.criteria.base",
    "core.pruning.pruners.base",
    "core.pruning.experiments.base",
    "core.datasets.corruptions.base",
    "core.attacks.base",
    "core.library.origins.base",
    "core.library.foreign_tables.base",
    "core.lessons.base",
)
_NEEDED = (
    "torch",
    "streamlit",
    "plotly",
    "matplotlib",
    "pandas",
    "numpy",
    "safetensors",
    "onnx",
    "onnxruntime",
    "moocore",
    "pymoo",
    "sqlalchemy",
    "pydantic",
    "sklearn",
    "umap",
)


def _listed() -> dict[str, Registry[Any]]:
    """The registries of the modules above by kind, whatever else this process has imported."""
    for module in _REGISTRIES:
        importlib.import_module(module)
    return {
        kind: registry
        for kind, registry in sorted(ALL_REGISTRIES.items())
        if any(f"{module}.".startswith(f"{registry.package}.") for module in _REGISTRIES)
    }


def methods(kind: str | None, name: str | None) -> Iterator[str]:
    """Lines of `list`; free of torch unless one method's settings are asked for.

    Raises:
        NotFound: there is no such kind or method.
    """
    registries = _listed()
    if kind is not None and kind not in registries:
        raise NotFound(f"There is no kind called {kind!r}; there are {', '.join(registries)}.")
    for each in [kind] if kind else registries:
        registry = registries[each]
        for info in registry.describe():
            if name in (None, info.name):
                paper = f"  [{info.source}]" if info.source else ""
                yield f"{each:<10} {info.name:<22} {info.label}: {info.summary}{paper}"
        if name is not None:
            config = getattr(registry.get(name), "Config", None)
            for flag, default, description in flags.describe(config) if config else []:
                yield f"    {flag:<26} {default:<12} {description}"


def methods_markdown() -> str:
    """The README's table of methods."""
    lines = ["| kind | name | what it is | source |", "|---|---|---|---|"]
    for kind, registry in _listed().items():
        for info in registry.describe():
            lines.append(f"| {kind} | `{info.name}` | {info.summary} | {info.source} |")
    return "\n".join(lines)


def names(text: str) -> list[str]:
    """ "accuracy,macs" as a list.

    Raises:
        InvalidInput: there is none.
        NotFound: one of them is no objective.
    """
    found = [part.strip() for part in text.split(",") if part.strip()]
    if not found:
        raise InvalidInput("--objectives: name at least one, separated by commas.")
    described(found)
    return found


def absolute(supernet: str) -> str:
    """A file's absolute path (a resumed run may start elsewhere); any other name as it is."""
    return str(Path(supernet).resolve()) if Path(supernet).is_file() else supernet


def architecture(space: SearchSpace, text: str) -> Arch:
    """An architecture from JSON or from its short id.

    Raises:
        InvalidInput: it is neither, or not one of this space.
    """
    if not text.lstrip().startswith("{"):
        return space.from_id(text)
    try:
        return space.from_dict(json.loads(text))
    except ValueError as error:
        raise InvalidInput(f"--arch is not valid JSON: {error}.") from error
    except RecursionError as error:
        raise InvalidInput(
            "--arch is nested too deeply; give a JSON object of choice names and options."
        ) from error


def exact_table(
    supernet: str,
    wanted: Sequence[str],
    also: Sequence[str],
    use_table: bool,
    processes: int,
    intervals: bool = False,
) -> tuple[SupernetEntry, pd.DataFrame]:
    """The supernet and a table of its whole space with `on_front` and `source`; interrupted, it is resumed.

    Test values are written and decide nothing: `on_front` looks at the other objectives. With `intervals` a table
    of which it is not known which samples were right is measured again.

    Raises:
        InvalidInput: none of the objectives may be chosen by; intervals of a front without an accuracy.
    """
    from core.library import supernets
    from core.library.chance_columns import chance_columns
    from core.library.correct import known_bits, measured_by
    from core.library.csv_tables import front_rows
    from core.library.latency import with_latencies
    from core.library.measuring import FROM_TABLE

    _say_what_decides(wanted)
    entry = find_supernet(supernet)
    every = [*wanted, *also]
    table, usual = (supernets.table_with_counts(entry) if use_table else None), FROM_TABLE
    if table is not None and names_of(FromProfile, every):
        table = with_latencies(open_store(), entry, entry.revision, table)[1]
    unknown = intervals and not known_bits(entry).by_split
    if processes != 1 or unknown or table is None or any(name not in table for name in every):
        params: Settings = {
            "supernet": absolute(supernet),
            "objectives": [*every],
            "processes": processes,
        }
        ledger = run_workflow("evaluate_table", params, title=f"all of {entry.title}")
        entry = measured_by(entry, ledger)
        table, usual = supernets.table(entry), Obtained(Source.MEASURED)
    assert table is not None
    beside = chance_columns(entry, table, wanted, also) if intervals else None
    return entry, front_rows(entry, table, wanted, usual, also, beside)


def saved(entry: SupernetEntry, table: pd.DataFrame, wanted: Sequence[str]) -> Saved:
    """What `--save` writes of a front of a whole space.

    Raises:
        InvalidInput: a front of fewer than two objectives.
    """
    from core.reports.captions import front_caption

    goals = described(wanted)
    return Saved(
        table=table,
        goals=goals,
        caption=front_caption(entry, goals, len(table)),
        label=f"front-{entry.supernet_id}",
        title=f"Front of {display_name(entry.title)}",
        one="subnet",
    )


def package(supernet: str, out: Path) -> Path:
    """Measure a supernet completely and write it as a folder that the app can ship."""
    from core.library import supernets
    from core.library.correct import measured_by
    from core.library.package_supernet import package_supernet
    from core.workflows.evaluate_table import Request

    entry = find_supernet(supernet)
    params = Request(supernet=absolute(supernet)).model_dump(mode="json")
    ledger = run_workflow("evaluate_table", params, title=f"all of {entry.title}")
    made = measured_by(entry, ledger)
    bits = None if made.read_bits is None else made.read_bits()
    return package_supernet(entry, ledger.artifact(supernets.TABLE_FILE), out, bits)


def about(supernet: str, ledger: Ledger | None = None) -> Callable[[list[str]], bytes]:
    """What `write_table` writes beside a table: of the whole space, or of a search's run."""
    from core.library.csv_tables import about_table

    entry, command = find_supernet(supernet), shlex.join(["python", "-m", "core", *sys.argv[1:]])
    search = None if ledger is None else ledger.params
    run_id = "" if ledger is None else ledger.run_id
    return lambda columns: about_table(entry, columns, search=search, run_id=run_id, command=command)


def _say_what_decides(wanted: Sequence[str]) -> None:
    shown = [o.label for o in described(wanted) if not o.for_choosing]
    chosen = [o.label for o in described(wanted) if o.for_choosing]
    if shown and not chosen:
        raise InvalidInput(
            f"A front by {' and '.join(shown)} would choose by test data; name an objective of validation data or a cost."
        )
    if shown:
        print(
            f"{' and '.join(shown)} cannot be chosen by: the column is written, and on_front looks at "
            f"{' and '.join(chosen)} alone.",
            file=sys.stderr,
        )


def split_training_flags(arguments: Sequence[str], params: Asked) -> Settings:
    """Extra flags of `train`: settings of the loop by name, those of others under their own heading.

    What is done to training samples (--flip) goes under "augmentation", the strategy's settings under
    "strategy_config".

    Raises:
        InvalidInput: a flag belongs to none of them.
    """
    from core.supernets.families import FAMILIES
    from core.training.config import TrainingConfig
    from core.training.strategies import STRATEGIES

    strategy = str(params["training"]["strategy"])
    others = {
        "augmentation": (FAMILIES.get(params["family"]).task.Augmentation, "training"),
        "strategy_config": (STRATEGIES.get(strategy).Config, f"strategy {strategy}"),
    }
    sorted_flags: dict[str, list[str]] = {name: [] for name in ("", *others)}
    target = sorted_flags[""]
    for argument in arguments:
        if argument.startswith("--"):
            field = argument.removeprefix("--").partition("=")[0].replace("-", "_")
            owners = [name for name, (model, _) in others.items() if field in model.model_fields]
            known = field in TrainingConfig.model_fields or not owners
            target = sorted_flags["" if known else owners[0]]
        target.append(argument)
    found = flags.parse(sorted_flags[""], TrainingConfig, "training")
    for name, (model, what) in others.items():
        if sorted_flags[name]:
            found[name] = flags.parse(sorted_flags[name], model, what)
    return found


def diagnose() -> Iterator[tuple[bool, str]]:
    """(whether it is fine, line) per thing the app needs."""
    version = platform.python_version()
    yield sys.version_info >= (3, 11), f"Python {version}"
    for package in _NEEDED:
        try:
            module = importlib.import_module(package)
        except ImportError:
            yield False, f"{package} is not installed: pip install -r requirements.txt"
        else:
            yield True, f"{package} {getattr(module, '__version__', '')}".rstrip()
    home = settings().home
    try:
        with open_store() as store:
            parts = store.storage()
        free = shutil.disk_usage(home).free / 1e9
        yield free > 1, f"home {home}, {free:.1f} GB free"
        for part in parts:
            yield True, f"{part.name}: {part.files} files, {part.bytes / 1e6:.1f} MB. {part.hint}".rstrip()
    except CoreError as error:
        yield False, str(error)
    if address := settings().ray_address:
        yield from nodes_told.told(address)
    from core.library import supernets

    for entry in supernets.entries():
        yield True, f"shipped supernet {entry.supernet_id}: {entry.space.size:,} architectures"
