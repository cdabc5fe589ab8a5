"""Which channels belong together, by hand for every kind of tie; and where a network is cut."""

from __future__ import annotations

from typing import Any

import pytest

from core.errors import InvalidInput
from core.networks.operations.channels import Flow, Ties, pooled, trace
from core.networks.operations.grouping import Grouping, Piece, grouping, spans
from core.networks.operations.segments import droppable, segments
from core.networks.operations.steps import OPERATIONS, Step, require_steps
from core.networks.operations.widths import units_kept
from core.supernets.converted import looked_through
from core.supernets.small_residual import small_residual


def conv(of: int, ins: int, outs: int, kernel: int = 1, **more: Any) -> Step:
    sizes = {"kernel": [kernel] * 2, "padding": [kernel // 2] * 2, "stride": [1, 1], "dilation": [1, 1]}
    return {
        "op": "conv",
        "of": [of],
        "in_channels": ins,
        "out_channels": outs,
        "groups": 1,
        "bias": False,
        **sizes,
        **more,
    }


def found(*steps: Step, channels: int = 3) -> tuple[Grouping, dict[tuple[int, str, int], tuple[Piece, ...]]]:
    """Groups of steps on (3, 4, 4) maps, and the layout of every axis."""
    require_steps(steps)
    ties = Ties()
    entering = Flow((channels, 4, 4), ties.new(channels))
    ties.pin(entering.ids, "input")
    _, uses = trace(steps, entering, ties)
    whole = grouping(uses, ties)
    return whole, {(u.step, u.tensor, u.axis): lay for u, lay in zip(uses, whole.layouts, strict=True)}


def test_a_sum_ties_what_it_adds_and_nothing_else() -> None:
    whole, axes = found(
        conv(0, 3, 5), conv(1, 5, 4), conv(2, 4, 5), {"op": "add", "of": [3, 1]}, conv(4, 5, 2)
    )
    assert axes[1, "weight", 0] == axes[3, "weight", 0] == axes[2, "weight", 1] == axes[5, "weight", 1]
    assert axes[2, "weight", 0] == axes[3, "weight", 1] != axes[1, "weight", 0]
    assert sorted(whole.sizes) == [2, 4, 5]
    assert axes[1, "weight", 1] == (Piece(None, 3),)


def test_a_depthwise_convolution_and_a_gate_tie_in_and_out() -> None:
    gated, axes = found(
        conv(0, 3, 4),
        conv(1, 4, 8, 3, groups=4),
        {"op": "mean", "of": [2]},
        conv(3, 8, 2),
        conv(4, 2, 8),
        {"op": "sigmoid", "of": [5]},
        {"op": "mul", "of": [2, 6]},
        conv(7, 8, 1),
    )
    (piece,) = axes[2, "weight", 0]
    assert (piece.units, piece.repeat) == (4, 2), "two channels of each unit"
    assert axes[5, "weight", 0] == axes[8, "weight", 1] == (piece,)
    assert axes[1, "weight", 0] == (Piece(piece.group, 4),)
    assert not gated.stuck, "a gate of a unit that is zero changes nothing"


def test_what_a_sigmoid_makes_and_a_layer_reads_cannot_be_cut_by_zeroing() -> None:
    whole, axes = found(conv(0, 3, 4), {"op": "sigmoid", "of": [1]}, conv(2, 4, 2))
    assert whole.stuck == {axes[1, "weight", 0][0].group}


def test_a_concatenation_and_a_flattening_lie_behind_each_other() -> None:
    _, axes = found(
        conv(0, 3, 4),
        conv(1, 4, 5),
        {"op": "concat", "of": [2, 1]},
        {"op": "flatten", "of": [3]},
        {"op": "linear", "of": [4], "in_features": 144, "out_features": 2, "bias": True},
    )
    first, second = axes[5, "weight", 1]
    assert (first.units, first.repeat, second.units, second.repeat) == (5, 16, 4, 16)
    kept = {first.group: 2, second.group: 1}
    assert spans(axes[5, "weight", 1], [kept[g] for g in sorted(kept)]) in (
        [(0, 32), (80, 16)],
        [(0, 16), (80, 32)],
    )


def test_groups_of_a_convolution_stay_and_so_does_what_meets_in_another_order() -> None:
    whole, axes = found(conv(0, 3, 4), conv(1, 4, 4, groups=2), conv(2, 4, 2))
    assert axes[1, "weight", 0] == axes[2, "weight", 0] == (Piece(None, 4),)
    assert any("groups" in why for why in whole.why.values())
    twisted, axes = found(
        conv(0, 3, 2),
        conv(0, 3, 2),
        {"op": "concat", "of": [1, 2]},
        {"op": "concat", "of": [2, 1]},
        {"op": "add", "of": [3, 4]},
        conv(5, 4, 2),
    )
    # Each unit lies twice in the sum: one group, whichever way it is read.
    assert axes[6, "weight", 1] == (
        Piece(axes[1, "weight", 0][0].group, 2),
        Piece(axes[1, "weight", 0][0].group, 2),
    )
    assert axes[1, "weight", 0] == axes[2, "weight", 0]
    assert 2 in twisted.sizes


@pytest.mark.parametrize(
    "steps",
    [
        [conv(0, 4, 5)],
        [conv(0, 3, 5, groups=2)],
        [conv(0, 3, 5), {"op": "add", "of": [1, 0]}],
        [conv(0, 3, 5, 7, padding=[0, 0])],
        [{"op": "flatten", "of": [0]}, {"op": "mean", "of": [1]}],
        [{"op": "linear", "of": [0], "in_features": 3, "out_features": 2, "bias": True}],
        [conv(1, 3, 5)],
        [{"op": "exec", "of": [0]}],
        [{**conv(0, 3, 5), "more": 1}],
        [{"op": "scale", "of": [0], "value": float("nan")}],
        [conv(0, 3, 16_000, 1), conv(1, 16_000, 16_000, 1)] * 40,
        [],
    ],
)
def test_steps_that_do_not_fit_are_refused(steps: list[Step]) -> None:
    with pytest.raises(InvalidInput):
        found(*steps)


def test_windows_are_counted_as_torch_counts_them() -> None:
    import torch
    from torch.nn import functional as F

    for side in range(3, 12):
        for kernel, stride, padding in ((3, 2, 1), (2, 2, 0), (3, 3, 1), (2, 3, 1), (3, 1, 0)):
            for ceil in (False, True):
                x = torch.zeros(1, 1, side, side)
                size = F.max_pool2d(x, kernel, stride, padding, ceil_mode=ceil).shape[-1]
                assert pooled(side, kernel, stride, padding, ceil=ceil) == size


def test_a_network_is_cut_between_its_blocks() -> None:
    said = small_residual((1, 8, 8), 10)
    steps: list[Step] = []
    for segment in said["segments"]:
        first = len(steps)
        steps += [{**step, "of": [value + first for value in step["of"]]} for step in segment["steps"]]
    flows = looked_through((1, 8, 8), [steps]).flows
    cut = segments(steps, flows)
    # Finer than by hand: an inverted bottleneck without a shortcut has places where a single value passes.
    assert cut == [(0, 3), (3, 10), (10, 17), (17, 20), (20, 23), (23, 29), (29, 31), (31, 34), (34, 37)]
    assert [droppable(steps, flows, span) for span in cut] == [False, True, True] + [False] * 6


def test_a_block_is_not_cut_before_the_sum_that_ends_it() -> None:
    steps = [conv(0, 3, 3), conv(1, 3, 3), {"op": "add", "of": [2, 1]}, conv(3, 3, 2)]
    ties = Ties()
    flows, _ = trace(steps, Flow((3, 4, 4), ties.new(3)), ties)
    assert segments(steps, flows) == [(0, 1), (1, 3), (3, 4)]
    assert [droppable(steps, flows, span) for span in segments(steps, flows)] == [False, True, False]


def test_no_group_of_two_units_or_more_is_without_a_choice() -> None:
    for units in range(2, 300):
        counts = [units_kept(units, ratio) for ratio in (0.25, 0.5, 0.75, 1)]
        assert counts == sorted(counts)
        assert 1 <= counts[0] < counts[-1] == units
    assert [units_kept(64, r) for r in (0.25, 0.5, 0.75, 1)] == [16, 32, 48, 64]
    assert units_kept(1, 0.25) == 1


def test_every_operation_says_what_it_is() -> None:
    for name, operation in OPERATIONS.items():
        assert operation.inputs[0] >= 1
        assert "op" not in operation.settings, name
