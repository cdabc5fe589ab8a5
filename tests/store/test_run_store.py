"""Runs, supernets, logs, states, migrations."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, event, text

from core.errors import Cancelled, DamagedArtifact, InvalidInput, NotFound, StorageFailed
from core.records import Measurement, RunState
from core.store import RunStore
from core.store import files as files_module
from core.store.schema import HEAD, Base
from core.store.signing import Owner
from tests.store.databases import DATABASES, damage, kept, open_store


@pytest.fixture(params=DATABASES)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RunStore]:
    with open_store(request.param, tmp_path) as opened:
        yield opened


def test_a_run_comes_back_as_it_was_asked_for(store: RunStore) -> None:
    run_id = store.create_run(
        "train_x", {"b": 1, "a": [True, None]}, title="Ünïcode", seed=2**70, session="s"
    )
    run = store.get_run(run_id)
    assert (run.kind, run.params, run.title, run.seed, run.session) == (
        "train_x",
        {"b": 1, "a": [True, None]},
        "Ünïcode",
        2**70,
        "s",
    )
    assert (run.state, run.fraction, run.message, run.eta_seconds) == (RunState.QUEUED, 0.0, "", None)
    assert len(run_id) == 32
    int(run_id, 16)


def test_runs_are_listed_newest_first_and_by_state_and_kind(store: RunStore) -> None:
    ids = [store.create_run(kind, {}, title="t") for kind in ("train_x", "search_x", "train_x")]
    store.set_state(ids[0], RunState.DONE)
    assert [run.run_id for run in store.list_runs()] == ids[::-1]
    assert [run.run_id for run in store.list_runs(kind="train_x")] == [ids[2], ids[0]]
    assert [run.run_id for run in store.list_runs(state=RunState.DONE)] == [ids[0]]
    assert [run.run_id for run in store.list_runs(RunState.QUEUED, "train_x")] == [ids[2]]


def test_unknown_ids_are_not_found(store: RunStore) -> None:
    calls = [store.get_run, store.ledger, store.delete_run, store.supernet_path, store.delete_supernet]
    for call in calls:
        with pytest.raises(NotFound):
            call("nothing")
    with pytest.raises(NotFound):
        store.set_state("nothing", RunState.DONE)
    store.append_log("nothing", "line")
    store.update_progress("nothing", 0.5, "")


def test_a_final_state_stays(store: RunStore) -> None:
    run_id = store.create_run("train_x", {}, title="t", state=RunState.RUNNING)
    store.update_progress(run_id, 0.4, "working", 12.0)
    assert (store.get_run(run_id).fraction, store.get_run(run_id).eta_seconds) == (0.4, 12.0)
    assert store.set_state(run_id, RunState.CANCELLED, "enough") is True
    assert store.set_state(run_id, RunState.DONE) is False
    store.update_progress(run_id, 0.9, "late")
    run = store.get_run(run_id)
    assert (run.state, run.message, run.fraction, run.eta_seconds) == (
        RunState.CANCELLED,
        "enough",
        0.4,
        None,
    )


def test_progress_of_an_earlier_start_is_ignored(store: RunStore) -> None:
    run_id = store.create_run("train_x", {}, title="t", state=RunState.RUNNING)
    store.update_progress(run_id, 0.4, "stale", attempt=7)
    assert store.get_run(run_id).fraction == 0.0


def test_a_replaced_worker_can_write_nothing(store: RunStore) -> None:
    run_id = store.create_run("train_x", {}, title="t", state=RunState.RUNNING)
    stale = store.ledger(run_id, attempt=7)
    writes = [
        lambda: stale.checkpoint(b"x", fraction=0.1),
        lambda: stale.add_measurements(0, [Measurement((0,), {})]),
        lambda: stale.log_metrics(0, {}),
        lambda: stale.save_artifact("a", b"x", "text/plain"),
    ]
    for write in writes:
        with pytest.raises(Cancelled):
            write()
    fresh = store.ledger(run_id, attempt=0)
    assert (fresh.latest_checkpoint(), fresh.measurements(), fresh.metrics(), fresh.artifacts()) == (
        None,
        [],
        [],
        [],
    )
    fresh.checkpoint(b"y", fraction=0.1)
    store.set_state(run_id, RunState.INTERRUPTED)
    with pytest.raises(Cancelled):
        fresh.checkpoint(b"z", fraction=0.2)
    assert fresh.latest_checkpoint() == b"y"


def test_two_checkpoints_are_kept_and_older_files_removed(store: RunStore) -> None:
    ledger = store.ledger(store.create_run("train_x", {}, title="t"))
    for generation in range(6):
        ledger.checkpoint(bytes([generation]) * 50, fraction=0.1)
    assert len(kept(store)) == 2


def test_a_damaged_checkpoint_falls_back_one_generation(store: RunStore) -> None:
    ledger = store.ledger(store.create_run("train_x", {}, title="t"))
    ledger.checkpoint(b"older", fraction=0.1)
    ledger.checkpoint(b"newer", fraction=0.2)
    blobs = kept(store)
    damage(store, blobs[b"newer"], b"newex")
    assert ledger.latest_checkpoint() == b"older"
    damage(store, blobs[b"older"], None)
    with pytest.raises(DamagedArtifact, match="Both"):
        ledger.latest_checkpoint()


def test_a_deleted_run_takes_its_files_along_but_not_shared_ones(store: RunStore) -> None:
    first, second = (store.create_run("train_x", {}, title="t", state=RunState.RUNNING) for _ in range(2))
    for run_id in (first, second):
        store.ledger(run_id).save_artifact("same", b"shared", "text/plain")
    store.ledger(first).checkpoint(b"own", fraction=0.1)
    store.ledger(first).add_measurements(0, [Measurement((0,), {"accuracy": 1.0})])
    store.append_log(first, "line")
    with pytest.raises(InvalidInput, match="cancel"):
        store.delete_run(first)
    store.set_state(first, RunState.DONE)
    store.delete_run(first)
    assert [run.run_id for run in store.list_runs()] == [second]
    assert list(kept(store)) == [b"shared"]
    assert store.ledger(second).artifact("same") == b"shared"
    assert (store.check(), store.log_lines(first)) == ([], [])


def test_the_log_keeps_its_last_lines(store: RunStore) -> None:
    run_id, other = (store.create_run("train_x", {}, title="t") for _ in range(2))
    store.append_log(other, "untouched")
    for start in range(0, 30, 10):
        store.append_log(run_id, *(str(start + i) for i in range(10)), keep=12)
    assert store.log_lines(run_id) == [str(i) for i in range(18, 30)]
    assert store.log_lines(other) == ["untouched"]


def test_supernets_come_and_go(store: RunStore) -> None:
    card = {"family": "elastic_cnn", "data": "digits", "epochs": 3}
    first = store.add_supernet("mine", b"weights", card)
    second = store.add_supernet("copy", b"weights", {})
    assert {s.supernet_id for s in store.list_supernets()} == {first, second}
    found = store.get_supernet(first)
    assert (found.name, found.family, found.data, found.size, dict(found.card)) == (
        "mine",
        "elastic_cnn",
        "digits",
        7,
        card,
    )
    store.delete_supernet(first)
    assert store.supernet_path(second).read_bytes() == b"weights"
    damage(store, kept(store)[b"weights"], b"changed")
    with pytest.raises(DamagedArtifact):
        store.supernet_path(second)
    store.delete_supernet(second)
    assert (store.list_supernets(), kept(store)) == ([], {})


def test_refuses_what_cannot_be_stored(store: RunStore) -> None:
    with pytest.raises(InvalidInput):
        store.create_run("train_x", {"a": object()}, title="t")
    with pytest.raises(InvalidInput):
        store.create_run("train_x", {"a": "x" * 5_000_000}, title="t")
    with pytest.raises(InvalidInput):
        store.create_run("train_x", {}, title="\n")
    assert store.list_runs() == []
    run_id = store.create_run("train_x", {}, title="two\nlines" + "x" * 300)
    assert store.get_run(run_id).title == ("two lines" + "x" * 300)[:200]


def test_storage_counts_files_and_database(store: RunStore) -> None:
    before = store.storage_bytes()
    store.add_supernet("big", b"x" * 100_000, {})
    assert store.storage_bytes() >= before + 100_000


def test_threads_share_a_store(store: RunStore) -> None:
    ledger = store.ledger(store.create_run("train_x", {}, title="t"))
    errors: list[BaseException] = []

    def write(step: int) -> None:
        try:
            for i in range(10):
                ledger.add_measurements(step, [Measurement((step, i), {"accuracy": 0.5})])
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=write, args=(step,)) for step in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert sorted(m.arch for _, m in ledger.measurements()) == [(s, i) for s in range(6) for i in range(10)]
    assert store.check() == []


def test_opening_at_head_is_fast_and_without_alembic(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'p.db'}"
    RunStore(url, tmp_path).close()
    code = (
        "import sys, time, pathlib; from core.store import RunStore; began = time.process_time();"
        "RunStore(sys.argv[1], pathlib.Path(sys.argv[2]));"
        "print(time.process_time() - began, 'alembic' in sys.modules)"
    )
    arguments = [sys.executable, "-c", code, url, str(tmp_path)]
    runs = [
        subprocess.run(arguments, capture_output=True, text=True, check=True).stdout.split() for _ in range(3)
    ]
    new = [sys.executable, "-c", code, f"sqlite:///{tmp_path / 'new.db'}", str(tmp_path / "new")]
    runs.append(subprocess.run(new, capture_output=True, text=True, check=True).stdout.split())
    assert {loaded for _, loaded in runs} == {"False"}
    assert min(float(seconds) for seconds, _ in runs) < 0.1


def test_an_empty_database_and_all_migrations_make_exactly_the_declared_tables(tmp_path: Path) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    found = []
    for name in ("at_once.db", "step_by_step.db"):
        url = f"sqlite:///{tmp_path / name}"
        if name.startswith("step"):
            _nothing_but_alembics_table(url)
        RunStore(url, tmp_path / name.partition(".")[0]).close()
        engine = create_engine(url)
        with engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            assert compare_metadata(context, Base.metadata) == []
            assert context.get_current_revision() == HEAD
            assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
            assert len(connection.execute(text("SELECT identity FROM identity")).all()) == 1
            names = connection.execute(text("SELECT type, name, tbl_name FROM sqlite_master")).all()
            columns = {
                name: {tuple(row)[1:] for row in connection.execute(text(f"PRAGMA table_info('{name}')"))}
                for kind, name, _ in names
                if kind == "table"
            }
            found.append(({tuple(row) for row in names}, columns))
        engine.dispose()
    assert found[0] == found[1]


def _nothing_but_alembics_table(url: str) -> None:
    """A database that has tables but no revision: every migration runs."""
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(
            text(
                "CREATE TABLE alembic_version (version_num VARCHAR(32) CONSTRAINT alembic_version_pkc PRIMARY KEY NOT NULL)"
            )
        )
    engine.dispose()


def test_a_newer_database_is_left_alone(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'p.db'}"
    RunStore(url, tmp_path).close()
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(StorageFailed, match="newer"):
        RunStore(url, tmp_path)


def test_a_migration_that_dies_leaves_nothing_half_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from alembic import op

    url, create, count = f"sqlite:///{tmp_path / 'p.db'}", op.create_table, iter(range(100))
    _nothing_but_alembics_table(url)

    def dies_at_the_third(*args: object, **kwargs: object) -> object:
        if next(count) == 2:
            raise OSError(28, "No space left on device")
        return create(*args, **kwargs)

    monkeypatch.setattr(op, "create_table", dies_at_the_third)
    with pytest.raises(StorageFailed, match="full"):
        RunStore(url, tmp_path)
    monkeypatch.undo()
    with RunStore(url, tmp_path) as store:
        assert store.list_runs() == []


def test_a_creation_that_dies_leaves_nothing_half_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"sqlite:///{tmp_path / 'p.db'}"

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(
        "core.store.migrations.HEAD", property(full)
    )  # cannot be stored: after all tables are made
    with pytest.raises(StorageFailed):
        RunStore(url, tmp_path)
    monkeypatch.undo()
    with RunStore(url, tmp_path) as store:
        assert store.list_runs() == []


@pytest.mark.slow
def test_processes_may_create_the_store_together(tmp_path: Path) -> None:
    code = (
        "import sys, pathlib; from core.store import RunStore;"
        "s = RunStore(sys.argv[1], pathlib.Path(sys.argv[2])); s.create_run('train_x', {}, title='t')"
    )
    arguments = [sys.executable, "-c", code, f"sqlite:///{tmp_path / 'p.db'}", str(tmp_path)]
    processes = [subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True) for _ in range(4)]
    for process in processes:
        _, errors = process.communicate(timeout=60)
        assert (process.returncode, errors) == (0, "")
    with RunStore(arguments[-2], tmp_path) as store:
        assert len(store.list_runs()) == 4


def test_relative_urls_do_not_depend_on_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with RunStore("sqlite:///deep/er/p.db", Path("home")) as store:
        run_id = store.create_run("train_x", {}, title="t")
        monkeypatch.chdir("/")
        with RunStore(store.url, store.home) as again:
            assert again.get_run(run_id).title == "t"


@pytest.mark.parametrize("url", ["nonsense", "nosuchdb://host/db", "oracle://u:p@host/db"])
def test_an_unusable_url_is_said_plainly(url: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="PARETOSCOPE_DATABASE_URL"):
        RunStore(url, tmp_path)


def test_times_are_for_display_only(store: RunStore, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = []
    for now in (1e9, 2e9, 5e8, -3.0):
        monkeypatch.setattr(time, "time", lambda now=now: now)
        ids.append(store.create_run("train_x", {}, title="t", state=RunState.RUNNING))
        store.ledger(ids[-1]).checkpoint(str(now).encode(), fraction=0.1)
    assert [run.run_id for run in store.list_runs()] == ids[::-1]
    assert store.ledger(ids[0]).latest_checkpoint() == b"1000000000.0"


def test_runs_are_found_by_what_they_are_about(store: RunStore) -> None:
    def made(kind: str, params: dict[str, object]) -> str:
        return store.create_run(kind, params, title="t")

    digits = made("prune_x", {"model": "digits", "seed": 1, "data": {"name": "digits"}, "rate": None})
    other = made("prune_x", {"model": "fashion", "seed": 2.0, "flag": True, "many": [1, 2]})
    elsewhere = made("train_x", {"model": "digits", "long": "x" * 5000})

    def found(kind: str | None = None, **where: object) -> list[str]:
        return [run.run_id for run in store.list_runs(kind=kind, where=where)]  # type: ignore[arg-type]

    assert found(model="digits") == [elsewhere, digits]
    assert found(kind="prune_x", model="digits") == [digits]
    assert found(model="digits", seed=1) == [digits]
    assert found(seed=2) == found(seed=2.0) == found(flag=True) == [other]
    assert found(rate=None) == [digits]
    assert found(long="x" * 5000) == [elsewhere]
    assert (found(long="x" * 4999), found(seed=True), found(model="mnist"), found(many=1)) == ([], [], [], [])
    assert [run.run_id for run in store.list_runs(where={"data.name": "digits"})] == [digits]
    store.set_state(elsewhere, RunState.DONE)
    done = store.list_runs(RunState.DONE, where={"model": "digits"})
    assert [run.run_id for run in done] == [elsewhere]
    store.delete_run(elsewhere)
    assert (found(model="digits"), store.check()) == ([digits], [])


def test_finding_a_run_reads_no_other(tmp_path: Path) -> None:
    """The database's own plan: a search in an index at each step, a scan of no table."""
    with RunStore(f"sqlite:///{tmp_path / 'p.db'}", tmp_path) as store:
        statements: list[tuple[str, object]] = []
        listen = event.listens_for(store._database.engine, "before_cursor_execute")
        listen(lambda c, cursor, statement, parameters, *_: statements.append((statement, parameters)))
        store.list_runs(kind="prune_x", where={"model": "digits"})
        [(statement, parameters)] = [s for s in statements if "run_params" in s[0]]
        with store._database.read() as connection:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()
    steps = " | ".join(str(row[-1]) for row in plan)
    assert "ix_run_params_name_value" in steps
    assert "SCAN" not in steps, steps


def test_damaged_rows_are_listed_left_out_and_removed(store: RunStore) -> None:
    run_id = store.create_run("train_x", {"a": 1}, title="broken", state=RunState.DONE)
    healthy = store.create_run("train_x", {"a": 2}, title="healthy", state=RunState.DONE)
    supernet_id = store.add_supernet("broken net", b"weights", {"note": "x"})
    with store._database.write("damaging rows") as connection:
        connection.execute(text("UPDATE runs SET params = '{}' WHERE title = 'broken'"))
        connection.execute(text("UPDATE supernets SET card = '{}'"))
    assert [run.run_id for run in store.list_runs()] == [healthy]
    assert store.list_supernets() == []
    for read in (lambda: store.get_run(run_id), lambda: store.get_supernet(supernet_id)):
        with pytest.raises(DamagedArtifact, match="changed since it was saved"):
            read()
    damaged = store.damaged()
    assert [(row.table, row.title) for row in damaged] == [("runs", "broken"), ("supernets", "broken net")]
    assert [store.remove_damaged(row) for row in damaged] == [True, True]
    assert (store.damaged(), store.check()) == ([], [])
    assert store.get_run(healthy).title == "healthy"


def test_what_a_run_took_leaves_out_the_queue(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, store: RunStore
) -> None:
    clock = [1000.0]
    monkeypatch.setattr(time, "time", lambda: clock[0])
    me = Owner()
    run_id = store.create_run("train_x", {}, title="t", owner=me)
    assert store.get_run(run_id).worked is None
    clock[0] += 500  # in the queue
    attempt = store.leases.claim(run_id, me)
    clock[0] += 20
    store.leases.finish(run_id, attempt, RunState.CANCELLED, "stopped")
    assert store.get_run(run_id).worked == pytest.approx(20)
    clock[0] += 300
    store.leases.enqueue(run_id, me)
    clock[0] += 700
    attempt = store.leases.claim(run_id, me)
    clock[0] += 5
    store.update_progress(run_id, 0.5, "half", attempt=attempt)
    # Its server dies, which is noticed an hour later.
    clock[0] += 3600
    [lease] = store.leases.of_others(Owner())
    assert store.leases.interrupt(lease, "gone")
    assert store.get_run(run_id).worked == pytest.approx(25)


def test_a_file_that_another_run_lets_go_of_before_its_row_is_written_again(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, run_id = (store.create_run("train_x", {}, title="t", state=RunState.DONE) for _ in range(2))
    store.ledger(other).save_artifact("same", b"of both", "text/plain")
    put, first = store._blobs.put, iter([True])

    def put_and_let_go(data: bytes) -> str:
        sha256 = put(data)
        if next(first, False):
            store.delete_run(other)
        return sha256

    monkeypatch.setattr(store._blobs, "put", put_and_let_go)
    store.ledger(run_id).save_artifact("same", b"of both", "text/plain")
    assert (store.ledger(run_id).artifact("same"), store.check()) == (b"of both", [])


def test_what_is_named_while_files_are_swept_is_not_put_away(
    store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = store.create_run("train_x", {}, title="t", state=RunState.DONE)
    sha256, parts = store._blobs.put(b"named late"), files_module._parts

    def named_meanwhile(names: set[str]) -> Iterator[set[str]]:
        store.ledger(run_id).save_artifact("late", b"named late", "text/plain")
        yield from parts(names)

    monkeypatch.setattr(files_module, "_parts", named_meanwhile)
    assert (store.sweep(), store._blobs.names(), store._blobs.thrown()) == (0, {sha256}, set())
