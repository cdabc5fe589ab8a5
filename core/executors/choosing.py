"""Which executor work is given to, from what the environment says and how many processes were asked for."""

from __future__ import annotations

from core.executors.base import EXECUTORS, Executor
from core.settings import settings


def chosen(processes: int = 1) -> Executor:
    """The Ray cluster where PARETOSCOPE_RAY_ADDRESS names one, else several processes if more than one was asked for.

    Args:
        processes: asked for; a cluster uses all of its cores.

    Raises:
        InvalidInput: a setting of the environment cannot be used.
    """
    if address := settings().ray_address:
        return EXECUTORS.create("ray", {"address": address})
    if processes > 1:
        return EXECUTORS.create("processes", {"processes": processes})
    return EXECUTORS.create("here")
