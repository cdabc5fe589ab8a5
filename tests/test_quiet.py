"""Warnings ignored for a while, in threads: afterwards the filters are what they were."""

from __future__ import annotations

import threading
import time
import warnings

import pytest

from core.quiet import quiet


def test_only_the_category_is_ignored_and_only_inside() -> None:
    with quiet(UserWarning):
        warnings.warn("known", UserWarning, stacklevel=1)
        with pytest.raises(DeprecationWarning):
            warnings.warn("not known", DeprecationWarning, stacklevel=1)
    with pytest.raises(UserWarning):
        warnings.warn("known", UserWarning, stacklevel=1)


def test_blocks_inside_each_other_and_failures_put_everything_back() -> None:
    before = warnings.filters.copy()
    with pytest.raises(KeyError), quiet(), quiet(UserWarning):
        raise KeyError
    assert warnings.filters == before


def test_overlapping_threads_put_back_what_was_there() -> None:
    before = warnings.filters.copy()
    for _ in range(20):
        # The first leaves while the second is inside: plain catch_warnings then restores the first one's.
        spans = ((0.0, 0.01), (0.005, 0.01), (0.002, 0.02))
        threads = [threading.Thread(target=stay, args=span) for span in spans]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert warnings.filters == before


def stay(later: float, seconds: float) -> None:
    time.sleep(later)
    with quiet():
        time.sleep(seconds)
        warnings.warn("known", UserWarning, stacklevel=1)
