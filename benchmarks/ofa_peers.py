"""Once-for-all's own package in an environment of its own, for `make test-peers` and tests/peers.

    python benchmarks/ofa_peers.py          # builds the environment, where it is missing, and says where it is

Installed from PyPI without what it asks for: torch and NumPy are those of the environment this runs in (the same
build on both sides, so that differences are the networks'), and torchvision, which its data loaders import and
nothing here uses, is a stub. `run` lets `ofa_peers_worker.py` work there.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

PACKAGE = "ofa==0.1.0.post202307202001"
WORKER = Path(__file__).with_name("ofa_peers_worker.py")
_DONE = "installed"
_MOST_SECONDS = 3600


def place() -> Path:
    """The folder of the environment, whether it is there or not."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    return cache / "paretoscope-benchmarks" / "peers" / "once-for-all"


def python() -> Path | None:
    """Python of the environment; None where it was not built."""
    found = place() / "env" / "bin" / "python"
    return found if found.is_file() and (place() / _DONE).is_file() else None


def build() -> Path:
    """Python of the environment, built where it is missing."""
    if (there := python()) is not None:
        return there
    env = place() / "env"
    made = env / "bin" / "python"
    if not made.is_file():
        subprocess.run([sys.executable, "-m", "venv", str(env)], check=True)
    packages = next((env / "lib").glob("python*")) / "site-packages"
    (packages / "torch_of_this_project.pth").write_text(sysconfig.get_path("purelib") + "\n")
    pip = [str(made), "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-deps"]
    subprocess.run([*pip, PACKAGE], check=True)
    (place() / _DONE).touch()
    return made


def run(folder: Path, *arguments: str) -> None:
    """Let the worker write into a folder.

    Raises:
        subprocess.CalledProcessError: it failed; its output is in the message.
    """
    there = python()
    assert there is not None, "build it first"
    command = [str(there), str(WORKER), str(folder), *arguments]
    env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": ""}
    done = subprocess.run(command, env=env, timeout=_MOST_SECONDS, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"once-for-all's side failed: {done.stderr[-2000:]}")


if __name__ == "__main__":
    print(build())
