"""The one cache: bounded, made once, safe between threads, and never the keeper of a failure."""

from __future__ import annotations

import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

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


KEYS = st.sampled_from("abcd")
STEP = st.one_of(
    st.tuples(st.sampled_from(["get", "put", "find", "fail"]), KEYS, st.integers(0, 9)),
    st.tuples(st.just("clear"), KEYS, st.just(0)),
    # While the value of the key is made, something else is put there, or everything is forgotten.
    st.tuples(st.sampled_from(["put while making", "clear while making"]), KEYS, st.integers(0, 9)),
)


class Model:
    """The definition: pairs of key and value, the longest unused first; each as large as it says."""

    def __init__(self, most: int) -> None:
        self.most, self.pairs = most, list[tuple[str, int]]()

    def find(self, key: str) -> int | None:
        for pair in self.pairs:
            if pair[0] == key:
                self.pairs.remove(pair)
                self.pairs.append(pair)
                return pair[1]
        return None

    def put(self, key: str, value: int) -> int:
        for known, old in self.pairs:
            if known == key:
                return old
        self.pairs.append((key, value))
        while len(self.pairs) > 1 and sum(size for _, size in self.pairs) > self.most:
            del self.pairs[0]
        return value


def one_step(cache: Cache[int], model: Model, what: str, key: str, size: int) -> tuple[object, object]:
    """(what the cache answers, what the definition answers)."""
    if what == "find":
        return cache.find(key), model.find(key)
    if what == "put":
        return cache.put(key, size), model.put(key, size)
    if what == "clear":
        model.pairs.clear()
        return cache.clear(), None
    known = model.find(key)

    def make() -> int:
        if what == "fail":
            raise KeyError(key)
        if what == "put while making":
            cache.put(key, size + 1)
        if what == "clear while making":
            cache.clear()
        return size

    try:
        answer: object = cache.get(key, make)
    except KeyError:
        answer = "failed"
    if known is not None:
        return answer, known
    if what == "fail":
        return answer, "failed"
    if what == "put while making":
        return answer, model.put(key, size + 1)
    if what == "clear while making":
        model.pairs.clear()
    return answer, model.put(key, size)


@given(st.integers(0, 15), st.lists(STEP, max_size=40))
def test_it_does_what_a_list_of_pairs_does(most: int, steps: list[tuple[str, str, int]]) -> None:
    cache, model = Cache[int](most, size=lambda value: value), Model(most)
    for step in steps:
        answer, expected = one_step(cache, model, *step)
        assert answer == expected
        assert [(key, key in cache) for key in "abcd"] == [(k, k in dict(model.pairs)) for k in "abcd"]
        assert len(cache) == len(model.pairs)


def test_a_value_put_while_it_is_made_is_counted_once_and_everybody_shares_it() -> None:
    cache: Cache[bytes] = Cache(10, size=len)
    early = bytes(4)

    def make() -> bytes:
        assert cache.put("a", early) is early
        return bytes(4)

    assert cache.get("a", make) is early
    cache.put("b", bytes(6))
    assert ("a" in cache, "b" in cache) == (True, True), "ten bytes fit into ten"


def test_a_value_whose_size_cannot_be_told_is_a_failure_like_any_other() -> None:
    cache: Cache[object] = Cache(10, size=len)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        cache.get("a", lambda: 3)
    assert "a" not in cache
    assert cache.get("a", lambda: "abc") == "abc"
    with pytest.raises(TypeError):
        cache.put("b", 3)
    assert ("b" in cache, len(cache)) == (False, 1)


def test_of_those_who_waited_for_a_failure_one_tries_and_the_others_wait_again() -> None:
    cache: Cache[int] = Cache(8)
    guard, tries, working, most = threading.Lock(), 0, 0, 0
    everybody = threading.Barrier(6)

    def make() -> int:
        nonlocal tries, working, most
        with guard:
            tries += 1
            working += 1
            most = max(most, working)
            mine = tries
        time.sleep(0.01)
        with guard:
            working -= 1
        if mine < 4:
            raise ValueError(mine)
        return mine

    def ask() -> int:
        everybody.wait(10)
        return cache.get("key", make)

    with ThreadPoolExecutor(6) as pool:
        asked = [pool.submit(ask) for _ in range(6)]
        failed = [each.exception(10) for each in asked]
    # Three failed, each for the one who tried; the fourth made it for all who were left.
    assert sorted(str(each) for each in failed if each) == ["1", "2", "3"]
    assert [each.result() for each in asked if not each.exception()] == [4, 4, 4]
    assert (tries, most) == (4, 1)


def test_many_threads_over_few_places_never_exceed_the_bound_nor_mix_up_keys() -> None:
    cache: Cache[tuple[int, int]] = Cache(3)
    making: set[int] = set()
    guard = threading.Lock()

    def make(key: int) -> tuple[int, int]:
        with guard:
            assert key not in making, "two threads make the same value"
            making.add(key)
        time.sleep(0.0005)
        with guard:
            making.remove(key)
        return key, key * key

    def walk(seed: int) -> None:
        order = random.Random(seed)
        for _ in range(40):
            key = order.randrange(6)
            assert cache.get(key, lambda key=key: make(key)) == (key, key * key)
            assert len(cache) <= 3
            found = cache.find(key)
            assert found in (None, (key, key * key))

    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(walk, seed) for seed in range(8)]:
            done.result(20)
    assert len(cache) == 3


def test_a_kept_function_keeps_no_failure_and_passes_sizes_on() -> None:
    calls: list[int] = []

    @kept(5, key=lambda n: n, size=len)
    def zeros(n: int) -> bytes:
        calls.append(n)
        if len(calls) == 1:
            raise OSError("not yet")
        return bytes(n)

    with pytest.raises(OSError, match="not yet"):
        zeros(3)
    assert (zeros(3), zeros(3), zeros(4), zeros(3)) == (bytes(3), bytes(3), bytes(4), bytes(3))
    assert calls == [3, 3, 4, 3], "three and four bytes do not fit into five together"
    assert len(zeros.cache) == 1
