"""Runs the tests of clusters in a network of their own: python -m tests.cluster [what pytest takes].

Ray listens on every interface whatever it is told. In a network namespace there is but one, the loopback, and nobody
outside can reach it. Where this machine lets no process have such a network, the tests say so and are skipped.
"""

from __future__ import annotations

import os
import sys

from tests.cluster.network import leave_for_own_network


def main() -> None:
    """Become pytest, inside."""
    reason = leave_for_own_network()
    if reason:
        print(f"The tests of clusters will be skipped: {reason}", flush=True)
    given = sys.argv[1:] or ["tests/cluster"]
    command = [sys.executable, "-m", "pytest", "-q", "-m", "cluster and not long", "--durations=20", *given]
    os.execv(sys.executable, command)


if __name__ == "__main__":
    main()
