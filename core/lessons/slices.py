"""Lesson 3: a subnet has no weights of its own; it is a slice of the supernet's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from core.errors import InvalidInput
from core.lessons.asking import Answer, Ask, Choose, Number
from core.lessons.base import LESSONS, Evidence, ForTeachers, Further, Set, Shown, TableLesson
from core.lessons.charts import Heat
from core.library import supernets
from core.networks.untrusted_files import load_tensors
from core.objectives.base import objective
from core.words import format_share

if TYPE_CHECKING:
    from core.library.library import Library
    from core.library.supernets import SupernetEntry
    from core.spaces import Arch

SIZE = objective("size_bytes")
_FAMILY = "elastic_cnn"
_MOST_CELLS = 100_000
_PARTS = ("inputs", "outputs", "kernel")


class Sliced(Evidence):
    """One convolution of a supernet, and the sizes of two subnets.

    Attributes:
        supernet: its id.
        choices: names of the choices that say how many inputs, how many outputs and which kernel it takes.
        inputs, outputs, kernels: their options, ascending.
        weights: the supernet's numbers: a row per input and row of the kernel, a column per output and column of it.
        subnet: id of the subnet that is asked about.
        asked: its inputs, outputs and kernel; all else is as large as it gets.
        bytes_all, bytes_asked: what the numbers of the largest subnet and of this one take in a file.
    """

    supernet: str
    choices: tuple[str, str, str]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    kernels: tuple[int, ...]
    weights: tuple[tuple[float, ...], ...]
    subnet: str
    asked: tuple[int, int, int]
    bytes_all: float
    bytes_asked: float


@LESSONS.register("slices")
class Slices(TableLesson[Sliced]):
    """Which of the supernet's numbers a subnet takes, and what it weighs as a file."""

    label = "A subnet is a slice"
    source = "Yu et al., Slimmable Neural Networks, ICLR 2019; Cai et al., Once-for-All, ICLR 2020"
    place = 3
    teacher = ForTeachers(
        goal="Can say which weights of a shared convolution a subnet uses, and that extracting it trains nothing.",
        typical_error="Half the width is half the weights. Ask: how many inputs does the layer have when the one before is halved?",
        minutes=6,
    )
    Evidence: ClassVar[type[Sliced]] = Sliced

    def read(self, library: Library, entry: SupernetEntry, seed: int) -> Sliced:
        config: Any = entry.header["config"]
        groups = config.get("groups", []) if entry.family == _FAMILY else []
        if len(groups) < 2:
            raise InvalidInput(
                "This lesson shows a convolution with elastic inputs, outputs and kernel: choose an elastic CNN of two "
                "groups or more."
            )
        if config.get("kernel_transform"):
            raise InvalidInput(
                "In this supernet small kernels are computed from large ones instead of cut out; choose one that was "
                "trained otherwise."
            )
        middle = len(groups) // 2
        before, here = groups[middle - 1], groups[middle]
        shape = (here["widths"][-1], before["widths"][-1], here["kernels"][-1], here["kernels"][-1])
        if np.prod(shape) > _MOST_CELLS:
            raise InvalidInput(
                "The convolutions of this supernet are too large to be drawn number by number."
            )
        tensors = load_tensors(entry.read())
        # The first of the group: later blocks take the group's own width.
        weight = next(array for _, array in sorted(tensors.items()) if array.shape == shape)
        # As the family names the choices of its groups, which it numbers from 1.
        choices = (f"width{middle}", f"width{middle + 1}", f"kernel{middle + 1}_1")
        asked = (_half(before["widths"]), _half(here["widths"]), here["kernels"][0])
        space = entry.space
        largest = space.to_dict(space.largest)
        subnet = space.from_dict(largest | dict(zip(choices, asked, strict=True)))
        return Sliced(
            seed=seed,
            about=f"{entry.title}: weights of its file, bytes counted.",
            supernet=entry.supernet_id,
            choices=choices,
            inputs=tuple(before["widths"]),
            outputs=tuple(here["widths"]),
            kernels=tuple(here["kernels"]),
            weights=_flat(weight),
            subnet=space.arch_id(subnet),
            asked=asked,
            bytes_all=_bytes(entry, space.largest),
            bytes_asked=_bytes(entry, subnet),
        )

    def text(self, evidence: Sliced) -> tuple[str, ...]:
        return (
            "All subnets share one set of weights. A layer with fewer **inputs** or **outputs** takes the first ones; a smaller "
            "**kernel** is the center of the large one.",
            f"The figure is one convolution of the supernet, number by number: {evidence.inputs[-1]} inputs from top to "
            f"bottom, {evidence.outputs[-1]} outputs from left to right, each square a kernel of {_k(evidence.kernels[-1])}. What "
            "the subnet does not use is dimmed.",
        )

    def action(self, evidence: Sliced) -> str:
        return "Choose fewer inputs, fewer outputs and a smaller kernel, and see which squares stay bright."

    def controls(self, evidence: Sliced) -> dict[str, Ask]:
        labels = ("Inputs", "Outputs", "Kernel")
        found: dict[str, Ask] = {}
        for name, label, values in zip(_PARTS, labels, self._options(evidence), strict=True):
            options = {str(v): _k(v) if name == "kernel" else str(v) for v in values}
            found[name] = Choose(label, options=options, start=str(values[-1]))
        return found

    def figure(self, evidence: Sliced, shown: Shown) -> Heat:
        taken = [
            int(str(shown.controls.get(name, values[-1])))
            for name, values in zip(_PARTS, self._options(evidence), strict=True)
        ]
        inputs, outputs, kernel = taken
        side = evidence.kernels[-1]
        row = self._kept(evidence.inputs[-1], inputs, side, kernel)
        column = self._kept(evidence.outputs[-1], outputs, side, kernel)
        active = np.outer(row, column)
        used, all_ = (
            n[0] * n[1] * n[2] ** 2 for n in (taken, [each[-1] for each in self._options(evidence)])
        )
        says = f"A convolution's weights; {inputs} inputs, {outputs} outputs and a kernel of {_k(kernel)} are in use"
        if shown.revealed:
            says += f": {used:,} of {all_:,} numbers"
        return Heat(
            x_title="outputs",
            y_title="inputs",
            says=f"{says}.",
            values=self._apart(evidence),
            active=tuple(map(tuple, active.tolist())),
            diverging=True,
        )

    def prediction(self, evidence: Sliced, controls: Set) -> Ask:
        inputs, outputs, kernel = evidence.asked
        return Number(
            f"A subnet has {inputs} of the {evidence.inputs[-1]} inputs, {outputs} of the {evidence.outputs[-1]} outputs and a "
            f"kernel of {_k(kernel)} instead of {_k(evidence.kernels[-1])}. Which share of this layer's numbers does it use?",
            unit="%",
            tolerance=2.0,
        )

    def truth(self, evidence: Sliced, controls: Set) -> float:
        inputs, outputs, kernel = evidence.asked
        used = inputs * outputs * kernel**2
        return 100.0 * used / (evidence.inputs[-1] * evidence.outputs[-1] * evidence.kernels[-1] ** 2)

    def found(self, evidence: Sliced, controls: Set, prediction: Answer) -> str:
        inputs, outputs, kernel = evidence.asked
        used, truth = inputs * outputs * kernel**2, self.truth(evidence, controls)
        whole = evidence.inputs[-1] * evidence.outputs[-1] * evidence.kernels[-1] ** 2
        mine = prediction if isinstance(prediction, float) else 0.0
        if abs(mine - truth) <= 2:
            verdict = f"You said {mine:.0f} %, and it is {truth:.1f} %"
        elif mine > truth:
            verdict = f"You said {mine:.0f} %; it is only {truth:.1f} %"
        else:
            verdict = f"You said {mine:.0f} %; it is {truth:.1f} %"
        return (
            f"{verdict}: {inputs} × {outputs} × {kernel**2} = {used:,} of {whole:,} numbers. What is saved on inputs, outputs and "
            "both sides of the kernel multiplies. Taking this subnet home trains nothing: these very numbers are copied into its "
            "file."
        )

    def question(self, evidence: Sliced, controls: Set) -> Ask:
        names = ", ".join(f"{c} = {v}" for c, v in zip(evidence.choices, evidence.asked, strict=True))
        return Number(
            f"All numbers of the largest subnet take {evidence.bytes_all:,.0f} bytes in its file. How many bytes does the subnet "
            f"with {names} take, all else at its largest? Its card on the Front page says it; 1 % off is right.",
            low=0,
            high=2 * evidence.bytes_all,
            unit="bytes",
            tolerance=0.01 * evidence.bytes_asked,
        )

    def answer(self, evidence: Sliced, controls: Set) -> float:
        return evidence.bytes_asked

    def explain(self, evidence: Sliced, controls: Set, given: Answer) -> str:
        truth, mine = evidence.bytes_asked, given if isinstance(given, float) else 0.0
        layer = evidence.bytes_all * self.truth(evidence, controls) / 100
        if self.question(evidence, controls).right(given, truth):
            return (
                f"Right: {format_share(truth / evidence.bytes_all)} of the largest. The layers before and after become thinner as well; "
                "all other layers stay as they are."
            )
        if abs(mine - layer) <= 0.05 * layer:
            return "That takes the share of this one layer for the whole network; the other layers keep more of their numbers."
        if mine > evidence.bytes_all:
            return "That is more than the largest subnet, of which this one is a part."
        if mine > truth:
            return "Too large: the layers before and after lose numbers as well."
        return "Too small: each number takes four bytes, and only what touches this layer becomes smaller."

    def further(self, evidence: Sliced) -> tuple[Further, ...]:
        return (
            Further(
                "front",
                {"supernet": evidence.supernet, "sid": evidence.subnet},
                "Look at this subnet's card: its size is there, and Download gives you the file.",
                {"size_bytes": evidence.bytes_asked},
            ),
        )

    @classmethod
    def example(cls, rng: np.random.Generator) -> Sliced:
        inputs, outputs = (tuple(sorted({int(n) for n in rng.integers(1, 7, 3)})) for _ in range(2))
        kernels = ((3, 5), (3,), (1, 3, 5))[int(rng.integers(3))]
        side = kernels[-1]
        weights = np.round(rng.normal(size=(outputs[-1], inputs[-1], side, side)), 3)
        if rng.random() < 0.1:
            weights[:] = 0.0
        whole = float(rng.integers(100, 1000)) * 4
        return Sliced(
            seed=0,
            supernet="example",
            choices=("width1", "width2", "kernel2_1"),
            inputs=inputs,
            outputs=outputs,
            kernels=kernels,
            weights=_flat(weights),
            subnet="000",
            asked=(_half(inputs), _half(outputs), kernels[0]),
            bytes_all=whole,
            bytes_asked=float(round(whole * rng.uniform(0.1, 1.0))),
        )

    @staticmethod
    def _options(evidence: Sliced) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
        return evidence.inputs, evidence.outputs, evidence.kernels

    @staticmethod
    def _apart(evidence: Sliced) -> tuple[tuple[float, ...], ...]:
        """The weights with an empty line between two kernels."""
        side, values = evidence.kernels[-1], np.array(evidence.weights)
        for axis in (0, 1):
            values = np.insert(values, range(side, values.shape[axis], side), np.nan, axis=axis)
        return tuple(map(tuple, values.tolist()))

    @staticmethod
    def _kept(most: int, channels: int, side: int, kernel: int) -> np.ndarray:
        """Which of the figure's lines are in use: of the first channels, the centers of their kernels.

        A kernel of full size reaches to the next one, so the line between them counts.
        """
        place = np.arange(side + 1)
        center = np.abs(2 * place - (side - 1)) < kernel
        center[-1] = kernel == side
        lines = np.outer(np.arange(most) < channels, center).ravel()[:-1]
        lines[channels * (side + 1) - 1 :] = False
        return lines


def _half(options: tuple[int, ...]) -> int:
    """The largest option that is at most half of the last one; the first where there is none."""
    return max([o for o in options if 2 * o <= options[-1]], default=options[0])


def _k(kernel: int) -> str:
    return f"{kernel} × {kernel}"


def _flat(weight: np.ndarray) -> tuple[tuple[float, ...], ...]:
    """(out, in, k, k) -> rows of in and k, columns of out and k."""
    out, into, height, width = weight.shape
    rows = weight.transpose(1, 2, 0, 3).reshape(into * height, out * width)
    return tuple(map(tuple, np.round(rows.astype(float), 3).tolist()))


def _bytes(entry: SupernetEntry, arch: Arch) -> float:
    """From the table where there is one: counting anew what was trained here takes torch."""
    table = supernets.table(entry)
    if table is not None and SIZE.name in table:
        return float(table.loc[table["arch_id"] == entry.space.arch_id(arch), SIZE.name].iloc[0])
    return float(supernets.counted(entry, np.array([arch], np.uint8), SIZE.name)[0])
