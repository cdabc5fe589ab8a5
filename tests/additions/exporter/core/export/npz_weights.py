"""A toy."""

import io

import numpy as np
import torch

from core.export.base import EXPORTERS, Exporter


@EXPORTERS.register("npz_weights")
class NpzWeights(Exporter):
    """Weights as NumPy arrays."""

    label = "Weights (NumPy)"
    suffix = "npz"
    media_type = "application/octet-stream"

    def export(self, subnet):
        buffer = io.BytesIO()
        np.savez(buffer, **{name: t.numpy() for name, t in subnet.net.state_dict().items()})
        return buffer.getvalue()

    def run(self, data, subnet, inputs):
        import copy

        net = copy.deepcopy(subnet.net)
        net.load_state_dict({k: torch.from_numpy(v) for k, v in np.load(io.BytesIO(data)).items()})
        return net(inputs)
