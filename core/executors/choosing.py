"""Which executor work is given to, from what the environment says and how many processes were asked for."""

from __future__ import annotations

from core.executors.base import EXECUTORS, Executor


def chosen(processes: int = 1) -> Executor:
    """Several processes of this machine where more than one was asked for, else this process.

    Args:
        processes: asked for.
    """
    if processes > 1:
        return EXECUTORS.create("processes", {"processes": processes})
    return EXECUTORS.create("here")
