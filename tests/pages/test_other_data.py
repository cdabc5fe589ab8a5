"""Every page with a supernet for texts or for a graph: it works, or says in one sentence why not."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.records import Progress
from core.store import Ledger, RunStore
from core.workflows import evaluate_table, train_supernet

ROOT = Path(__file__).resolve().parents[2]
SMALL = {
    "commands-encoder": {
        "config": {"widths": [4, 8], "depths": [1, 2], "heads": [1], "mlp_ratios": [1, 2], "head_size": 4},
        "data": {"name": "commands", "seed": 0, "config": {"texts": 400}},
    },
    "communities-gcn": {
        "config": {"widths": [4, 8], "depths": [1, 2], "hops": [1, 2], "mlp_ratios": [1]},
        "data": {"name": "generated_graph", "seed": 0, "config": {"nodes": 300}},
    },
}
PAGES = sorted(path.name for path in (ROOT / "pages").glob("*.py"))


@pytest.fixture(scope="module", params=SMALL)
def trained(request, tmp_path_factory) -> tuple[Path, str]:
    """(home, id) of a supernet that was trained for an epoch and measured completely."""
    home = tmp_path_factory.mktemp(request.param)
    store = RunStore(f"sqlite:///{home / 'paretoscope.db'}", home)
    params = train_supernet.preset_request(request.param) | SMALL[request.param]
    params["training"] = {**params["training"], "epochs": 1}
    supernet = finished(store, "train_supernet", params, train_supernet)
    finished(store, "evaluate_table", {"supernet": supernet}, evaluate_table)
    return home, supernet
