"""Several servers on one Postgres, killed and stopped at random, with their workers; what must be there afterwards.

Each server is `python -m core work` in a process of its own. It does not look processes up, as if every other were on
another machine: only counters tell who is dead. What the store acknowledged, workers write down outside
(`tests.reliability.acknowledged`), and after every kill and at the end the two are compared.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy import select

from core.jobs.taking_up import AGAIN
from core.records import RunState
from core.store import RunStore
from core.store.schema import RunRow
from core.store.signing import NOBODY, process_started
from tests.reliability.acknowledged import FOLDER, plain_rows, untimed
from tests.reliability.kill_harness import fingerprint

ROOT = Path(__file__).resolve().parents[2]

SERVER = """
import sys
import core.jobs.dispatching, core.store.signing
core.jobs.dispatching.LEASE_SECONDS = float(sys.argv[1])
core.store.signing.this_host = lambda: ""  # as if each were alone on its machine
from core.cli.main import main
sys.argv = ["core", "work"]
main()
"""


@dataclass(frozen=True)
class Worker:
    """A worker process that lives."""

    pid: int
    server: int
    run_id: str
    attempt: int


@dataclass(frozen=True)
class Kind:
    """What is run: `parts` of the record must equal those of an undisturbed run, by this hash."""

    name: str
    params: Mapping[str, Any]
    parts: Sequence[str]
    expected: str


@dataclass
class Done:
    """What a campaign did."""

    workers_killed: int = 0
    servers_killed: int = 0
    whole_servers_killed: int = 0
    paused: int = 0
    fenced: int = 0
    runs: int = 0
    starts: int = 0
    acknowledged: Counter[str] = field(default_factory=Counter)
    late: int = 0
    seconds: float = 0.0

    def __str__(self) -> str:
        return (
            f"{self.workers_killed} workers and {self.servers_killed} servers killed ({self.whole_servers_killed} with "
            f"their workers), {self.paused} servers stopped for longer than a lease ({self.fenced} of their workers "
            f"fenced); {self.runs} runs done in {self.starts} starts, {dict(self.acknowledged)} acknowledged and "
            f"there, {self.seconds:.0f} s"
        )


class ManyServers:
    """Two servers, the runs, and the disturbance."""

    def __init__(
        self,
        url: str,
        home: Path,
        kinds: Sequence[Kind],
        workflows: str,
        *,
        seed: int,
        lease_seconds: float,
    ) -> None:
        """Nothing is started yet; the database at `url` is empty."""
        self.lease_seconds = lease_seconds
        self.url, self.home, self.kinds = url, home, kinds
        self.rng = random.Random(seed)
        self.acks = home / "acknowledged"
        self.acks.mkdir(parents=True)
        self.environment = {
            **os.environ,
            "OMP_NUM_THREADS": "1",
            "PARETOSCOPE_HOME": str(home / "home"),
            "PARETOSCOPE_DATABASE_URL": url,
            "PARETOSCOPE_WORKFLOWS": workflows,
            FOLDER: str(self.acks),
        }
        self.store = RunStore(url, home / "home")
        self.servers: list[subprocess.Popen[bytes]] = []
        self.runs: dict[str, Kind] = {}
        self.disturbed: set[tuple[str, int]] = set()
        self.done = Done()

    def start_server(self) -> None:
        with (self.home / "servers.log").open("ab") as log:
            self.servers.append(
                subprocess.Popen(
                    [sys.executable, "-c", SERVER, str(self.lease_seconds)],
                    cwd=ROOT,
                    env=self.environment,
                    stdout=log,
                    stderr=log,
                )
            )

    def submit(self, kind: Kind) -> None:
        """Queue a run, each of one of four sessions."""
        session = self.rng.choice("abcd")
        run_id = self.store.create_run(
            kind.name, dict(kind.params), title=kind.name, session=session, owner=NOBODY
        )
        self.runs[run_id] = kind

    def disturb(self, workers: int, servers: int, pauses: int, run_seconds: float) -> Done:
        """Do it: so many kills of workers, of servers, and pauses; then let everything end.

        Raises:
            AssertionError: something acknowledged is not there, a run needs a person, or was done twice.
        """
        began = time.monotonic()
        for _ in range(2):
            self.start_server()
        deeds = ["worker"] * workers + ["server"] * servers + ["pause"] * pauses
        self.rng.shuffle(deeds)
        for deed in deeds:
            self._keep_busy()
            {"worker": self._kill_worker, "server": self._kill_server, "pause": self._pause}[deed]()
        self._wait_for_all(run_seconds)
        self.done.seconds = time.monotonic() - began
        self._judge()
        return self.done

    def close(self) -> None:
        """End everything, also what stands still."""
        for server in self.servers:
            server.kill()
            server.wait(30)
        for worker in self.workers():
            with suppress(ProcessLookupError):
                os.kill(worker.pid, signal.SIGKILL)
        _until(lambda: not self.workers(), 10.0, "workers live on")
        self.store.close()

    def workers(self) -> list[Worker]:
        """The worker processes of this home that live."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            with suppress(OSError, ValueError, IndexError):
                arguments = (process / "cmdline").read_bytes().split(b"\0")
                if b"core.jobs.worker" not in arguments:
                    continue
                environ = dict(
                    each.partition(b"=")[::2] for each in (process / "environ").read_bytes().split(b"\0")
                )
                if environ.get(b"PARETOSCOPE_HOME") != str(self.home / "home").encode():
                    continue
                parent = int((process / "stat").read_text().rpartition(")")[2].split()[1])
                attempt = int(environ[b"PARETOSCOPE_ATTEMPT"])
                found.append(Worker(int(process.name), parent, arguments[3].decode(), attempt))
        return found

    def _keep_busy(self) -> None:
        """There is always something that waits, of each kind."""
        waiting = Counter(run.kind for run in self.store.list_runs(state=RunState.QUEUED))
        for kind in self.kinds:
            if not waiting[kind.name]:
                self.submit(kind)

    def _fair(self, run_id: str) -> bool:
        """Whether losing its worker once more is no reason to leave the run alone (it got further, or has a try left)."""
        run = self.store.get_run(run_id)
        return self.store.log_lines(run_id).count(AGAIN.said(run.fraction)) < AGAIN.most

    def _at_work(self) -> Worker | None:
        """A worker that has acknowledged something in this start."""
        for worker in self.rng.sample(found := self.workers(), len(found)):
            said = self._said(worker.run_id)
            acknowledged = [
                line for line in said if line["what"] in ("metrics", "measured", "checkpoint", "artifact")
            ]
            if (
                acknowledged
                and acknowledged[-1]["attempt"] == worker.attempt
                and self._fair(worker.run_id)
                and process_started(worker.pid)
            ):
                return worker
        return None

    def _kill_worker(self) -> None:
        while True:
            worker = _until(self._at_work, 240.0, "no worker does anything")
            time.sleep(self.rng.uniform(0.0, 0.3))
            before = self._said(worker.run_id)
            with suppress(ProcessLookupError):
                os.kill(worker.pid, signal.SIGKILL)
                self.disturbed.add((worker.run_id, worker.attempt))
                self.done.workers_killed += 1
                self._compare(worker.run_id, before)
                return

    def _kill_server(self) -> None:
        server = self._victim()
        whole = self.rng.random() < 0.5
        victims = [worker for worker in self.workers() if worker.server == server.pid]
        for worker in victims if whole else []:
            os.kill(worker.pid, signal.SIGSTOP)  # so that it can say nothing
        server.kill()
        for worker in victims if whole else []:
            with suppress(ProcessLookupError):
                os.kill(worker.pid, signal.SIGKILL)
        server.wait(30)
        self.servers.remove(server)
        self.disturbed |= {(worker.run_id, worker.attempt) for worker in victims}
        self.done.servers_killed += 1
        self.done.whole_servers_killed += whole
        for worker in victims:
            self._compare(worker.run_id, self._said(worker.run_id))
        self.start_server()

    def _pause(self) -> None:
        """A stopped network: the server and its workers stand still until others have taken their runs over."""
        server = self._victim()
        os.kill(server.pid, signal.SIGSTOP)
        victims = [worker for worker in self.workers() if worker.server == server.pid]
        for worker in victims:
            with suppress(ProcessLookupError):
                os.kill(worker.pid, signal.SIGSTOP)
        held = {worker.run_id: worker.attempt for worker in victims}

        def elsewhere() -> bool:
            """Each waits for whoever is free, has been started by another, or had ended just before."""
            return all(
                self._start_of(run_id) > attempt or self.store.get_run(run_id).state is not RunState.RUNNING
                for run_id, attempt in held.items()
            )

        _until(elsewhere, 240.0, "nobody takes over what a stopped server had")
        for pid in (*(worker.pid for worker in victims), server.pid):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        self.disturbed |= set(held.items())
        self.done.paused += 1
        alive = lambda: [w for w in victims if w in self.workers()]  # noqa: E731
        _until(lambda: not alive(), 60.0, "a fenced worker goes on")
        self.done.fenced += len(victims)

    def _start_of(self, run_id: str) -> int:
        with self.store._database.read() as connection:
            return int(connection.execute(select(RunRow.attempt).where(RunRow.run_id == run_id)).scalar_one())

    def _victim(self) -> subprocess.Popen[bytes]:
        """A server of whose runs none would be left alone for it."""

        def fair() -> subprocess.Popen[bytes] | None:
            server = self.rng.choice(self.servers)
            assert server.poll() is None, "a server ended by itself"
            theirs = [worker.run_id for worker in self.workers() if worker.server == server.pid]
            return server if theirs and all(map(self._fair, theirs)) else None

        return _until(fair, 240.0, "no server has anything to do")

    def _said(self, run_id: str) -> list[dict[str, Any]]:
        path = self.acks / run_id
        lines = path.read_text().splitlines() if path.exists() else []
        return [json.loads(line) for line in lines]

    def _compare(self, run_id: str, said: Sequence[Mapping[str, Any]]) -> Counter[str]:
        """All that was acknowledged is in the store, each row once and in its place."""
        ledger, found = self.store.ledger(run_id), Counter[str]()
        stored = plain_rows([measurement for _, measurement in ledger.measurements()])
        metrics = {row["step"]: untimed(row) for row in ledger.metrics()}
        artifacts = {artifact.name for artifact in ledger.artifacts()}
        begin = newest = 0
        for line in said:
            newest = max(newest, line["attempt"])
            if line["what"] == "measured":
                n, late = len(line["rows"]), line["attempt"] < newest
                places = range(0 if late else begin, len(stored) - n + 1)
                there = next((at for at in places if stored[at : at + n] == line["rows"]), None)
                assert there is not None, f"{n} acknowledged measurements of {run_id} are not where they were"
                begin = begin if late else there + n
                found["measurements"] += n
            elif line["what"] == "metrics":
                assert metrics.get(line["step"]) == {**line["values"], "step": line["step"]}, line
                found["metrics"] += 1
            elif line["what"] == "artifact":
                assert line["name"] in artifacts, line
                found["files"] += 1
            elif line["what"] == "checkpoint":
                assert ledger.latest_checkpoint() is not None
                found["checkpoints"] += 1
        return found

    def _wait_for_all(self, seconds: float) -> None:
        def ended() -> bool:
            for server in self.servers:
                assert server.poll() is None, "a server ended by itself"
            runs = self.store.list_runs()
            alone = [run for run in runs if run.state.is_resumable and run.state is not RunState.INTERRUPTED]
            assert not alone, [(run.state, run.message) for run in alone]
            return all(run.state is RunState.DONE for run in runs)

        _until(ended, seconds, "not every run is done without a person's help")

    def _judge(self) -> None:
        for run_id, kind in self.runs.items():
            run, said = self.store.get_run(run_id), self._said(run_id)
            assert run.state is RunState.DONE, (run_id, run.message)
            self.done.acknowledged += self._compare(run_id, said)
            found = fingerprint(self.store.ledger(run_id), kind.parts)
            assert found == kind.expected, f"{run_id} ({kind.name}) came out otherwise than undisturbed"
            starts = [line["attempt"] for line in said if line["what"] == "start"]
            assert len(starts) == len(set(starts)), "two workers had one start"
            ends = [line["attempt"] for line in said if line["what"] == "end"]
            assert ends, "done, and nobody did it"
            assert max(starts) == max(ends) == self._start_of(run_id), (
                "it was started again after it was done"
            )
            again = [(run_id, attempt) for attempt in ends[:-1]]
            assert set(again) <= self.disturbed, "it was done twice"
            self._goes_on_from_what_was_acknowledged(said)
            self.done.late += _late(said)
            self.done.runs += 1
            self.done.starts += len(starts)
        assert self.done.late <= self.done.fenced, (
            "an old start had something acknowledged after a newer began"
        )
        assert self.store.check() == []
        assert not [path for path in (self.home / "home").glob("blobs*/*") if path.name.startswith(".tmp-")]

    def _goes_on_from_what_was_acknowledged(self, said: Sequence[Mapping[str, Any]]) -> None:
        """Each start begins with the newest acknowledged checkpoint, or one that was stored after it."""
        older: list[str] = []
        for line in said:
            if line["what"] == "checkpoint":
                older.append(line["sha256"])
            elif line["what"] == "loaded" and older:
                assert line["sha256"] == older[-1] or line["sha256"] not in ("", *older), (
                    "an acknowledged checkpoint was forgotten"
                )


UNDISTURBED = """
import importlib, json, sys
from core.library.library import Library
from core.runtime import heavy_imports
from core.store import MemoryLedger
from tests.reliability.kill_harness import fingerprint
module, params, parts = sys.argv[1], json.loads(sys.argv[2]), json.loads(sys.argv[3])
if "toy" not in module:
    heavy_imports()
workflow = importlib.import_module(module)
ledger = MemoryLedger(params=params)
for _ in workflow.run(workflow.Request.model_validate(params), ledger, Library()):
    pass
print(fingerprint(ledger, parts))
"""


def undisturbed(name: str, params: Mapping[str, Any], parts: Sequence[str]) -> Kind:
    """A kind of run, with what comes out where nobody disturbs it; made in a fresh process, as workers are."""
    module = f"tests.reliability.acknowledged.{name}"
    command = [sys.executable, "-c", UNDISTURBED, module, json.dumps(dict(params)), json.dumps(list(parts))]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    return Kind(name, params, parts, done.stdout.strip().splitlines()[-1])


def _late(said: Sequence[Mapping[str, Any]]) -> int:
    """Lines of an old start after the first of a newer one: acknowledged before, written down after it was woken."""
    newest, late = 0, 0
    for line in said:
        newest = max(newest, line["attempt"])
        late += line["attempt"] < newest
    return late


def _until(condition: Any, seconds: float, what: str) -> Any:
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, what
        time.sleep(0.05)
    return value
