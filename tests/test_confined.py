"""The confined process: what it may use, how it says no, and that nothing is left behind."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from core import confined
from core.confined import Limits, run_confined
from core.errors import Busy, InvalidInput, StorageFailed

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits are Linux's")
SMALL = Limits(memory_bytes=400 * 2**20, cpu_seconds=2, file_bytes=2**20)


def ask(what: str, target: Path, data: bytes = b"abc", limits: Limits = SMALL) -> dict[str, Any]:
    return run_confined("tests.helpers.hungry_decoder", data, {"do": what}, target, limits)


def test_bytes_go_in_and_an_answer_and_a_file_come_out(tmp_path: Path) -> None:
    data = bytes(range(256)) * 40_000  # more than a pipe holds
    limits = Limits(file_bytes=len(data))
    answer = ask("answer", tmp_path / "new" / "file", data, limits)
    assert answer == {"bytes": len(data), "nice": 10, "options": {"do": "answer"}}
    assert (tmp_path / "new" / "file").read_bytes() == data[::-1]


def test_what_libraries_print_is_no_part_of_the_answer(tmp_path: Path) -> None:
    assert ask("chatter", tmp_path / "file") == {"said": "only this"}


def test_the_limits_are_in_force(tmp_path: Path) -> None:
    assert ask("limits", tmp_path / "file") == {
        "AS": SMALL.memory_bytes,
        "CPU": SMALL.cpu_seconds,
        "FSIZE": SMALL.file_bytes,
        "CORE": 0,
    }


@pytest.mark.parametrize(
    ("what", "says"),
    [
        ("refuse", "not what was asked for"),
        ("spin", "more than 2 seconds of computing"),
        ("grow", "more memory"),
        ("abort", "more memory"),
    ],
)
def test_what_it_cannot_do_is_a_refusal_and_leaves_nothing(what: str, says: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"older")
    began = time.process_time()
    with pytest.raises(InvalidInput, match=says):
        ask(what, tmp_path / "file")
    assert time.process_time() - began < 0.1
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert (tmp_path / "file").read_bytes() == b"older"


def test_a_file_beyond_its_limit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput):
        ask("fill", tmp_path / "file")
    assert list(tmp_path.iterdir()) == []


def test_a_bug_is_logged_whole_and_said_plainly(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(InvalidInput, match="cannot be read"):
        ask("fail", tmp_path / "file")
    assert "a bug of ours" in caplog.text
    assert "Traceback" in caplog.text


@pytest.mark.slow
def test_one_that_gets_no_time_is_ended_and_may_be_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(confined, "_SLOWEST", 1)
    with pytest.raises(Busy, match="try again"):
        ask("sleep", tmp_path / "file")
    assert list(tmp_path.iterdir()) == []


def test_at_most_two_run_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lock, running, most = threading.Lock(), 0, 0
    plain = confined._ask

    def counted(*arguments: Any) -> Any:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        try:
            return plain(*arguments)
        finally:
            with lock:
                running -= 1

    monkeypatch.setattr(confined, "_ask", counted)
    threads = [threading.Thread(target=ask, args=("answer", tmp_path / str(n))) for n in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 2
    assert len(list(tmp_path.iterdir())) == 5


def test_those_who_wait_too_long_are_told_to_come_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(confined, "_AT_ONCE", threading.BoundedSemaphore(1))
    monkeypatch.setattr(confined, "_PATIENCE_SECONDS", 0.05)
    with confined._AT_ONCE, pytest.raises(Busy):
        ask("answer", tmp_path / "file")
    assert ask("answer", tmp_path / "file")["bytes"] == 3


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "taken").write_bytes(b"a file")
    with pytest.raises(StorageFailed):
        ask("answer", tmp_path / "taken" / "file")
