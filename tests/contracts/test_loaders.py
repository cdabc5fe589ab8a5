"""The loader contract, held by every registered loader; `tests/helpers/supernet_files.py` has a small file of each."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from core.errors import InvalidInput
from core.library.loading import LOADER, SUPERNET
from core.supernets.files import load_supernet
from core.supernets.loaders import LOADERS
from core.supernets.loaders import worker as loading_worker
from core.supernets.loaders.base import loader_of, suffixes, taken
from core.supernets.loaders.understood import Understood
from tests.helpers.supernet_files import FILES

NAMES = LOADERS.names()


@pytest.fixture(scope="module", params=NAMES)
def given(request) -> tuple[str, str, bytes]:
    name, data = FILES[request.param]()
    return request.param, name, data


def test_every_loader_has_a_file_here_and_says_what_it_takes() -> None:
    assert set(FILES) == set(NAMES)
    assert loading_worker.__name__ == LOADER
    assert SUPERNET == loading_worker.SUPERNET
    assert len(set(taken())) == len(NAMES)
    assert all(ending and "." not in ending[:1] for ending in suffixes())


def test_a_file_is_known_by_what_it_holds(given) -> None:
    loader, name, data = given
    assert loader_of(name, data).name == loader
    assert loader_of("", data).name == loader, "its name decides nothing"
    assert name.rsplit(".", 1)[-1] in LOADERS.get(loader).suffixes


def test_looking_at_a_file_never_fails() -> None:
    rng = np.random.default_rng(0)
    strange = [b"", b"\0", b"PK\x03\x04", b"\x80\x02", b"{", b"\x08\x07", rng.bytes(5_000)]
    for loader in map(LOADERS.create, NAMES):
        for data in strange:
            assert not loader.fits("x", data), (loader.name, data[:4])
        for cut in (9, 100, -1):
            assert loader.fits("x", FILES[loader.name]()[1][:cut]) in (True, False)


def test_what_is_loaded_is_one_of_our_files_and_is_described(given, tmp_path: Path) -> None:
    loader, name, data = given
    target = tmp_path / "package.zip"
    found = Understood.model_validate(loading_worker.work(data, {"name": name}, target))
    assert (found.loader, found.label) == (loader, LOADERS.get(loader).label)
    with zipfile.ZipFile(target) as package:
        assert set(package.namelist()) == {SUPERNET, *found.beside}
        net, _ = load_supernet(package.read(SUPERNET))
    assert (found.family, found.task, found.size) == (net.name, net.task.name, net.space.size)
    assert found.choices == len(net.space)
    for end, arch in ((found.smallest, net.smallest), (found.largest, net.largest)):
        assert end is not None
        assert end.total("macs") == sum(cost.macs for cost in net.costs(arch))
    inputs = net.task.random_inputs(net.config, 4, torch.Generator().manual_seed(0))
    with torch.no_grad():
        outputs = net(inputs, net.largest)
    assert outputs.shape == (4, found.classes)
    assert torch.isfinite(outputs).all()


def test_a_cut_file_is_refused_with_a_sentence(given) -> None:
    _, name, data = given
    for cut in (len(data) // 3, len(data) // 2, len(data) - 1):
        with pytest.raises(InvalidInput) as refusal:
            loader_of(name, data[:cut]).load(name, data[:cut])
        assert str(refusal.value).endswith((".", ")"))
        assert "\n" not in str(refusal.value)
