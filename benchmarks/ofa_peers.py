"""Once-for-all's own package in an environment of its own, for `make test-peers` and tests/peers.

    python benchmarks/ofa_peers.py          # builds the environment, where it is missing, and says where it is

Installed from PyPI without what it asks for: torch and NumPy are those of the environment this runs in (the same
build on both sides, so that differences are the networks'), and torchvision, which its data loaders import and
nothing here uses, is a stub. `run` lets `ofa_peers_worker.py` work there.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.peer_environment import PeerEnvironment

PACKAGE = "ofa==0.1.0.post202307202001"
WORKER = Path(__file__).with_name("ofa_peers_worker.py")
_MOST_SECONDS = 3600
_THERE = PeerEnvironment("once-for-all", ("--no-deps", PACKAGE))
python, build = _THERE.python, _THERE.build


def run(folder: Path, *arguments: str) -> None:
    """Let the worker write into a folder.

    Raises:
        RuntimeError: it failed; its output is in the message.
    """
    _THERE.run(WORKER, [str(folder), *arguments], seconds=_MOST_SECONDS)


if __name__ == "__main__":
    print(build())
