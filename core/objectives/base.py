"""The objectives a subnet can be measured on. No torch here: pages show labels and units at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from core.records import Objective, Source
from core.registry import Registry

OBJECTIVES: Registry[_Described] = Registry("objective", "core.objectives", "OBJECTIVES")


class _Described:
    """Attributes every objective's class has; see `core.records.Objective`."""

    name: ClassVar[str]
    label: ClassVar[str]
    unit: ClassVar[str] = ""
    maximize: ClassVar[bool] = False
    how: ClassVar[Source] = Source.MEASURED
    split: ClassVar[str] = ""
    source: ClassVar[str] = ""


@OBJECTIVES.register("accuracy")
class Accuracy(_Described):
    """Share of validation samples classified correctly; what a search may look at."""

    label = "Validation accuracy"
    maximize = True
    split = "validation"


@OBJECTIVES.register("loss")
class Loss(_Described):
    """Mean cross-entropy on the validation samples, in nats."""

    label = "Validation loss"
    unit = "nats"
    split = "validation"


@OBJECTIVES.register("test_accuracy")
class TestAccuracy(_Described):
    """Share of test samples classified correctly; shown on the card, never used to search."""

    __test__ = False  # not a test class
    label = "Test accuracy"
    maximize = True
    split = "test"


@OBJECTIVES.register("test_loss")
class TestLoss(_Described):
    """Mean cross-entropy on the test samples, in nats."""

    __test__ = False
    label = "Test loss"
    unit = "nats"
    split = "test"


@OBJECTIVES.register("macs")
class Macs(_Described):
    """Multiply-accumulates of convolutions, linear layers, attention products and messages, for one image, text or graph."""

    label = "MACs"
    unit = "MACs"
    how = Source.COUNTED


@OBJECTIVES.register("params")
class Params(_Described):
    """Trainable numbers of the extracted subnet, BatchNorm scale and offset included."""

    label = "Parameters"
    how = Source.COUNTED


@OBJECTIVES.register("size_bytes")
class SizeBytes(_Described):
    """Bytes of the extracted subnet's tensors as float32, BatchNorm statistics included."""

    label = "Size"
    unit = "bytes"
    how = Source.COUNTED


@OBJECTIVES.register("latency_ms")
class Latency(_Described):
    """Time for one image, text or graph on this machine: onnxruntime, one thread, minimum of interleaved runs."""

    label = "Latency"
    unit = "ms"


def objective(name: str) -> Objective:
    """The objective of that name.

    Raises:
        NotFound: there is none; the message suggests the nearest.
    """
    cls = OBJECTIVES.get(name)
    summary = OBJECTIVES.info(name).summary
    return Objective(name, cls.label, cls.unit, cls.maximize, cls.how, summary, cls.split)


def objectives(names: Sequence[str]) -> list[Objective]:
    return [objective(name) for name in names]
