"""One contract for every origin of networks: described without torch, loaded, refused with a sentence.

A new origin needs an entry in `MADE`: how a test makes one network of it.
"""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import nn

from core.datasets import load_dataset
from core.errors import CoreError, DamagedArtifact, InvalidInput, NotFound
from core.library import alone, networks, pruned, supernets, tuned
from core.library.library import Library
from core.library.loading import add_supernet
from core.library.network_id import NetworkId
from core.library.origins.base import ORIGINS, ModelInfo
from core.networks.chain import blocks_of
from core.networks.file import dump_net
from core.records import RunState
from core.store import RunStore
from core.supernets.elastic_cnn import GroupConfig
from core.supernets.files import dump_supernet
from tests.helpers.nets import small_cnn

pytestmark = pytest.mark.usefixtures("checked_here")

IMAGE = (1, 8, 8)
SUPERNET = small_cnn(
    groups=(GroupConfig(widths=(2, 4), depths=(1,)), GroupConfig(widths=(4, 8), depths=(1, 2)))
)
ARCH_ID = SUPERNET.space.arch_id(SUPERNET.space.largest)
NOWHERE = "0123456789abcdef" * 2


@dataclass(frozen=True)
class Made:
    """One network of an origin.

    Attributes:
        model_id: its id.
        file: SHA-256 of the file that holds its weights.
        other: an id of the same owner that names no network.
        forget: removes what it belongs to.
        computes: the network it must be; None where calibration decides.
    """

    model_id: str
    file: str
    other: str
    forget: Callable[[], None]
    computes: nn.Sequential | None = None


def added(store: RunStore) -> str:
    """Id of the supernet that everything here belongs to."""
    data = {"name": "digits", "config": {}, "seed": 0, "fingerprint": load_dataset("digits").fingerprint}
    card = {"title": "Small", "data": data, "seed": 6}
    return add_supernet(store, "Small", dump_supernet(SUPERNET, card)).supernet_id


def cut_out(seed: int) -> nn.Sequential:
    net = SUPERNET.extract(
        SUPERNET.space.largest, SUPERNET.calibrate(SUPERNET.space.largest, torch.rand(16, *IMAGE))
    )
    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return net.eval()


def kept(store: RunStore, kind: str, record: Any, data: bytes, name: str) -> tuple[str, str]:
    run_id = store.create_run(kind, {"model": "m"}, title="kept", state=RunState.RUNNING)
    sha256 = store.ledger(run_id).save_artifact(name, data, "application/octet-stream")
    record.save(store.ledger(run_id))
    store.set_state(run_id, RunState.DONE)
    return run_id, sha256


def a_subnet(store: RunStore) -> Made:
    owner = added(store)
    sha256 = store.get_supernet(owner).sha256
    other = str(NetworkId.subnet(owner, "z" * len(ARCH_ID)))
    return Made(str(NetworkId.subnet(owner, ARCH_ID)), sha256, other, lambda: store.delete_supernet(owner))


def one_alone(store: RunStore) -> Made:
    net = cut_out(1)
    record = alone.AloneRecord(
        supernet=added(store),
        sha256="0" * 64,
        arch_id=ARCH_ID,
        arch={},
        data={},
        training={"epochs": 1, "learning_rate": 0.1},
        training_from_card=True,
        asked=3,
        inside={},
        versions={},
        nets=[
            {"index": 2, "seed": 6, "sha256": "1" * 64, "seconds": 1, "accuracy": 0.5, "test_accuracy": 0.5}
        ],
    )
    run_id, sha256 = kept(store, alone.KIND, record, dump_net(net, IMAGE, {"seed": 6}), alone.net_file(2))
    other = str(NetworkId.alone(run_id, 1))
    return Made(str(NetworkId.alone(run_id, 2)), sha256, other, lambda: store.delete_run(run_id), net)


def one_pruned(store: RunStore) -> Made:
    net, supernet_id = cut_out(2), added(store)
    of = pruned.PrunedNet(
        index=1,
        method="magnitude",
        label="Magnitude",
        config=(),
        removes="weights",
        asked=0.5,
        sparsity=0.5,
        numbers={},
        stages=tuple(f"stage {k}" for k in range(len(net))),
        note="",
        seconds=1,
        tuning_epochs=1,
        surgery=False,
        sha256="2" * 64,
    )
    record = pruned.PruningRecord(
        model=str(NetworkId.subnet(supernet_id, ARCH_ID)),
        model_key="k",
        supernet=supernet_id,
        arch_id=ARCH_ID,
        seed=6,
        tuning={},
        probe="p",
        versions={},
        models=(of.model_copy(update={"index": 0, "method": ""}), of),
    )
    run_id, sha256 = kept(store, pruned.KIND, record, dump_net(net, IMAGE, {"kept": {}}), pruned.net_file(1))
    other = str(NetworkId.pruned(run_id, 0))
    return Made(str(NetworkId.pruned(run_id, 1)), sha256, other, lambda: store.delete_run(run_id), net)


def one_tuned(store: RunStore) -> Made:
    net = cut_out(3)
    record = tuned.TunedRecord(
        supernet=added(store),
        sha256="0" * 64,
        arch_id=ARCH_ID,
        arch={},
        data={},
        training={"epochs": 1, "learning_rate": 0.02},
        scratch={"epochs": 1, "learning_rate": 0.1},
        teacher=False,
        asked=1,
        inside={"accuracy": 0.4, "test_accuracy": 0.4},
        versions={},
        nets=[
            {
                "index": 1,
                "seed": 6,
                "sha256": "3" * 64,
                "seconds": 1,
                "accuracy": 0.5,
                "test_accuracy": 0.5,
                "start": "scratch",
            }
        ],
    )
    run_id, sha256 = kept(store, tuned.KIND, record, dump_net(net, IMAGE, {"seed": 6}), alone.net_file(1))
    other = str(NetworkId.tuned(run_id, 0))
    return Made(str(NetworkId.tuned(run_id, 1)), sha256, other, lambda: store.delete_run(run_id), net)


MADE: dict[str, Callable[[RunStore], Made]] = {
    "alone": one_alone,
    "pruned": one_pruned,
    "subnet": a_subnet,
    "tuned": one_tuned,
}


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunStore]:
    monkeypatch.setenv("PARETOSCOPE_HOME", str(tmp_path))
    with RunStore(f"sqlite:///{tmp_path / 'origins.db'}", tmp_path) as opened:
        yield opened


@pytest.fixture(params=ORIGINS.names())
def origin(request: pytest.FixtureRequest) -> str:
    assert request.param in MADE, f"say in MADE how a network of {request.param!r} is made"
    return str(request.param)


@pytest.fixture
def made(origin: str, store: RunStore) -> Made:
    return MADE[origin](store)


def loaded(store: RunStore | None, made: Made, entry: supernets.SupernetEntry) -> nn.Sequential:
    """By the origin itself, past the networks that are kept loaded."""
    which = NetworkId.parse(made.model_id)
    return ORIGINS.create(which.origin).load(store, which.owner, which.part, entry)


def blob(store: RunStore, sha256: str) -> Path:
    found = [p for p in store.home.rglob("*") if p.is_file() and sha256 in p.name]
    [path] = [p for p in found if p.parent.name != "loaded"]  # copies of what was read from files
    return path


# --- describing -----------------------------------------------------------------------------------


def test_a_description_says_which_network_it_is(origin: str, made: Made, store: RunStore) -> None:
    info = networks.describe(store, made.model_id)
    assert (info.model_id, info.origin, info.arch_id, info.seed) == (made.model_id, origin, ARCH_ID, 6)
    assert info.title
    assert 0 < len(info.short) < 40, "short enough for an axis"
    entry = supernets.find(store, info.supernet_id)
    assert entry.space.arch_id(entry.space.from_id(info.arch_id)) == info.arch_id
    assert info == Library(store).describe(made.model_id)


def test_an_origin_says_how_its_ids_look(origin: str, made: Made) -> None:
    kind = ORIGINS.get(origin)
    info = ORIGINS.info(origin)
    assert info.label
    assert info.summary
    with pytest.raises(InvalidInput, match=f"{origin}:{kind.form}"):
        NetworkId.parse("no id")
    assert made.model_id.count(":") == kind.form.count(":") + 1
    assert str(NetworkId.parse(made.model_id)) == made.model_id


def test_describing_loads_no_torch(made: Made, store: RunStore) -> None:
    code = (
        "import sys\nfrom pathlib import Path\nfrom core.store import RunStore\n"
        "from core.library.networks import describe\nhome, model_id = sys.argv[1:]\n"
        "with RunStore(f'sqlite:///{home}/origins.db', Path(home)) as store:\n"
        "    assert describe(store, model_id).model_id == model_id\nassert 'torch' not in sys.modules\n"
    )
    command = [sys.executable, "-c", code, str(store.home), made.model_id]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    owner=st.text("abcdef0189-._", min_size=1, max_size=40),
    part=st.text("012abz._-", min_size=1, max_size=80),
)
def test_any_other_id_is_a_sentence(origin: str, store: RunStore, owner: str, part: str) -> None:
    for lent in (store, None):
        with pytest.raises((NotFound, InvalidInput)) as refused:
            networks.describe(lent, str(NetworkId(origin, owner, part)))
        assert str(refused.value).endswith(".")


def test_another_number_or_architecture_of_the_same_owner_is_refused(made: Made, store: RunStore) -> None:
    owner = NetworkId.parse(made.model_id).owner
    origin = NetworkId.parse(made.model_id).origin
    for text in (
        made.other,
        f"{origin}:{owner}:none",
        f"{origin}:{owner}:-1",
        f"{origin}:{owner}:{'9' * 80}",
    ):
        with pytest.raises((NotFound, InvalidInput)):
            networks.describe(store, text)
        with pytest.raises((NotFound, InvalidInput)):
            networks.load_model(store, text)


def test_a_network_is_not_found_under_another_origin(made: Made, store: RunStore) -> None:
    which = NetworkId.parse(made.model_id)
    for other in ORIGINS.names():
        if other != which.origin:
            with pytest.raises(CoreError):
                networks.describe(store, str(NetworkId(other, which.owner, which.part)))


def test_one_network_has_one_id(made: Made, store: RunStore) -> None:
    """A second spelling would be a second network in every cache, session and link."""
    which = NetworkId.parse(made.model_id)
    space = SUPERNET.space
    every = itertools.product(*map(range, space.cardinalities))
    unused = ["".join(map(str, arch)) for arch in every if space.canonical(arch) != arch]
    for spelling in (f"0{which.part}", f"00{which.part}", f"{which.part}.", unused[0], unused[-1]):
        with pytest.raises((NotFound, InvalidInput)):
            networks.describe(store, str(NetworkId(which.origin, which.owner, spelling)))


# --- loading --------------------------------------------------------------------------------------


def test_a_loaded_network_is_a_chain_of_plain_blocks_at_rest(made: Made, store: RunStore) -> None:
    model = networks.load_model(store, made.model_id)
    assert isinstance(model.net, nn.Sequential)
    assert blocks_of(model.net)
    assert not model.net.training
    assert not any(parameter.requires_grad for parameter in model.net.parameters())
    assert len(model.labels) == len(model.net) == len(set(model.labels))
    assert model.info == networks.describe(store, made.model_id)
    x = torch.rand(5, *IMAGE, generator=torch.Generator().manual_seed(0))
    answers = model.net(x)
    assert answers.shape == (5, 10)
    assert torch.isfinite(answers).all()
    if made.computes is not None:
        assert torch.allclose(answers, made.computes(x), atol=1e-5)
    assert torch.equal(loaded(store, made, model.entry)(x), answers), "equal ids give equal networks"


def test_what_is_gone_is_not_found_and_says_what_to_do(made: Made, store: RunStore) -> None:
    entry = supernets.find(store, networks.describe(store, made.model_id).supernet_id)
    made.forget()
    for ask in (networks.describe, networks.load_model):
        with pytest.raises(NotFound) as refused:
            ask(store, made.model_id)
        assert str(refused.value)[0].isupper()
        assert str(refused.value).endswith(".")
    if NetworkId.parse(made.model_id).origin != "subnet":  # its supernet is in the caller's hand
        with pytest.raises(NotFound):
            loaded(store, made, entry)
        with pytest.raises(NotFound, match="the store"):
            loaded(None, made, entry)


@pytest.mark.parametrize("damage", ["changed", "cut", "gone"])
def test_a_damaged_file_is_said_to_be_damaged(made: Made, store: RunStore, damage: str) -> None:
    entry = supernets.find(store, networks.describe(store, made.model_id).supernet_id)
    path = blob(store, made.file)
    whole = path.read_bytes()
    path.chmod(0o600)
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(whole[:-5] if damage == "cut" else whole[:-1] + bytes([whole[-1] ^ 1]))
    supernets.load.cache.clear()
    with pytest.raises(DamagedArtifact):
        loaded(store, made, entry)
    path.write_bytes(whole)
    assert len(loaded(store, made, entry)), "a failure is not kept"


@pytest.mark.parametrize("origin", ["alone", "pruned"], indirect=True)
def test_a_file_that_holds_another_kind_of_network_is_refused(
    origin: str, made: Made, store: RunStore
) -> None:
    which = NetworkId.parse(made.model_id)
    entry = supernets.find(store, networks.describe(store, made.model_id).supernet_id)
    assert made.computes is not None
    name = f"net-{which.part}.safetensors"
    for data in (
        dump_net(made.computes, IMAGE, {"someone": "else"}),
        dump_supernet(SUPERNET, {}),
        b"",
        b"x" * 99,
    ):
        store.ledger(which.owner).save_artifact(name, data, "application/octet-stream")
        with pytest.raises(InvalidInput):
            loaded(store, made, entry)


def test_descriptions_are_plain_values() -> None:
    info = ModelInfo("subnet:a:0", "t", "s", "a", "0", "subnet", 0)
    assert info == ModelInfo(**vars(info))
    assert hash(info) == hash(ModelInfo(**vars(info)))
