"""The card of an uploaded supernet chooses no file of this machine, and breaks no view of it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.datasets import DATASETS, load_dataset
from core.datasets.foreign import foreign_settings
from core.datasets.images import keep_upload
from core.errors import CoreError, InvalidInput
from core.library import networks, supernets
from core.library.loading import add_supernet
from core.library.supernets import SupernetEntry
from core.library.trainings import training_of
from core.store import RunStore
from core.supernets.cards import shown_card
from core.supernets.files import build, dump_supernet
from tests.security.hostile_files import npz, plain_sentence

pytestmark = pytest.mark.usefixtures("checked_here")
SOUND: dict[str, Any] = {
    "title": "Small",
    "data": {"name": "digits", "config": {}, "seed": 0, "fingerprint": ""},
    "training": {"epochs": 3, "strategy": "sandwich"},
    "seed": 0,
}
_opened: list[str] | None = None


def _watch(event: str, args: tuple[Any, ...]) -> None:
    if _opened is not None and event in ("open", "os.listdir", "os.scandir"):
        _opened.append(str(args[0]))


# Stays for the life of the process; armed by the fixture.
sys.addaudithook(_watch)


@pytest.fixture
def opened() -> Iterator[list[str]]:
    """Names of the files and folders opened while a test runs."""
    global _opened
    _opened = []
    try:
        yield _opened
    finally:
        _opened = None


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PARETOSCOPE_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("PARETOSCOPE_DATABASE_URL", raising=False)
    return tmp_path / "home"


@pytest.fixture(scope="module")
def small() -> Callable[[Any], bytes]:
    """The file of a small supernet with this card."""
    group = {"depths": [1], "kernels": [3]}
    net = build("elastic_cnn", {"groups": [{"widths": [2, 4], **group}]})
    return lambda card: dump_supernet(net, card)


def entry(data: bytes, origin: str = "uploaded") -> SupernetEntry:
    return supernets.from_bytes(data, title="Small", supernet_id="0" * 32, origin=origin)


def with_data(name: str, /, **config: Any) -> dict[str, Any]:
    return {**SOUND, "data": {"name": name, "config": config, "seed": 0}}


FREE_TEXT = [
    (name, field)
    for name in DATASETS.names()
    for field, info in DATASETS.get(name).Config.model_fields.items()
    if info.annotation is str and field != "upload"
]


def test_there_are_fields_that_name_files() -> None:
    assert {("images", "path"), ("mnist", "folder"), ("cifar10", "folder")} <= set(FREE_TEXT)


@pytest.mark.parametrize(("name", "field"), FREE_TEXT)
def test_no_answer_tells_whether_a_file_exists(
    name: str, field: str, small: Callable[[Any], bytes], tmp_path: Path, opened: list[str]
) -> None:
    private = tmp_path / "private"
    private.mkdir()
    (private / "secret.npz").write_bytes(npz())
    answers = set()
    for place in (private, private / "secret.npz", tmp_path / "missing", Path("/etc/passwd"), Path("/proc")):
        uploaded = entry(small(with_data(name, **{field: str(place)})))
        del opened[:]
        with pytest.raises(InvalidInput) as refusal:
            supernets.dataset(uploaded)
        assert [one for one in opened if one.startswith((str(tmp_path), "/etc/passwd", "/proc"))] == []
        answers.add(str(refusal.value))
    assert len(answers) == 1
    [answer] = answers
    assert plain_sentence(answer), answer
    assert field in answer


def test_what_was_uploaded_here_may_be_named_by_its_content(small: Callable[[Any], bytes]) -> None:
    upload_id = keep_upload(npz()).upload_id
    uploaded = entry(small(with_data("images", upload=upload_id, size=8)))
    assert (
        supernets.dataset(uploaded).fingerprint
        == load_dataset("images", upload=upload_id, size=8).fingerprint
    )


def test_built_in_data_with_harmless_settings_are_read(small: Callable[[Any], bytes]) -> None:
    assert len(supernets.dataset(entry(small(with_data("digits", limit_train=100)))).train) == 100


def test_a_file_named_on_the_command_line_may_name_its_owners_images(
    small: Callable[[Any], bytes], tmp_path: Path
) -> None:
    (tmp_path / "mine.npz").write_bytes(npz())
    own = entry(small(with_data("images", path=str(tmp_path / "mine.npz"))), origin="file")
    assert len(supernets.dataset(own).classes) == 2


@pytest.mark.parametrize(
    "config",
    [{"seed": 1}, {"name": "digits"}, {"on_progress": 1}, {"self": 1}, {"limit_train": "many"}, {"": 1}],
)
@pytest.mark.parametrize("origin", ["uploaded", "file"])
def test_a_setting_that_is_none_is_one_sentence(
    config: dict[str, Any], origin: str, small: Callable[[Any], bytes]
) -> None:
    with pytest.raises(InvalidInput) as refusal:
        supernets.dataset(entry(small(with_data("digits", **config)), origin))
    assert plain_sentence(str(refusal.value))
    with pytest.raises(InvalidInput):
        foreign_settings("digits", config)


# --- cards of the wrong kind ----------------------------------------------------------------------

VALUES: list[Any] = [
    None,
    True,
    -1,
    2**70,
    1e400,
    "",
    "digits",
    "x" * 5000,
    "</script>",
    "\ud800",
    "\x00",
    [],
    ["digits"],
    {},
    {"a": []},
    [[[[]]]],
    {"name": {}},
    {"name": "digits", "config": []},
    {"name": "digits", "seed": "0"},
    {"name": "digits", "seed": 1e400},
    {"name": "digits", "fingerprint": 5},
    {"name": ["digits"]},
    {"name": "nothing"},
    {"name": "images", "config": {"upload": 5}},
    {"name": "digits", "config": {"seed": 1}},
    {"name": "digits", "config": {"calibration": None}},
]


def mutated(rng: np.random.Generator) -> dict[str, Any]:
    """A sound card with one to three fields replaced, at the top or inside."""
    card: dict[str, Any] = json.loads(json.dumps(SOUND))
    for _ in range(int(rng.integers(1, 4))):
        value = VALUES[int(rng.integers(len(VALUES)))]
        fields: dict[str, Any] = card
        inside = ("data", "training")[int(rng.integers(2))]
        if rng.random() < 0.5 and isinstance(card.get(inside), dict):
            fields = card[inside]
        names = [*fields, "new"]
        fields[names[int(rng.integers(len(names)))]] = value
    return card


def views(found: SupernetEntry, store: RunStore) -> Iterator[Callable[[], object]]:
    """Everything that a page or a workflow reads from a card."""
    from core.library.fronts import front
    from pages.ui.captions import caption
    from pages.ui.supernets.gallery import data_name

    arch_id = found.space.arch_id(found.space.largest)
    yield lambda: supernets.dataset(found)
    yield lambda: data_name(found)
    yield lambda: json.dumps(shown_card(found.header["card"])).encode()
    yield lambda: found.card.note.encode()
    yield lambda: networks.describe(store, networks.subnet_id(found, arch_id)).title.encode()
    yield lambda: networks.load_model(store, networks.subnet_id(found, arch_id))
    yield lambda: training_of(found, epochs=2)
    table = {"arch_id": [arch_id], "macs": [1.0], "accuracy": [0.5]}
    import pandas as pd

    yield lambda: caption(found, front(pd.DataFrame(table), ("macs", "accuracy"))).encode()


def assert_views_survive(data: bytes, store: RunStore) -> None:
    said: list[str] = []
    with sentences_into(said):
        found = supernets.find(store, add_supernet(store, "Small", data).supernet_id)
    if said:
        assert plain_sentence(said[0]), said
        return
    for view in views(found, store):
        with sentences_into(said):
            view()
    assert [text for text in said if not text.isprintable()] == []
    store.delete_supernet(found.supernet_id)


@contextmanager
def sentences_into(said: list[str]) -> Iterator[None]:
    """Expected failures are sentences; anything else passes through."""
    try:
        yield
    except CoreError as error:
        said.append(str(error))


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RunStore]:
    opened = RunStore(f"sqlite:///{tmp_path / 'cards.db'}", tmp_path)
    yield opened
    opened.close()


@pytest.mark.slow
@pytest.mark.parametrize("field", SOUND)
def test_a_field_of_the_wrong_kind_breaks_no_view(
    field: str, small: Callable[[Any], bytes], store: RunStore
) -> None:
    for value in VALUES:
        assert_views_survive(small({**SOUND, field: value}), store)


@pytest.mark.slow
def test_mutated_cards_break_no_view(small: Callable[[Any], bytes], store: RunStore) -> None:
    for number in range(60):
        assert_views_survive(small(mutated(np.random.default_rng(number))), store)


@pytest.mark.long
def test_many_more_mutated_cards_break_no_view(small: Callable[[Any], bytes], store: RunStore) -> None:
    for number in range(1000, 5000):
        assert_views_survive(small(mutated(np.random.default_rng(number))), store)


@pytest.mark.parametrize("deep", [33, 200, 900])
def test_a_card_of_many_levels_is_refused(deep: int, small: Callable[[Any], bytes]) -> None:
    nested: Any = 1
    for _ in range(deep):
        nested = [nested]
    with pytest.raises(InvalidInput, match="no readable description"):
        entry(small({**SOUND, "final": nested}))


def test_the_same_file_is_kept_once(small: Callable[[Any], bytes], store: RunStore) -> None:
    first = add_supernet(store, "Mine", small(SOUND))
    again = add_supernet(store, "Other", small(SOUND))
    assert (first.was_there, again.was_there) == (False, True)
    assert (again.supernet_id, again.title) == (first.supernet_id, "Mine")
    assert len(store.list_supernets()) == 1


def test_an_upload_that_a_card_names_counts_as_used(small: Callable[[Any], bytes], store: RunStore) -> None:
    card = with_data("images", upload="a" * 64)
    kept = store.get_supernet(add_supernet(store, "Mine", small(card)).supernet_id)
    assert kept.card["data"] == card["data"]


def test_the_file_itself_stays_as_it_came(small: Callable[[Any], bytes], store: RunStore) -> None:
    data = small({**SOUND, "seed": "seven"})
    assert store.supernet_path(add_supernet(store, "Mine", data).supernet_id).read_bytes() == data
