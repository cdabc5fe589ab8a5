"""40 steps of two families in float64: `python -m tests.helpers.two_processes FOLDER`, alone or as torchrun starts it."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

from safetensors.torch import save_file

from core.store import MemoryLedger
from core.supernets.base import Supernet
from core.training import torchrun
from core.training.loop import train
from tests.helpers.together import double
from tests.training.small import digits, fresh_elastic_vit, fresh_net, settings

FAMILIES: dict[str, Callable[[], Supernet]] = {"batch_norm": fresh_net, "layer_norm": fresh_elastic_vit}
STEPS, BATCH = 40, 25


def main(folder: Path) -> None:
    config = settings(strategy="sandwich", batch_size=BATCH, epochs=1, augmentation={"shift": 1})
    for name, make in FAMILIES.items():
        ledger, net = MemoryLedger(), make().double()
        list(train(net, double(digits(STEPS * BATCH)), config, ledger))
        save_file(net.state_dict(), folder / f"{name}.{os.environ.get('RANK', 'alone')}.safetensors")


if __name__ == "__main__":
    with torchrun.joined() if torchrun.started() else nullcontext():
        main(Path(sys.argv[1]))
