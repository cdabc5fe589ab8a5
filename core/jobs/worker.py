"""The process that does a job: `python -m core.jobs.worker RUN_ID`.

Started by a supervisor, with the number of this start in PARETOSCOPE_ATTEMPT. It stops at the next yield
of its workflow when the line "cancel" arrives on its standard input, or when that pipe closes because the
server has gone. Listening comes first, everything that takes time to load after it.
"""

from __future__ import annotations

import os
import sys

from core.jobs.stopping import StopSignal

_NICE = 10


def main(run_id: str) -> int:
    """Do the job; the exit status is 0 once the final state is stored."""
    stop = StopSignal()
    stop.listen()
    if hasattr(os, "nice"):
        os.nice(_NICE)
    from core.jobs.execution import execute_run

    return execute_run(run_id, int(os.environ["PARETOSCOPE_ATTEMPT"]), stop)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
