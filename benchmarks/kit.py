"""A measuring kit in an environment of its own that plays the device: onnxruntime and numpy, nothing else.

    python benchmarks/kit.py [--supernet digits-cnn] [--threads 2] [--held-back 50] [--python PATH]

A new virtual environment (or the interpreter given) runs the kit's measure.py. The profile becomes the latency of the
whole space, which is held against what the same environment says of subnets that the kit does not hold, exported with
their own weights. Goals: the kit is a few MB; predictions rank the held-back subnets by 0.95 or better.
"""

from __future__ import annotations

import argparse
import io
import json
import subprocess
import sys
import tempfile
import time
import venv
import zipfile
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from core.evaluation.latency.profile import LatencyProfile, read_profile
from core.export.exporting import export_subnet
from core.export.measuring_kit import KitMaker, Terms
from core.export.subnet import extract_subnet
from core.library import supernets
from core.library.latency import identity_of
from core.library.measuring_kits import plan_kit
from core.library.profiles import fitted
from core.library.supernets import SupernetEntry
from core.objectives.timing import rank_correlation
from core.runtime import heavy_imports
from core.seeding import stream
from core.spaces import Arch

GOAL = 0.95
NEEDS = ("onnxruntime", "numpy")


def clean_environment(folder: Path) -> str:
    """The interpreter of a new environment with onnxruntime and numpy."""
    venv.create(folder, with_pip=True)
    python = str(folder / "bin" / "python")
    subprocess.run([python, "-m", "pip", "install", "-q", *NEEDS], check=True)
    return python


def packages(python: str) -> list[str]:
    """What is installed there."""
    told = subprocess.run(
        [python, "-m", "pip", "list", "--format", "json"], capture_output=True, check=True
    ).stdout
    return sorted(f"{each['name']} {each['version']}" for each in json.loads(told) if each["name"] != "pip")


def measured(python: str, kit: bytes, folder: Path, threads: int) -> LatencyProfile:
    """What measure.py writes there."""
    folder.mkdir()
    with zipfile.ZipFile(io.BytesIO(kit)) as archive:
        archive.extractall(folder)
    command = [python, "-I", "measure.py", "--threads", str(threads), "--name", "Clean environment"]
    subprocess.run(command, cwd=folder, check=True, capture_output=True, env={"PATH": "/usr/bin:/bin"})
    return read_profile((folder / "profile.json").read_bytes())


def kit_of(entry: SupernetEntry, archs: tuple[Arch, ...], anchors: tuple[int, ...]) -> bytes:
    maker = KitMaker(supernets.load(entry), Terms())
    for arch in archs:
        maker.add(arch)
    return maker.zip(anchors, identity_of(entry).model_dump())


def with_their_weights(entry: SupernetEntry, kit: bytes, archs: tuple[Arch, ...]) -> bytes:
    """The same kit, its subnets as a person would download them."""
    dataset, supernet, buffer = supernets.dataset(entry), supernets.load(entry), io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(kit)) as old, zipfile.ZipFile(buffer, "w") as new:
        for name in old.namelist():
            if not name.startswith("subnets/"):
                new.writestr(name, old.read(name))
        for number, arch in enumerate(archs):
            subnet = extract_subnet(supernet, arch, dataset, splits=())
            new.writestr(f"subnets/{number:04d}.onnx", export_subnet(subnet, "onnx").data)
    return buffer.getvalue()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--supernet", default="digits-cnn")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--held-back", type=int, default=50)
    parser.add_argument("--python", default="", help="an interpreter that has onnxruntime and numpy")
    options = parser.parse_args()
    heavy_imports()
    entry = supernets.find(None, options.supernet)
    with tempfile.TemporaryDirectory() as folder:
        python = options.python or clean_environment(Path(folder) / "env")
        print(f"device: {', '.join(packages(python))}; {options.threads} threads")
        start, plan = time.perf_counter(), plan_kit(entry)
        kit = kit_of(entry, plan.archs, plan.anchors)
        took = time.perf_counter() - start
        print(f"kit: {len(plan.archs)} subnets, {len(kit) / 1e6:.2f} MB, made in {took:.1f} s")
        profile = measured(python, kit, Path(folder) / "kit", options.threads)
        protocol = profile.protocol
        print(
            f"measured there: {protocol.rounds} rounds in {protocol.seconds:.1f} s, halves agree by {protocol.agreement:.3f}"
        )
        record = fitted(profile, entry)
        found = record.validation
        print(
            f"cross-validated: rank correlation {found.rank_correlation:.3f}, median error {found.median_error:.1%}"
        )

        known = set(plan.archs)
        drawn = entry.space.sample_array(4 * options.held_back, stream(1, "benchmark", "held back"))
        others = [a for a in dict.fromkeys(map(tuple, drawn.tolist())) if a not in known]
        held = tuple(others[: options.held_back])
        truth = measured(
            python,
            with_their_weights(entry, kit_of(entry, held, (0, 1)), held),
            Path(folder) / "held",
            options.threads,
        )
        rows, timed = np.array(held, np.uint8), np.array(truth.timings.ms)
        predicted = record.model.predict(supernets.costs(entry), rows)
        rank = rank_correlation(predicted, timed)
        error = float(np.median(np.abs(predicted / timed - 1)))
        macs = rank_correlation(supernets.costs(entry).total("macs", rows).astype(float), timed)
        print(
            f"{len(held)} held-back subnets with their own weights (halves agree by {truth.protocol.agreement:.3f}): "
            f"rank correlation {rank:.3f} (goal {GOAL}), median error {error:.1%}; MACs rank them by {macs:.3f}"
        )
    sys.exit(rank < GOAL)


if __name__ == "__main__":
    main()
