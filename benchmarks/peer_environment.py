"""A peer's package in an environment of its own in the cache folder, beside the torch and NumPy of this project's.

The same build on both sides, so that differences are the networks'.
"""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_DONE = "installed"


@dataclass(frozen=True)
class PeerEnvironment:
    """Where a peer's package is, or will be.

    Attributes:
        name: of its folder.
        install: what pip installs, with its options.
    """

    name: str
    install: Sequence[str]

    @property
    def place(self) -> Path:
        """Its folder, whether it is there or not."""
        cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
        return cache / "paretoscope-benchmarks" / "peers" / self.name

    def python(self) -> Path | None:
        """Its Python; None where it was not built."""
        found = self.place / "env" / "bin" / "python"
        return found if found.is_file() and (self.place / _DONE).is_file() else None

    def build(self) -> Path:
        """Its Python, built where it is missing."""
        if (there := self.python()) is not None:
            return there
        env = self.place / "env"
        made = env / "bin" / "python"
        if not made.is_file():
            subprocess.run([sys.executable, "-m", "venv", str(env)], check=True)
        packages = next((env / "lib").glob("python*")) / "site-packages"
        (packages / "torch_of_this_project.pth").write_text(sysconfig.get_path("purelib") + "\n")
        pip = [str(made), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        subprocess.run([*pip, *self.install], check=True)
        (self.place / _DONE).touch()
        return made

    def run(self, worker: Path, arguments: Sequence[str], *, seconds: float) -> None:
        """Let a worker work there, with no look at a hub and no torch but this project's.

        Raises:
            RuntimeError: it failed; the end of its output is in the message.
        """
        there = self.python()
        assert there is not None, "build it first"
        env = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": "", "HF_HUB_OFFLINE": "1"}
        command = [str(there), str(worker), *arguments]
        done = subprocess.run(command, env=env, timeout=seconds, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(f"{self.name} failed: {done.stderr[-3000:]}")
