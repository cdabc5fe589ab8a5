"""The baseline 'MACs': in public benchmarks it beats most proxies."""

from __future__ import annotations

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from core.networks.chain import one_batch
from core.proxies.base import PROXIES, Proxy
from core.tasks.base import Batch


@PROXIES.register("macs")
class MACs(Proxy):
    """Multiply-accumulates for one sample (of a graph: for all of it): a baseline that every proxy has to beat."""

    label = "MACs"
    source = "baseline"
    baseline = True

    def measure(self, net: nn.Sequential, batch: Batch, seed: int) -> float:
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            net(batch.inputs)
        passes = 1 if one_batch(net) else len(batch)
        return counter.get_total_flops() / 2 / passes
