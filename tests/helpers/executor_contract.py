"""What every executor promises; `tests/contracts` checks those of one machine, `tests/cluster` Ray."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core.errors import CoreError, DataUnavailable, InvalidInput
from core.executors import Call, Done, Executor, Session

HERE = "tests.helpers.calls"
SHARED = {"a": b"alpha", "ß/..": bytes(range(256)) * 5000, "empty": b""}


def call(key: str, function: str, payload: object = b"", checkpoint: bytes | None = None) -> Call:
    """A call of a helper; what is not bytes goes as JSON."""
    told = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    return Call(key, f"{HERE}:{function}", told, checkpoint)


def results(session: Session, calls: object, **given: object) -> dict[str, bytes]:
    """Key -> value; each key comes once."""
    found: dict[str, bytes] = {}
    for done in session.run(calls, **given):  # type: ignore[arg-type]
        if done is not None:
            assert done.key not in found, "came back twice"
            found[done.key] = done.value
    return found


def until(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    """Wait for something that is soon so; what a cluster says of its nodes may be a second old."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)


def rests(path: Path, seconds: float = 1.0) -> bool:
    """Whether nobody writes to a file for so long: on a busy machine a process may not get its turn for a while."""
    last = path.read_text()
    time.sleep(seconds)
    return path.read_text() == last


class ExecutorContract:
    """Inherit, and give the fixture `executor`; `loses` is whether a call can be killed without the driver."""

    loses = True
    slots = 2

    @pytest.fixture
    def session(self, executor: Executor) -> Iterator[Session]:
        with executor.opened(SHARED) as opened:
            yield opened

    def test_bytes_go_in_and_come_out(self, session: Session) -> None:
        payloads = {f"k{i}": bytes([i]) * (1 + 70_000 * (i % 3)) for i in range(9)} | {"empty": b""}
        assert results(session, (call(k, "echo", p) for k, p in payloads.items())) == payloads
        again = results(session, [call("k0", "echo", b"other")])
        assert again == {"k0": b"other"}, "keys are of one run"

    def test_what_is_shared_is_there(self, session: Session) -> None:
        found = results(
            session, [call(name, "read_shared", name.encode()) for name in ("a", "ß/..", "empty")]
        )
        assert found == {"a": b"alpha", "ß/..": bytes(range(256)) * 5000, "empty": b""}

    def test_results_say_where_and_how_long(self, session: Session, tmp_path: Path) -> None:
        asked = {"name": "n", "seconds": 0.2, "folder": str(tmp_path)}
        before = {node.name: node for node in session.nodes()}
        (done,) = [d for d in session.run([call("n", "nap", asked)]) if d is not None]
        assert 0.2 <= done.seconds < 2
        (node,) = [node for node in session.nodes() if node.name == done.node]
        assert (node.done - before[node.name].done, node.alive, node.refused) == (1, True, "")
        assert node.seconds - before[node.name].seconds == pytest.approx(done.seconds)
        assert len(node.code) == 64
        assert node.cores >= 1
        assert node.memory > 1 << 20
        assert node.torch

    def test_calls_are_taken_only_when_a_slot_is_free(self, session: Session, tmp_path: Path) -> None:
        taken: list[int] = []
        back = 0

        def calls() -> Iterator[Call]:
            for i in range(5):
                taken.append(i)
                assert len(taken) - back <= session.slots
                yield call(str(i), "nap", {"name": str(i), "seconds": 0.05, "folder": str(tmp_path)})

        assert session.slots == self.slots
        for done in session.run(calls()):
            back += done is not None
        assert back == 5

    def test_a_generator_may_wait_for_results(self, session: Session) -> None:
        """Each call depends on the last result: an asynchronous search of one."""
        told: list[Done] = []

        def calls() -> Iterator[Call | None]:
            yield None  # nothing runs yet: it is asked again
            for i in range(3):
                yield call(str(i), "echo", b"x" * i)
                while len(told) <= i:
                    yield None

        for done in session.run(calls()):
            if done is not None:
                told.append(done)
        assert [done.value for done in told] == [b"", b"x", b"xx"]

    def test_it_says_so_while_nothing_comes(self, session: Session, tmp_path: Path) -> None:
        asked = {"name": "n", "seconds": 1.6, "folder": str(tmp_path)}
        last, gaps, nothing = time.monotonic(), [], 0
        for done in session.run([call("n", "nap", asked)]):
            gaps.append(time.monotonic() - last)
            last = time.monotonic()
            nothing += done is None
        assert nothing >= 3
        # One of them may have met a machine that does something else.
        assert sorted(gaps)[-2] < 0.9, f"half a second, on a busy machine: {gaps}"

    @pytest.mark.parametrize("function", ["nap", "until_cancelled"])
    def test_closing_stops_what_runs(self, session: Session, function: str, tmp_path: Path) -> None:
        asked: object = {"name": "n", "seconds": 60, "folder": str(tmp_path)}
        asked = str(tmp_path).encode() if function == "until_cancelled" else asked
        running = session.run([call("n", function, asked), call("never", "echo")])
        trace = tmp_path / ("began" if function == "until_cancelled" else "n.alive")
        while not trace.exists():
            next(running)
        started = time.monotonic()
        running.close()  # type: ignore[attr-defined]
        assert time.monotonic() - started < 2
        if function == "nap":
            until(lambda: rests(tmp_path / "n.alive", 0.7), 2)
            assert not (tmp_path / "n.ended").exists()
        else:
            assert (tmp_path / "cancelled").exists(), "it ended by itself"
        assert results(session, [call("n", "echo", b"y")]) == {"n": b"y"}, (
            "others may follow, with the same key"
        )

    def test_an_expected_failure_keeps_its_class_and_sentence(self, session: Session) -> None:
        with pytest.raises(DataUnavailable, match=r"^The data are on the moon\.$"):
            results(session, [call("n", "refuses", b"data")])
        with pytest.raises(InvalidInput, match=r"^Seven is no even number\.$"):
            results(session, [call("n", "refuses")])

    def test_any_other_failure_names_the_call(self, session: Session) -> None:
        with pytest.raises(CoreError, match=r"^part 7 .*KeyError: 'seven'"):
            results(session, [call("part 7", "fails", b"seven"), *(call(str(i), "echo") for i in range(4))])
        with pytest.raises(CoreError, match="returned str, not bytes"):
            results(session, [call("n", "gives_text")])
        assert results(session, [call("n", "echo", b"z")]) == {"n": b"z"}

    @pytest.mark.parametrize(
        "name",
        ["core.nothing:at_all", "tests.helpers.calls:_hidden", "os:system", "tests.helpers.calls:json"],
    )
    def test_only_functions_of_ours_are_called(self, session: Session, name: str) -> None:
        with pytest.raises(CoreError, match=r"There is no module|is not a function of this release"):
            results(session, [Call("n", name, b"")])

    def test_what_a_function_prints_is_no_answer(self, session: Session) -> None:
        assert results(session, [call(str(i), "prints", b"p") for i in range(2)]) == {"0": b"p", "1": b"p"}

    def test_checkpoints_reach_the_driver_and_are_given_back(self, session: Session, tmp_path: Path) -> None:
        kept: list[tuple[str, bytes, float]] = []
        asked = {"name": "n", "to": 4, "folder": str(tmp_path), "pause": 0.3}
        found = results(session, [call("n", "counts", asked, b"1")], keep=lambda *each: kept.append(each))
        assert found == {"n": b"1"}
        # The newest may overtake one that nobody has looked at yet.
        assert kept
        assert set(kept) <= {("n", b"2", 0.5), ("n", b"3", 0.75), ("n", b"4", 1.0)}
        assert kept == sorted(kept)

    def test_a_lost_call_goes_on_from_its_last_checkpoint(self, session: Session, tmp_path: Path) -> None:
        if not self.loses:
            pytest.skip("calls are lost with the driver alone")
        asked = {"name": "n", "to": 6, "dies_at": 4, "folder": str(tmp_path), "pause": 0.1}
        calls = [call("n", "counts", asked), *(call(str(i), "echo", bytes([i])) for i in range(6))]
        found = results(session, calls, keep=lambda _, step, __: (tmp_path / f"kept {step.decode()}").touch())
        assert found.pop("n") == b"0 4"
        assert found == {str(i): bytes([i]) for i in range(6)}

    def test_what_is_lost_again_and_again_is_given_up(self, session: Session, tmp_path: Path) -> None:
        if not self.loses:
            pytest.skip("calls are lost with the driver alone")
        asked = {"name": "n", "to": 2, "dies_at": 0, "times": 99, "folder": str(tmp_path)}
        with pytest.raises(CoreError, match=r"^n was started 4 times, .* resume the run to go on\.$"):
            results(session, [call("n", "counts", asked)])
        assert results(session, [call("n", "echo", b"z")]) == {"n": b"z"}

    def test_two_calls_cannot_have_one_key(self, session: Session) -> None:
        with pytest.raises(ValueError, match="'n'"):
            results(session, [call("n", "echo"), call("n", "echo")])

    def test_one_thread_of_torch(self, session: Session) -> None:
        assert results(session, [call("n", "threads")]) == {"n": b"1"}
