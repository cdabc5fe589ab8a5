"""Time the subnets of this kit on this device. Needs torch and numpy; uses CUDA where there is one.

    python measure.py                     on the graphics card if there is one, else on the processor
    python measure.py --device cpu --threads 4 --name "My laptop"

Stop it with Ctrl-C at any time; the same command goes on. At the end profile.json lies beside this file:
load it on the Front page, under "Your own device".
"""

from __future__ import annotations

import json
import sys
from typing import Any

from core.export.measuring.common import options_of, run
from core.export.measuring.device import HERE, Answer, Kit, Runtime, fail, printable, read_inputs, read_kit


def networks(kit: Kit) -> list[Any]:
    """The subnets with weights of no meaning: what they answer does not change how long it takes."""
    sys.path.insert(0, str(HERE))
    try:
        from blocks import build

        described = json.loads((HERE / "networks.json").read_text(encoding="utf-8"))
        if len(described) != len(kit.subnets):
            raise ValueError("not as many as subnets")
        return [build(blocks) for blocks in described]
    except (ImportError, OSError, ValueError, KeyError, TypeError):
        fail(
            f"blocks.py or networks.json is missing or damaged; keep the files of the kit together in {HERE}."
        )


def torch_here(kit: Kit, threads: int, device: str) -> Runtime:
    """A network for each subnet, on the processor or on the graphics card."""
    try:
        import torch
    except ImportError:
        fail("torch is not installed; try: pip install torch")
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    if device == "cuda" and not torch.cuda.is_available():
        fail("torch finds no CUDA device here; leave --device out, or say --device cpu.")
    torch.set_num_threads(threads)
    torch.set_grad_enabled(False)
    torch.manual_seed(0)
    leaves = [torch.from_numpy(array).to(device) for array in read_inputs(kit)]
    inputs = leaves[0] if len(leaves) == 1 else tuple(leaves)
    nets = [net.eval().to(device) for net in networks(kit)]

    def answer_of(net: Any) -> Answer:
        if device == "cpu":
            return lambda: net(inputs)

        def answer() -> None:
            net(inputs)
            torch.cuda.synchronize()

        return answer

    def peaks() -> list[int]:
        found = []
        for net in nets:
            torch.cuda.synchronize()
            torch.cuda.reset_peak_memory_stats()
            held = torch.cuda.memory_allocated()
            net(inputs)
            torch.cuda.synchronize()
            found.append(int(torch.cuda.max_memory_allocated() - held))
        return found

    answers = [answer_of(net) for net in nets]
    if device == "cpu":
        return Runtime("torch", torch.__version__, device, answers)
    chip = printable(torch.cuda.get_device_name())
    return Runtime("torch", torch.__version__, device, answers, chip=chip, peaks=peaks)


def main(arguments: list[str] | None = None) -> None:
    options = options_of(
        arguments,
        lambda parser: parser.add_argument(
            "--device", default="", choices=["cpu", "cuda"], help="cuda where there is one, if left out"
        ),
    )
    kit = read_kit()
    threads = options.threads or kit.threads
    run(kit, torch_here(kit, threads, options.device), options, threads)


if __name__ == "__main__":
    main()
