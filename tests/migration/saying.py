"""What this code says of a home: the one place that knows where things are called what.

`expected.json` holds what release 0.1 said through these functions. When modules move, only the imports here
follow them; the shapes of the answers stay.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import json
import math
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import numpy as np
import pytest
import streamlit as st
import torch
from streamlit.testing.v1 import AppTest

from core.library import extract_subnet
from core.library import supernets as library
from core.library.alone import list_alone
from core.library.evaluated import EvaluatedRecord
from core.library.experiments import ExperimentRecord
from core.library.fronts import front
from core.library.maps import MapRecord
from core.library.mixing import MixingRecord
from core.library.networks import load_model
from core.library.pruned import failures, list_pruned, load_masked, parents
from core.library.suggestions import suggestions
from core.library.supernets import SupernetEntry
from core.records import RunState
from core.settings import settings
from core.store import RunStore
from core.views.pruning import pruning_view

ROOT = Path(__file__).resolve().parents[2]
_IMAGES = 5


def open_store() -> RunStore:
    """The store of the home that the environment names."""
    place = settings()
    return RunStore(place.database_url, place.home)


def plain(value: Any) -> Any:
    """A value as JSON would give it back; NaN as None."""
    return json.loads(json.dumps(_plain(value)))


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    return None if isinstance(value, float) and not math.isfinite(value) else value


# --- runs and supernets -------------------------------------------------------------------------------


def runs(store: RunStore) -> list[dict[str, Any]]:
    """Every run, newest first, with what its ledger holds."""
    return [plain(_run(store, run)) for run in store.list_runs()]


def _run(store: RunStore, run: Any) -> dict[str, Any]:
    ledger = store.ledger(run.run_id)
    kept = ledger.latest_checkpoint()
    return {
        "id": run.run_id,
        "kind": run.kind,
        "title": run.title,
        "state": run.state.value,
        "seed": run.seed,
        "session": run.session,
        "params": run.params,
        "fraction": run.fraction,
        "message": run.message,
        "created": run.created,
        "log": store.log_lines(run.run_id),
        "artifacts": {a.name: [a.sha256, a.size, a.media_type] for a in ledger.artifacts()},
        "checkpoint": hashlib.sha256(kept).hexdigest() if kept is not None else None,
        "measurements": store.count_measurements(run.run_id),
        "metrics": ledger.metrics(),
    }


def supernets(store: RunStore) -> list[dict[str, Any]]:
    """Every supernet of the library, in its order."""
    return [
        {
            "id": entry.supernet_id,
            "title": entry.title,
            "origin": entry.origin,
            "family": entry.family,
            "sha256": entry.sha256,
            "bytes_sha256": hashlib.sha256(entry.read()).hexdigest(),
            "table_sha256": entry.table_sha256,
            "subnets": entry.space.size,
            "smallest": entry.space.arch_id(entry.space.smallest),
            "largest": entry.space.arch_id(entry.space.largest),
            "parameters": sum(p.numel() for p in library.load(entry).parameters()),
        }
        for entry in library.entries(store)
    ]


def table(entry: SupernetEntry) -> dict[str, Any]:
    """The complete table of a supernet and the front that it gives."""
    found = library.table(entry)
    assert found is not None
    view = front(found, ("macs", "accuracy"))
    return plain(
        {
            "rows": len(found),
            "columns": list(found.columns),
            "csv_sha256": canonical_csv_sha256(found),
            "front": view.members["arch_id"].tolist(),
            "knees": view.knees,
            "hypervolume": view.hypervolume,
        }
    )


def canonical_csv_sha256(found: Any) -> str:
    """Over a line of column names and one line per row; numbers as Python writes them, whole ones without ".0"."""
    lines = [",".join(found.columns)]
    for row in found.to_dict("records"):
        lines.append(",".join(_cell(value) for value in row.values()))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _cell(value: Any) -> str:
    value = value.item() if hasattr(value, "item") else value
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def search(store: RunStore, run_id: str) -> dict[str, Any]:
    """A search's evaluations in the order they were made: arch_id -> objective -> value."""
    entry = library.find(store, str(store.get_run(run_id).params["supernet"]))
    return plain(
        {entry.space.arch_id(m.arch): dict(m.values) for _, m in store.ledger(run_id).measurements()}
    )


# --- networks -----------------------------------------------------------------------------------------


def pruned(store: RunStore) -> list[dict[str, Any]]:
    """Every pruned network as a list shows it, and how many entries of the one that is kept are not zero."""
    found = []
    for model in list_pruned(store):
        said = {
            "model_id": model.model_id,
            "run_id": model.run_id,
            "parent_id": model.parent_id,
            "supernet_id": model.supernet_id,
            "arch_id": model.arch_id,
            "method": model.method,
            "label": model.label,
            "title": model.title,
            "config": model.config,
            "removes": model.removes,
            "asked": model.asked,
            "sparsity": model.sparsity,
            "numbers": model.numbers,
            "stages": model.stages,
            "note": model.note,
            "seed": model.seed,
            "tuning_epochs": model.tuning_epochs,
            "surgery": model.surgery,
            "margins_sha256": model.sha256,
            "is_parent": model.is_parent,
        }
        if not model.is_parent:
            net, kept = load_masked(store, model.run_id, model.index)
            said["masked_nonzero"] = sum(int((p != 0).sum()) for p in net.parameters())
            said["kept"] = {name: units.tolist() for name, units in kept.items()}
        found.append(plain(said))
    return found


def pruned_of(store: RunStore, supernet_id: str) -> dict[str, Any]:
    """Parents of a supernet, what failed, and the table of the Pruning page for each parent."""
    views = {}
    for parent in parents(store, supernet_id):
        view = pruning_view(store, parent.model_id)
        assert view is not None
        views[parent.model_id] = {
            "models": [m.model_id for m in view.models],
            "failures": len(failures(store, parent.model_id)),
            "accuracy": {
                model_id: {b: float((v["predicted"] == view.probe.y).mean()) for b, v in sorted(each.items())}
                for model_id, each in view.margins.items()
            },
        }
    return plain(views)


def alone(store: RunStore) -> list[dict[str, Any]]:
    """Every network trained alone."""
    return [plain(vars(net)) for net in list_alone(store)]


def suggested(store: RunStore, supernet_id: str) -> dict[str, str]:
    """Model id -> title of what the Similarity page offers first."""
    return {m.model_id: m.title for m in suggestions(store, library.find(store, supernet_id))}


def answers(store: RunStore, model_id: str) -> dict[str, Any]:
    """What a network answers to the first test images of its data, and what its stages are called."""
    model = load_model(store, model_id)
    with torch.no_grad():
        logits = model.net(torch.from_numpy(model.dataset.test.x[:_IMAGES]))
    return plain(
        {
            "title": model.info.title,
            "short": model.info.short,
            "labels": model.labels,
            "logits": logits.double().numpy().round(4),
        }
    )


def download(entry: SupernetEntry, arch_id: str, folder: Path) -> dict[str, Any]:
    """The bundle of a subnet, unpacked and run by its own code alone."""
    made = extract_subnet.download(entry, entry.space.from_id(arch_id))
    folder.mkdir(parents=True)
    packed = folder / "bundle.zip"
    packed.write_bytes(made.data)
    with ZipFile(packed) as archive:
        names = archive.namelist()
        for name in names:
            (folder / name).write_bytes(archive.read(name))
    card = json.loads((folder / "architecture.json").read_text(encoding="utf-8"))
    spec = importlib.util.spec_from_file_location(f"bundle_{arch_id}", folder / "model.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with torch.no_grad():
        logits = module.load()(torch.from_numpy(library.dataset(entry).test.x[:_IMAGES]))
    metrics = card["metrics"]
    return plain(
        {
            "file_name": made.file_name,
            "files": names,
            "architecture": card["architecture"],
            "macs": metrics["macs"]["value"],
            "params": metrics["params"]["value"],
            **{n: [metrics[n]["correct"], metrics[n]["n"]] for n in ("accuracy", "test_accuracy")},
            "logits": logits.double().numpy().round(4),
        }
    )


def results(store: RunStore) -> dict[str, Any]:
    """What other runs found, through the functions that the pages read them with."""
    found: dict[str, Any] = {}
    for run in store.list_runs(state=RunState.DONE):
        ledger = store.ledger(run.run_id)
        if run.kind == "connect_models":
            found[run.run_id] = _mixed(MixingRecord.decode(ledger.artifact(MixingRecord.FILE)))
        elif run.kind == "map_models":
            record = MapRecord.decode(ledger.artifact(MapRecord.FILE))
            distances, points = record.distances, record.placed
            found[run.run_id] = {
                "models": distances.model_ids,
                "titles": distances.titles,
                "farthest": float(distances.values.max()),
                "points_sha256": hashlib.sha256(np.ascontiguousarray(points).tobytes()).hexdigest(),
            }
        elif run.kind == "prune_experiment":
            experiment = ExperimentRecord.decode(ledger.artifact(ExperimentRecord.FILE))
            said = {"rows": [vars(row) for row in experiment.rows], "verdict": experiment.verdict}
            found[run.run_id] = said
        elif run.kind == "evaluate_pruned":
            found[run.run_id] = EvaluatedRecord.decode(ledger.artifact(EvaluatedRecord.FILE)).files
    return plain(found)


def _mixed(record: MixingRecord) -> dict[str, Any]:
    """The fields that the release of the fixture wrote."""
    said = record.model_dump(exclude={"format"})
    return said if record.plane else {k: v for k, v in said.items() if k != "plane"}


# --- going on -----------------------------------------------------------------------------------------


def finish(store: RunStore, run_id: str) -> None:
    """Resume a stopped run in the job manager's worker and wait until it is done."""
    from core.jobs import JobManager

    manager = JobManager(store)
    try:
        manager.resume(run_id)
        run = manager.wait(run_id, 120)
    finally:
        manager.close()
    assert run.state is RunState.DONE, run.message


def trained_to_the_end(store: RunStore, run_id: str) -> dict[str, Any]:
    """The supernet of a training that has ended: its weights as one hash, and as numbers for another machine."""
    entry = library.find(store, run_id)
    return plain(weights(library.load(entry).state_dict()) | {"metrics": _curve(store, run_id)})


def weights(tensors: Mapping[str, torch.Tensor]) -> dict[str, Any]:
    """SHA-256 over name, NUL and raw little-endian values of each tensor, sorted by name; and each one's norm."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(name.encode() + b"\0" + np.ascontiguousarray(tensors[name].numpy()).tobytes())
    norms = {name: float(tensors[name].double().norm()) for name in sorted(tensors)}
    return {"weights_sha256": digest.hexdigest(), "norms": norms}


def _curve(store: RunStore, run_id: str) -> list[dict[str, Any]]:
    return [{k: v for k, v in m.items() if k != "seconds"} for m in store.ledger(run_id).metrics()]


def page(name: str, query: Mapping[str, str]) -> AppTest:
    """A page as a visitor sees it who opens its address."""
    app = AppTest.from_file(str(ROOT / "app.py"), default_timeout=60)
    if name != "front":
        app.switch_page(f"pages/{name}.py")
    for key, value in query.items():
        app.query_params[key] = value
    app.run()
    assert not app.exception, app.exception[0].message
    return app


def shown(name: str, query: Mapping[str, str]) -> dict[str, Any]:
    """What a page shows at an address, in words that do not depend on how it is built."""
    app = page(name, query)
    found = (
        {"supernet": app.selectbox(key="pick-supernet").value} if name not in ("supernets", "runs") else {}
    )
    published = {k: v if isinstance(v, str) else v[-1] for k, v in dict(app.query_params).items()}
    published.pop("replace", None)  # a mark that the browser takes out: see pages.ui.history
    return plain(found | {"warnings": len(app.warning)} | _SHOWN[name](app, published))


def _figure(app: AppTest, key: str) -> dict[str, Any]:
    [chart] = [e.proto for e in app.get("plotly_chart") if key in e.proto.id]
    figure: dict[str, Any] = json.loads(chart.spec)
    return figure


def _array(drawn: Any) -> np.ndarray:
    """Numbers of a figure, which may stand there as a list or as base64 of their bytes."""
    if not isinstance(drawn, Mapping):
        return np.array(drawn, dtype=float)
    flat = np.frombuffer(base64.b64decode(drawn["bdata"]), dtype=np.dtype(drawn["dtype"]))
    shape = [int(size) for size in str(drawn.get("shape", flat.size)).split(",")]
    return flat.astype(float).reshape(shape)


def _front(app: AppTest, published: Mapping[str, str]) -> dict[str, Any]:
    drawn = {t["name"]: t for t in _figure(app, "front-chart")["data"]}
    members = drawn["front"]["customdata"]
    return {
        "address": published,
        "subnet": app.selectbox(key="pick-subnet").value,
        "front": members,
        "dots": sum(_array(t.get("x", ())).size for n, t in drawn.items() if n in ("front", "dominated")),
        "pruned": sorted(
            {
                _first(d)
                for n, t in drawn.items()
                for d in t.get("customdata") or ()
                if _first(d).startswith("pruned:")
            }
        ),
    }


def _first(data: Any) -> str:
    return str(data if isinstance(data, str) else data[0])


def _search(app: AppTest, published: Mapping[str, str]) -> dict[str, Any]:
    return {"searches": app.session_state["pick-search"]}


def _similarity(app: AppTest, published: Mapping[str, str]) -> dict[str, Any]:
    values = _array(_figure(app, "similarity-heatmap")["data"][0]["z"])
    return {
        "address": published,
        "models": app.multiselect(key="sim-models").value,
        "a": app.selectbox(key="sim-a").value,
        "b": app.selectbox(key="sim-b").value,
        "measure": app.selectbox(key="sim-measure").value,
        "pooling": app.selectbox(key="sim-pooling").value,
        "layers": [app.selectbox(key="sim-layer-a").value, app.selectbox(key="sim-layer-b").value],
        "tab": app.session_state["sim-tabs"],
        "heatmap": values.round(3),
    }


def _pruning(app: AppTest, published: Mapping[str, str]) -> dict[str, Any]:
    found = {"address": published, "parent": app.selectbox(key="pr-parent").value}
    if not any(box.key == "pr-model" for box in app.selectbox):  # nothing of it was pruned yet
        return found
    return found | {
        "model": app.selectbox(key="pr-model").value,
        "benchmark": app.selectbox(key="pr-benchmark").value,
        "compare": app.selectbox(key="pr-compare").value,
        "severity": app.session_state["pr-severity"],
        "tab": app.session_state["pr-tabs"],
        "rows": [_row_of_0_1(label) for label in app.selectbox(key="pr-model").options],
    }


def _row_of_0_1(label: str) -> str:
    """The seed stands at the end of a row now, where it is never cut off; it stood among the settings, 0 unsaid."""
    found = re.fullmatch(r"(.*?)(?: \((.*)\))?, (\S+ ?%), seed (\d+)", label)
    if not found:
        return label
    name, settings, share, seed = found.groups()
    said = ", ".join([*([settings] if settings else []), *([f"seed {seed}"] if seed != "0" else [])])
    return f"{name} ({said}), {share}" if said else f"{name}, {share}"


def _supernets(app: AppTest, published: Mapping[str, str]) -> dict[str, Any]:
    # Each has a page of its own now; a shipped one is called by its name.
    found = [str(b.key).removeprefix("gallery-open-") for b in app.button]
    return {"supernets": sorted(each for each in found if re.fullmatch(r"[0-9a-f]{32}", each))}


def _runs(app: AppTest, published: Mapping[str, str]) -> dict[str, Any]:
    # A run that the old server's end interrupted is taken up again: it stands above the table, with its Cancel button.
    taken_up = [button for button in app.button if str(button.key).startswith("cancel-")]
    return {"rows": len(app.dataframe[0].value) + len(taken_up)}


_SHOWN = {
    "front": _front,
    "search": _search,
    "similarity": _similarity,
    "pruning": _pruning,
    "supernets": _supernets,
    "runs": _runs,
}


@contextmanager
def quiet_pages(patch: pytest.MonkeyPatch) -> Iterator[None]:
    """Pages with fresh caches and without what a server does in the background."""
    import core.jobs.manager as manager

    managers: list[Any] = []
    start = manager.JobManager.__init__

    def started(self: Any, *given: Any, **settings: Any) -> None:
        start(self, *given, **settings)
        managers.append(self)

    patch.setattr("core.runtime.heavy_imports_in_background", lambda: None)
    patch.setattr("core.runtime.freeze", lambda: None)
    patch.setattr(manager.JobManager, "__init__", started)
    st.cache_resource.clear()
    yield
    for one in managers:
        one.close()
        one.store.close()
