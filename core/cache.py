"""Values that take a while to make, kept while there is room: the one cache of the engine.

A key says which content a value was made from (hashes, never objects), so nothing is ever out of date and
nothing has to be forgotten. Two threads that ask for the same value make it once; one that fails is not
kept, and the next one who asks tries again. Values are shared: nobody writes into them.
"""

from __future__ import annotations

import functools
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, ParamSpec, Protocol, TypeVar

V = TypeVar("V")


class _Kept(Protocol):
    @property
    def url(self) -> str: ...


def place_of(store: _Kept | None) -> str:
    """Which store, as a part of a key: wherever a value says what is called how, or was found by a run's id."""
    return "" if store is None else store.url


P = ParamSpec("P")


class Cache(Generic[V]):
    """Values by key, the longest unused thrown out when there are too many.

    Args:
        most: values kept, or, with `size`, the sum of their sizes. The newest value always stays.
        size: of one value, in whatever unit `most` is; 1 if left out.
    """

    def __init__(self, most: int, *, size: Callable[[V], int] = lambda value: 1) -> None:
        self._most, self._size = most, size
        self._values: OrderedDict[Hashable, V] = OrderedDict()
        self._used = 0
        self._making: dict[Hashable, tuple[threading.Event, int]] = {}
        self._guard = threading.Lock()

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, key: Hashable) -> bool:
        return key in self._values

    def get(self, key: Hashable, make: Callable[[], V]) -> V:
        """The value of a key, made if it is not here; other threads that want it wait for it."""
        me = threading.get_ident()
        while True:
            with self._guard:
                if key in self._values:
                    self._values.move_to_end(key)
                    return self._values[key]
                other = self._making.get(key)
                if other is None:
                    done = threading.Event()
                    self._making[key] = (done, me)
                    break
            if other[1] == me:  # asked for again while it is being made
                return make()
            other[0].wait()
        try:
            value = make()
            with self._guard:
                return self._put(key, value)
        finally:
            with self._guard:
                del self._making[key]
            done.set()

    def find(self, key: Hashable) -> V | None:
        """The value of a key if it is here."""
        with self._guard:
            if key in self._values:
                self._values.move_to_end(key)
            return self._values.get(key)

    def put(self, key: Hashable, value: V) -> V:
        """Keep a value that was made with others; returns it, or the one that was there already."""
        with self._guard:
            return self._put(key, value)

    def clear(self) -> None:
        """Forget everything that is kept."""
        with self._guard:
            self._values.clear()
            self._used = 0

    def _put(self, key: Hashable, value: V) -> V:
        if key in self._values:  # put there while this one was made: counted once, and everybody shares one
            return self._values[key]
        self._used += self._size(value)
        self._values[key] = value
        while self._used > self._most and len(self._values) > 1:
            self._used -= self._size(self._values.popitem(last=False)[1])
        return value


class Kept(Generic[P, V]):
    """A function whose results are kept; see `kept`."""

    def __init__(self, make: Callable[P, V], cache: Cache[V], key: Callable[P, Hashable]) -> None:
        self.cache = cache
        self._make, self._key = make, key
        functools.update_wrapper(self, make)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> V:
        return self.cache.get(self._key(*args, **kwargs), lambda: self._make(*args, **kwargs))


def kept(
    most: int, *, key: Callable[P, Hashable], size: Callable[[V], int] = lambda value: 1
) -> Callable[[Callable[P, V]], Kept[P, V]]:
    """Decorator: keep what a function returns.

    Args:
        most, size: see `Cache`.
        key: called with the function's own arguments; everything that decides the result must be in it.
    """

    def decorate(make: Callable[P, V]) -> Kept[P, V]:
        return Kept(make, Cache(most, size=size), key)

    return decorate


class LastMade(Generic[V]):
    """One value, for as long as it is asked for of the same objects.

    They are told apart by what they are, not by what is in them, so asking costs nothing however large they are; they
    stay alive here, so that nothing else can be taken for them.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._made: tuple[tuple[object, ...], V] | None = None

    def get(self, make: Callable[[], V], *of: object) -> V:
        """The value that was made of these objects, or a new one."""
        with self._lock:
            before = self._made
            if (
                before is None
                or len(before[0]) != len(of)
                or any(a is not b for a, b in zip(before[0], of, strict=True))
            ):
                self._made = None  # room for the next one
                before = self._made = (of, make())
            return before[1]
