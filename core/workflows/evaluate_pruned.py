"""Evaluate pruned networks on further benchmarks: other severities, other attacks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import Field

from core.config import BaseConfig
from core.errors import DamagedArtifact
from core.library.benchmarks import CLEAN, Benchmarks, dump_margins, evaluate_net, require_benchmarks
from core.library.evaluated import EvaluatedRecord
from core.records import Progress

if TYPE_CHECKING:
    from core.ledger import Ledger
    from core.library.library import Library

LABEL = "Robustness"
WEIGHT_CLASS = "measuring"
_SETUP_SHARE = 0.1


class Request(BaseConfig):
    """Which networks to evaluate on what."""

    parent: str = Field(description="Id of the network that was pruned; it is evaluated too.")
    models: list[str] = Field(max_length=500, description="Ids of the pruned networks.")
    benchmarks: Benchmarks = Field(description="On what.")
    seed: int = Field(0, ge=0, description="Of all accidents.")


def run(request: Request, ledger: Ledger, library: Library) -> Iterator[Progress]:
    """Evaluate one network after the other; each is kept as soon as it is done.

    Raises:
        NotFound, InvalidInput: a network does not exist any more.
        DataUnavailable: the data set is neither here nor reachable.
    """
    yield Progress(0.0, "Loading the network and its data.")
    parent = library.network(request.parent)
    require_benchmarks(parent.entry.task)
    yield Progress(0.02, "How strong is each corruption on these samples? Measured once per data set.")
    judge = library.judge(parent.entry, seed=request.seed)
    benchmarks = [
        name
        for name in request.benchmarks.names(parent.entry.task, letters=bool(judge.probe.tokenizer))
        if name != CLEAN
    ]
    wanted = list(dict.fromkeys([request.parent, *request.models]))
    done = _so_far(ledger)
    for index, model_id in enumerate(wanted):
        if model_id in done:
            continue
        model = library.network(model_id)
        found = {}
        for count, (benchmark, margins) in enumerate(evaluate_net(model.net, judge, benchmarks), 1):
            found[benchmark] = margins
            share = (index + count / len(benchmarks)) / len(wanted)
            yield Progress(_SETUP_SHARE + (1 - _SETUP_SHARE) * share, f"Evaluating {model.info.title}.")
        name = f"margins-{index}.safetensors"
        ledger.save_artifact(name, dump_margins(found, judge.probe.fingerprint), "application/octet-stream")
        done[model_id] = name
        EvaluatedRecord(files=done).save(ledger)
    yield Progress(1.0, f"{len(wanted)} networks evaluated on {len(benchmarks)} benchmarks.")


def _so_far(ledger: Ledger) -> dict[str, str]:
    """Network id -> file with its margins, of those done."""
    try:
        record = EvaluatedRecord.so_far(ledger)
    except DamagedArtifact:
        # The check command names damage; what it held is measured again.
        return {}
    return dict(record.files) if record else {}
