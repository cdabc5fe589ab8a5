"""Commands on a space too large to list, and a whole supernet as one file."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from core.library import supernets
from core.library.package_supernet import export_supernet
from core.settings import settings
from core.store import RunStore
from tests.cli.conftest import Call
from tests.helpers.huge import huge_file
from tests.helpers.supernet_files import measured_bundle

pytestmark = pytest.mark.slow


@pytest.fixture
def huge(tmp_path: Path) -> str:
    path = tmp_path / "huge.safetensors"
    path.write_bytes(huge_file())
    return str(path)


def test_what_needs_every_subnet_is_refused_with_a_sentence(call: Call, huge: str) -> None:
    for arguments in (("front", huge, "--exact"), ("costs", huge)):
        status, out, err = call(*arguments)
        assert (status, out) == (2, "")
        assert "sample" in err
        assert len(err.strip().splitlines()) == 1
    assert "2.2 × 10¹⁰" in call("front", huge, "--exact")[2]


def test_costs_of_a_sample(call: Call, huge: str, tmp_path: Path) -> None:
    out = tmp_path / "costs.csv"
    status, _, err = call("costs", huge, "--sample", "50", "--csv", str(out))
    assert status == 0, err
    found = pd.read_csv(out)
    assert len(found) == 50
    assert (found["macs"] > 0).all()


@pytest.mark.usefixtures("checked_here")
def test_a_supernet_goes_out_and_comes_back(call: Call, tmp_path: Path) -> None:
    given, again = tmp_path / "given.zip", tmp_path / "again.zip"
    given.write_bytes(measured_bundle()[1])
    status, out, err = call("load-supernet", str(given), "--add")
    assert status == 0, err
    supernet_id = out.strip().splitlines()[-1]
    place = settings()
    with RunStore(place.database_url, place.home) as store:
        entry = supernets.find(store, supernet_id)
        assert (entry.title, entry.read_table is not None) == ("Tiny, measured", True)
        assert export_supernet(entry) == given.read_bytes()
    status, out, err = call("export-supernet", supernet_id, "--out", str(again))
    assert status == 0, err
    assert again.read_bytes() == given.read_bytes()
