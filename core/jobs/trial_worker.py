"""The process that tries work: `python -m core.jobs.trial_worker`, a request on standard input, a trial as answer.

With one thread, as workers, so that it is as fast as they will be; niced less, for somebody waits. It writes nothing to the store,
and answers with one JSON object: a trial, or the sentence why there is none.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

from core.errors import CoreError
from core.jobs.memory import limit_memory
from core.jobs.trying import try_work
from core.library.library import Library
from core.runtime import heavy_imports
from core.settings import settings
from core.store.sandboxes import store_here

_NICE = 4


def main() -> int:
    """Read the request, try it, answer; the exit status is 0 whenever there is an answer."""
    asked = json.loads(sys.stdin.buffer.read())
    if hasattr(os, "nice"):
        os.nice(_NICE)
    place = settings()
    limit_memory(place.worker_memory)
    heavy_imports()
    answer: dict[str, Any]
    try:
        library = Library(store_here())
        # What a worker computes before it can begin, this process has computed by now.
        trial = try_work(asked["kind"], asked["params"], library, start=time.process_time())
        answer = {"trial": trial.model_dump(mode="json")}
    except CoreError as error:
        answer = {"refused": str(error)}
    print(json.dumps(answer))
    return 0


if __name__ == "__main__":
    sys.exit(main())
