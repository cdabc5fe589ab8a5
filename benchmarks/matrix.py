"""A similarity matrix of forty networks: what the first one costs, and what another stage or measure costs then.

Seconds of this process's CPU (the machine may be busy), one thread. The first matrix loads torch and cuts, calibrates
and runs every network; later ones find networks and activations in memory.

    python benchmarks/matrix.py [networks]
"""

from __future__ import annotations

import resource
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from core.library import supernets
from core.library.matrices import MOST_NETWORKS, MatrixChoice, measure_matrix
from core.runtime import heavy_imports
from core.similarity.base import MEASURES
from core.views.similarity_matrix import at_random


def seconds(ids: tuple[str, ...], **changes: Any) -> float:
    """CPU seconds of one matrix."""
    start = time.process_time()
    for _ in measure_matrix(None, MatrixChoice(networks=ids, **changes)):
        pass
    return time.process_time() - start


def main() -> None:
    n = int(sys.argv[1]) if len(sys.argv) > 1 else MOST_NETWORKS
    heavy_imports()
    ids = tuple(at_random(supernets.find(None, "digits-cnn"), n, 0))
    first = seconds(ids)
    again = {
        "another stage": seconds(ids, depth=0.5),
        "all stages": seconds(ids, place="all"),
        **{MEASURES.get(name).label: seconds(ids, measure=name) for name in MEASURES.names()},
    }
    print(f"{n} networks of digits-cnn, last stage, CKA: {first:.1f} s of CPU")
    for label, cost in again.items():
        print(f"  then {label}: {cost:.2f} s ({cost / first:.0%} of the first)")
    print(f"most memory: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


if __name__ == "__main__":
    main()
