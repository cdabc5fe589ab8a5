"""Makes `assets/folders/tiny-bert`, the network that InstaTune is shown on: a BERT trained plainly, before it is elastic.

    python benchmarks/tiny_bert.py [FOLDER] [--supernet FILE]

The preset `tiny-bert` trains the largest subnet alone on passages of licenses (a minute on an idle core); that subnet is
written as a folder as transformers writes it. With --supernet a training that was made before is written. Floating-point
sums differ from machine to machine, so the weights are the same to a few digits only, and the accuracy to a few passages.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "assets" / "folders" / "tiny-bert"
sys.path.insert(0, str(ROOT))


def core(*arguments: str) -> None:
    """A command of ours."""
    subprocess.run([sys.executable, "-m", "core", *arguments], cwd=ROOT, check=True)


def make(folder: Path, supernet: Path | None) -> None:
    """Train where nothing is given, cut the largest subnet out, write it as a folder."""
    from core.supernets.files import load_supernet

    with tempfile.TemporaryDirectory() as name:
        trained, packed = supernet or Path(name) / "tiny-bert.safetensors", Path(name) / "folder.zip"
        if supernet is None:
            core("train", "tiny-bert", "--out", str(trained))
        net, _ = load_supernet(trained)
        largest = json.dumps({each: net.space.option(net.largest, each) for each in net.space.names})
        made = ("--format", "transformers_folder", "--out", str(packed))
        core("extract", str(trained.resolve()), "--arch", largest, *made)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        with zipfile.ZipFile(packed) as archive:
            archive.extractall(folder)
    print(f"{folder}: {sum(file.stat().st_size for file in folder.iterdir()):,} bytes")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", default=FOLDER)
    parser.add_argument("--supernet", type=Path, help="trained before, by `train tiny-bert`")
    options = parser.parse_args()
    make(options.folder, options.supernet)
