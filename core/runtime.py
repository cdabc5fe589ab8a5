"""Heavy imports, once per process, and what must be done after them.

Streamlit collects garbage fully after every rerun. With torch loaded that costs over 100 ms each
time, unless the imported objects are frozen out of the collector's sight.
"""

from __future__ import annotations

import gc
import threading

from core.settings import settings

_lock = threading.Lock()
_done = False


def heavy_imports() -> None:
    """Import torch and what its first optimizer pulls in, set the threads, then freeze the collector."""
    global _done
    with _lock:
        if _done:
            return
        import torch

        torch.set_num_threads(settings().threads)
        # The first optimizer imports another third of torch; pay for it here, not in a click.
        torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
        freeze()
        _done = True


def freeze() -> None:
    """Collect once, then hide everything alive from later collections, which begin again."""
    gc.unfreeze()  # what `hide` left unlooked at
    gc.collect()
    hide()


def hide() -> None:
    """As `freeze`, without looking for garbage first: a fifth of a second that a first visitor would wait."""
    gc.freeze()
    gc.enable()


def collect_later() -> None:
    """No collections until `hide` or `freeze`: everything imported at the start lives as long as the process.

    They cost a tenth of a start's processor time and find nothing.
    """
    gc.disable()


def heavy_imports_in_background() -> threading.Thread:
    """Start `heavy_imports` beside the first paint."""
    thread = threading.Thread(target=heavy_imports, name="heavy-imports", daemon=True)
    thread.start()
    return thread


def loaded() -> bool:
    """Whether `heavy_imports` has finished."""
    return _done
