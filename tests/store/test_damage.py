"""Silent damage: `check` must find every changed row and file, and say nothing about healthy ones."""

from __future__ import annotations

import random
import shutil
import sqlite3
from pathlib import Path

import pytest

from core.errors import CoreError, DamagedArtifact
from core.records import Measurement, Obtained, RunState, Source
from core.store import RunStore


def url(home: Path) -> str:
    return f"sqlite:///{home / 'p.db'}"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A closed store with a bit of everything."""
    with RunStore(url(tmp_path), tmp_path) as store:
        for number in range(3):
            run_id = store.create_run("train_x", {"epochs": 10 + number}, title="t", state=RunState.RUNNING)
            ledger = store.ledger(run_id)
            for step in range(4):
                archs = [(step, i, number) for i in range(10)]
                ledger.add_measurements(step, [Measurement(a, {"accuracy": sum(a) / 31}) for a in archs])
                ledger.log_metrics(step, {"loss": 0.5 / (step + 1)})
                ledger.checkpoint(f"{number} {step}".encode() * 99, fraction=0.1)
            ledger.save_artifact("weights", f"w{number}".encode(), "application/octet-stream")
        store.add_supernet("mine", b"supernet", {"family": "elastic_cnn"})
        assert store.check() == []
    with sqlite3.connect(tmp_path / "p.db") as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return tmp_path


def damage(home: Path, sql: str) -> list[str]:
    connection = sqlite3.connect(home / "p.db", isolation_level=None)
    assert connection.execute(sql).rowcount >= 1
    connection.close()
    with RunStore(url(home), home) as store:
        return store.check()


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        (
            "UPDATE measurements SET objective_values = '{\"accuracy\": 1.0}' WHERE ordinal = 7",
            "Measurement 7",
        ),
        ("UPDATE measurements SET arch = '[1, 1, 1]' WHERE ordinal = 0", "Measurement 0"),
        ("UPDATE measurements SET step = step + 1 WHERE ordinal = 39", "Measurement 39"),
        ("UPDATE measurements SET source = 'predicted' WHERE ordinal = 3", "Measurement 3"),
        ("DELETE FROM measurements WHERE ordinal = 39", "has 39 measurements, but 40 were saved"),
        ("DELETE FROM measurements", "has 0 measurements"),
        ("UPDATE metrics SET metric_values = '{}' WHERE step = 2", "numbers of step 2"),
        ("UPDATE runs SET params = replace(params, '10', '11')", "request of run"),
        ("UPDATE runs SET seed = '1'", "request of run"),
        ("UPDATE supernets SET card = '{}'", "card of supernet"),
        ("UPDATE supernets SET sha256 = replace(sha256, 'a', 'b')", "weights of supernet mine"),
        ("UPDATE artifacts SET sha256 = 'f' || substr(sha256, 2)", "weights of run"),
        ("UPDATE checkpoints SET sha256 = '0'", "checkpoint of run"),
        (
            "UPDATE checkpoints SET run_id = 'nobody' WHERE generation = 4 AND run_id = (SELECT min(run_id) FROM runs)",
            "belongs to no run",
        ),
    ],
)
def test_a_changed_row_is_found(home: Path, sql: str, says: str) -> None:
    found = damage(home, sql)
    assert any(says in sentence for sentence in found), found


def test_measurements_cannot_change_places(home: Path) -> None:
    damage(home, "UPDATE measurements SET ordinal = 1000 WHERE ordinal = 1")
    damage(home, "UPDATE measurements SET ordinal = 1 WHERE ordinal = 2")
    found = damage(home, "UPDATE measurements SET ordinal = 2 WHERE ordinal = 1000")
    assert sum("Measurement 1 " in line or "Measurement 2 " in line for line in found) == 6, found


def test_a_changed_or_missing_file_is_found(home: Path) -> None:
    for path in sorted((home / "blobs").iterdir()):
        original = path.read_bytes()
        path.write_bytes(original[:-1] + bytes([original[-1] ^ 4]))
        with RunStore(url(home), home) as store:
            assert len(store.check()) == 1
        path.unlink()
        with RunStore(url(home), home) as store:
            assert len(store.check()) == 1
        path.write_bytes(original)
    with RunStore(url(home), home) as store:
        assert store.check() == []


@pytest.mark.slow
def test_flipped_bits_never_change_a_number_unnoticed(
    home: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """SQLite's own check passes many of these; ours must pass none that changed what a page would show."""
    rng, healthy = random.Random(0), (home / "p.db").read_bytes()
    with RunStore(url(home), home) as store:
        truth = _shown(store)
    noticed = unchanged = 0
    for _ in range(150):
        folder = tmp_path_factory.mktemp("flip")
        content = bytearray(healthy)
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        (folder / "p.db").write_bytes(content)
        shutil.copytree(home / "blobs", folder / "blobs")
        try:
            with RunStore(url(folder), folder) as store:
                sentences = store.check()
                if sentences:
                    noticed += 1
                else:
                    assert _shown(store) == truth
                    unchanged += 1
        except CoreError:
            noticed += 1
        shutil.rmtree(folder)
    assert noticed > 10
    assert noticed + unchanged == 150


def _shown(store: RunStore) -> object:
    runs = sorted(store.list_runs(), key=lambda run: str(run.params))
    ledgers = [store.ledger(run.run_id) for run in runs]
    return (
        [(run.kind, run.params, run.seed) for run in runs],
        [(ledger.measurements(), ledger.metrics(), ledger.artifacts()) for ledger in ledgers],
        [(supernet.name, supernet.card) for supernet in store.list_supernets()],
    )


@pytest.mark.parametrize(
    "content", [b"<html>not found</html>" * 200, b"SQLite format 3\x00" + b"\xff" * 5000]
)
def test_a_file_that_is_no_database_is_said_plainly(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "p.db").write_bytes(content)
    with pytest.raises(DamagedArtifact, match="database is damaged"):
        RunStore(url(tmp_path), tmp_path)
    assert (tmp_path / "p.db").read_bytes() == content


def test_sweeping_removes_what_a_kill_left_and_nothing_else(home: Path) -> None:
    (home / "blobs" / f".tmp-{'1' * 32}").write_bytes(b"half")
    with RunStore(url(home), home) as store:
        files = set((home / "blobs").iterdir())
        orphan = home / "blobs" / store._blobs.put(b"written, but killed before its row")
        assert store.sweep() == 2
        assert set((home / "blobs").iterdir()) == files - {home / "blobs" / f".tmp-{'1' * 32}"}
        assert not orphan.exists()
        assert (store.check(), store.sweep()) == ([], 0)


def test_a_file_swept_between_its_writing_and_its_row_is_written_again(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with RunStore(url(home), home) as store, RunStore(url(home), home) as other:
        ledger = store.ledger(store.create_run("train_x", {}, title="t", state=RunState.RUNNING))
        put = store._blobs.put

        def put_and_swept(data: bytes) -> str:
            sha256 = put(data)
            monkeypatch.undo()
            other.sweep()
            return sha256

        monkeypatch.setattr(store._blobs, "put", put_and_swept)
        ledger.checkpoint(b"unlucky", fraction=0.5)
        assert ledger.latest_checkpoint() == b"unlucky"
        assert store.check() == []


def corrupt(home: Path, inside: bytes) -> None:
    """Flip the highest bit of a byte in the middle of `inside`, in the database file itself."""
    path = home / "p.db"
    content = bytearray(path.read_bytes())
    places = [at for at in range(len(content)) if content.startswith(inside, at)]
    assert places, inside
    for at in places:  # an index may hold it as well
        content[at + len(inside) // 2] ^= 0x80
    path.write_bytes(content)


@pytest.fixture
def texts(tmp_path: Path) -> Path:
    """A closed store whose every text can be found in the file."""
    with RunStore(url(tmp_path), tmp_path) as store:
        for word in ("alpha", "beta"):
            params = {"setting": f"params-{word}"}
            run_id = store.create_run("train_x", params, title=f"title-{word}", session=f"session-{word}")
            store.set_state(run_id, RunState.DONE, f"message-{word}")
            store.append_log(run_id, f"log-{word}")
            ledger = store.ledger(run_id)
            name, how = f"objective-{word}", Obtained(Source.MEASURED, f"source-{word}")
            ledger.add_measurements(0, [Measurement((0,), {name: 0.5}, {name: how})])
            ledger.log_metrics(0, {f"metric-{word}": 1})
            ledger.save_artifact(f"artifact-{word}", word.encode(), "text/plain")
            store.add_supernet(f"supernet-{word}", word.encode() * 9, {"note": f"card-{word}"})
        assert store.check() == []
    connection = sqlite3.connect(tmp_path / "p.db")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return tmp_path


@pytest.mark.parametrize(
    ("inside", "says"),
    [
        (b'setting": "params-alpha', "The request of run"),
        (b"title-alpha", "The request of run"),
        (b"session-alpha", "The request of run"),
        (b"card-alpha", "The card of supernet supernet-alpha"),
        (b"objective-alpha", "Measurement 0 of run"),
        (b"source-alpha", "Measurement 0 of run"),
        (b"metric-alpha", "The numbers of step 0"),
    ],
)
def test_a_flipped_bit_in_a_text_is_damage_of_its_row_alone(texts: Path, inside: bytes, says: str) -> None:
    """SQLite reports such a text as an error of the whole query ("Could not decode to UTF-8")."""
    corrupt(texts, inside)
    with RunStore(url(texts), texts) as store:
        found = [sentence for sentence in store.check() if "index no longer" not in sentence]
        assert len(found) == 1, found
        assert says in found[0]
        assert "changed" in found[0]
        assert "try again" not in found[0]
        [healthy] = [run for run in store.list_runs() if run.title == "title-beta"]
        assert store.ledger(healthy.run_id).metrics() == [{"metric-beta": 1, "step": 0}]
        assert {s.name for s in store.list_supernets()} >= {"supernet-beta"}


def test_check_lists_everything_that_is_damaged(texts: Path) -> None:
    for inside in (b'setting": "params-alpha', b"card-beta", b"metric-alpha", b"objective-beta"):
        corrupt(texts, inside)
    for path in (texts / "blobs").iterdir():
        path.write_bytes(b"changed")
    with RunStore(url(texts), texts) as store:
        found = "\n".join(store.check())
    for words in ("request of run", "card of supernet supernet-beta", "numbers of step 0", "Measurement 0"):
        assert words in found, found
    assert found.count(" is damaged: The stored file") == 4  # two artifacts and two supernets


@pytest.mark.parametrize("inside", [b"objective-alpha", b"metric-alpha"])
def test_reading_a_damaged_row_says_that_it_is_damaged(texts: Path, inside: bytes) -> None:
    corrupt(texts, inside)
    with RunStore(url(texts), texts) as store:
        [run] = [run for run in store.list_runs() if run.title == "title-alpha"]
        ledger = store.ledger(run.run_id)
        with pytest.raises(DamagedArtifact, match="bytes have changed on the disk") as raised:
            (ledger.measurements if b"objective" in inside else ledger.metrics)()
        assert "try again" not in str(raised.value)


def test_a_damaged_run_can_be_removed_and_its_files_go_to_the_trash(texts: Path) -> None:
    corrupt(texts, b'setting": "params-alpha')
    with RunStore(url(texts), texts) as store:
        [row] = store.damaged()
        assert (row.table, row.title) == ("runs", "title-alpha")
        [healthy] = [run for run in store.list_runs() if run.title == "title-beta"]
        assert store.remove_damaged(row) is True
        assert store.remove_damaged(row) is False
        assert (store.damaged(), store.check()) == ([], [])
        assert store.sweep() == 1
        assert store.ledger(healthy.run_id).artifact("artifact-beta") == b"beta"
    assert [path.read_bytes() for path in (texts / "trash").glob("*/*")] == [b"alpha"]


def test_a_healthy_row_is_not_removed_as_damaged(texts: Path) -> None:
    from core.store import DamagedRow

    with RunStore(url(texts), texts) as store:
        assert store.remove_damaged(DamagedRow("runs", "1", "", "")) is False
        assert len(store.list_runs()) == 2


@pytest.mark.slow
def test_a_damaged_index_is_found(home: Path) -> None:
    assert any("index no longer finds" in s for s in damage(home, "UPDATE run_params SET value = '99'"))
    assert any("index no longer finds" in s for s in damage(home, "DELETE FROM run_params"))
