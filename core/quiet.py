"""Other people's warnings that we know and do not want to see, from any thread.

`warnings.catch_warnings` saves the process's filters and puts them back: two threads inside it at once put
back each other's, and what one set for a moment stays for everybody. Here the first one who enters sets and
the last one who leaves puts back.
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_guard = threading.Lock()
_inside = 0
_saved = warnings.catch_warnings()


@contextmanager
def quiet(category: type[Warning] = Warning) -> Iterator[None]:
    """Ignore warnings of a category while the block runs; in every thread, since filters are the process's."""
    global _inside, _saved
    with _guard:
        if _inside == 0:
            _saved = warnings.catch_warnings()
            _saved.__enter__()
        _inside += 1
        warnings.simplefilter("ignore", category)
    try:
        yield
    finally:
        with _guard:
            _inside -= 1
            if _inside == 0:
                _saved.__exit__(None, None, None)
