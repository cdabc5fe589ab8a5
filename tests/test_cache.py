"""The one cache: bounded, made once, safe between threads, and never the keeper of a failure."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from core.cache import Cache, kept


def test_the_longest_unused_value_goes_first() -> None:
    cache: Cache[int] = Cache(2)
    made: list[str] = []

    def ask(key: str) -> int:
        return cache.get(key, lambda: (made.append(key), ord(key))[1])

    for key in "aabac":  # b is the longest unused when c comes
        assert ask(key) == ord(key)
    assert made == ["a", "b", "c"]
    assert ("a" in cache, "b" in cache, "c" in cache, len(cache)) == (True, False, True, 2)


def test_a_bound_may_count_bytes_and_the_newest_value_stays_whatever_its_size() -> None:
    cache: Cache[bytes] = Cache(10, size=len)
    for key, n in (("a", 4), ("b", 4), ("c", 4)):
        cache.get(key, lambda n=n: bytes(n))
    assert ("a" in cache, "b" in cache, "c" in cache) == (False, True, True)
    assert cache.get("huge", lambda: bytes(99)) == bytes(99)
    assert len(cache) == 1
    cache.clear()
    assert cache.get("d", lambda: bytes(10)) == bytes(10)
    assert len(cache) == 1


def test_threads_that_want_the_same_value_make_it_once() -> None:
    cache: Cache[object] = Cache(8)
    inside, go = threading.Semaphore(0), threading.Event()
    made: list[int] = []

    def make() -> object:
        made.append(1)
        inside.release()
        assert go.wait(10)
        return object()

    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(cache.get, "key", make) for _ in range(8)]
        assert inside.acquire(timeout=10)
        # Another key does not wait for this one.
        assert cache.get("other", lambda: "at once") == "at once"
        go.set()
        found = {id(each.result(10)) for each in asked}
    assert (len(made), len(found)) == (1, 1)


def test_a_failure_is_not_kept_and_those_who_waited_try_for_themselves() -> None:
    cache: Cache[str] = Cache(8)
    waiting, go = threading.Event(), threading.Event()

    def fails() -> str:
        waiting.set()
        assert go.wait(10)
        raise ValueError("no")

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(cache.get, "key", fails)
        assert waiting.wait(10)
        second = pool.submit(cache.get, "key", lambda: "made")
        go.set()
        with pytest.raises(ValueError, match="no"):
            first.result(10)
        assert second.result(10) == "made"


def test_a_value_may_ask_for_itself_without_waiting_for_ever() -> None:
    cache: Cache[int] = Cache(8)
    assert cache.get("key", lambda: cache.get("key", lambda: 1) + 1) == 2


def test_a_kept_function_is_keyed_by_content_alone() -> None:
    calls: list[str] = []

    @kept(4, key=lambda text, *, times=1: (len(text), times))
    def repeat(text: str, *, times: int = 1) -> str:
        """Says it again."""
        calls.append(text)
        return text * times

    assert repeat("ab", times=2) == repeat("xy", times=2) == "abab"
    assert (repeat("ab"), repeat.__doc__, calls) == ("ab", "Says it again.", ["ab", "ab"])
