"""The `prune` command: prune one network in one or several ways, print what came of it, write one to a file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from core.cli import flags, tables
from core.cli.driving import find_supernet, open_store, run_workflow
from core.config import Settings
from core.errors import InvalidInput
from core.library.network_id import NetworkId
from core.library.pruned import PARENT, PrunedNet, PruningRecord

_FLAGS = {"sparsities": "sparsity", "severities": "severity", "tuning_epochs": "epochs", "name": "method"}


def prune(
    supernet: str,
    arch: str,
    methods: str,
    sparsities: str,
    arguments: Sequence[str],
    *,
    epochs: int,
    seed: int,
    severities: str,
    attacks: str,
) -> tuple[str, PruningRecord]:
    """Prune; the run's id, and what came of it.

    Args:
        supernet: a shipped name, an id or a file.
        arch: architecture of the network to prune; "" is the largest.
        methods: names, separated by commas.
        sparsities: shares, separated by commas.
        arguments: flags that are settings of the method, where only one is named.
        epochs: of fine-tuning.
        seed: of all chance.
        severities, attacks: benchmarks, separated by commas.

    Raises:
        InvalidInput, NotFound: a supernet, method or setting does not exist.
    """
    from core.library.networks import subnet_id
    from core.library.pruned import KIND
    from core.pruning.pruners.creating import METHODS

    entry = find_supernet(supernet)
    names = [METHODS.info(name.replace("-", "_")).name for name in _split(methods, "method")]
    if arguments and len(names) != 1:
        raise InvalidInput(
            "Settings belong to one method; name a single one with --method, or leave them out."
        )
    config = flags.parse(arguments, METHODS.get(names[0]).Config, f"pruner {names[0]}") if arguments else {}
    chosen = tables.architecture(entry.space, arch) if arch else entry.reference
    params: Settings = {
        "model": subnet_id(entry, entry.space.arch_id(chosen)),
        "methods": [
            {"name": n, "config": config, "sparsities": [*_numbers(sparsities, "sparsity")]} for n in names
        ],
        "tuning_epochs": epochs,
        "benchmarks": {
            "severities": [*_whole_numbers(severities, "severity")],
            "attacks": [*_split(attacks, "attacks")],
        },
        "seed": seed,
    }
    title = f"{entry.title} {entry.space.arch_id(chosen)} pruned"
    ledger = run_workflow(KIND, params, title=title, seed=seed, flags=_FLAGS)
    return ledger.run_id, PruningRecord.decode(ledger.artifact(PruningRecord.FILE))


def write(model_id: str, format_name: str, form: str) -> bytes:
    """One pruned network as a file's bytes.

    Raises:
        NotFound: there is no such network or format.
    """
    from core.library.extract_pruned import FORMS, download
    from core.library.pruned import describe_pruned

    if form not in FORMS:
        raise InvalidInput(f"--form is one of {', '.join(FORMS)}, not {form!r}.")
    store = open_store()
    which = NetworkId.parse(model_id)
    return download(store, describe_pruned(store, which.owner, which.number), format_name, form).data


def experiment(name: str, supernet: str, arguments: Sequence[str], *, seed: int) -> tuple[list[str], bytes]:
    """Run an experiment; its verdict, and all rows as CSV.

    Raises:
        InvalidInput, NotFound: an experiment, supernet or setting does not exist.
    """
    from core.library.csv_tables import csv_bytes
    from core.library.experiments import KIND, ExperimentRecord
    from core.library.networks import subnet_id
    from core.pruning.experiments.base import EXPERIMENTS

    plugin = EXPERIMENTS.get(EXPERIMENTS.info(name.replace("-", "_")).name)
    config = flags.parse(arguments, plugin.Config, f"experiment {plugin.name}")
    entry = find_supernet(supernet)
    model = subnet_id(entry, entry.space.arch_id(entry.reference))
    params = {"experiment": plugin.name, "config": config, "model": model, "seed": seed}
    ledger = run_workflow(KIND, params, title=plugin.label, seed=seed)
    record = ExperimentRecord.decode(ledger.artifact(ExperimentRecord.FILE))
    return list(record.verdict), csv_bytes([vars(row) for row in record.rows])


def lines(run_id: str, record: PruningRecord) -> Iterator[str]:
    """One JSON object per network, the parent first, then one per method that could not."""
    for net in record.models:
        known = {"model": _model_id(run_id, net, record), "method": net.method, "asked": net.asked}
        yield json.dumps(known | {"sparsity": net.sparsity, **net.numbers, "note": net.note})
    for lost in record.failures:
        yield json.dumps({"method": lost.method, "failed": lost.reason})


def last_made(run_id: str, record: PruningRecord) -> str | None:
    """Id of the last pruned network, None where no method could."""
    made = [net for net in record.models if net.index != PARENT]
    return _model_id(run_id, made[-1], record) if made else None


def _model_id(run_id: str, net: PrunedNet, record: PruningRecord) -> str:
    return record.model if net.index == PARENT else str(NetworkId.pruned(run_id, net.index))


def _split(text: str, flag: str) -> list[str]:
    found = [part.strip() for part in text.split(",") if part.strip()]
    if not found:
        raise InvalidInput(f"--{flag}: name at least one, separated by commas.")
    return found


def _whole_numbers(text: str, flag: str) -> list[int]:
    try:
        return [int(part) for part in _split(text, flag)]
    except ValueError as error:
        raise InvalidInput(f"--{flag}: {text!r} is no list of whole numbers separated by commas.") from error


def _numbers(text: str, flag: str) -> list[float]:
    try:
        return [float(part) for part in _split(text, flag)]
    except ValueError as error:
        raise InvalidInput(f"--{flag}: {text!r} is no list of numbers separated by commas.") from error
