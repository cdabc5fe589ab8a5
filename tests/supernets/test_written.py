"""Spaces written in YAML: what is read comes back, and what is wrong is said with line and field, or refused unread."""

from __future__ import annotations

import time

import numpy as np
import pytest

from core.errors import InvalidInput
from core.library.presets import PRESETS
from core.supernets.chain import Chain
from core.supernets.counting import Count
from core.supernets.files import build
from core.supernets.options.registry import OPTIONS
from core.supernets.planned import planned
from core.supernets.written import MOST_BYTES, read, write

DIGITS = {"input_shape": [1, 8, 8]}
WRITTEN = [name for name, preset in PRESETS.items() if preset["family"] == "chain"]
GOOD = """title: Mine
stages:
  - widths: [4, 8]
    depths: [1, 2]
    options: [residual, {block: residual, kernel: 5}]
  - widths: 8
    stride: 2
    options:
      - identity
      - {block: osa, layers: 2}
"""


@pytest.mark.parametrize("name", WRITTEN)
def test_a_space_comes_back_from_its_text(name: str) -> None:
    config = PRESETS[name]["config"]
    text = write(config, "A title: with a colon")
    again = read(text)
    assert again.title == "A title: with a colon"
    assert Chain.Config.model_validate(again.config) == Chain.Config.model_validate(config)
    assert write(again.config, again.title) == text


def test_the_examples_hold_every_option() -> None:
    met = {o.block for c in Chain.examples() for s in c.stages for bank in s.banks for o in bank}
    assert met == set(OPTIONS.names())


def test_what_is_planned_is_what_is_built() -> None:
    plan = planned(GOOD, DIGITS)
    net = build("chain", plan.config | DIGITS)
    assert plan.space == net.space
    assert plan.params == sum(p.numel() for p in net.parameters())
    assert list(plan.smallest) == net.costs(net.smallest)
    assert list(plan.largest) == net.costs(net.largest)
    assert plan.weight_bytes == 4 * plan.params
    assert [(b.label, b.widths, b.size, b.skipped) for b in plan.blocks] == [
        ("block 1.1", (4, 8), (8, 8), False),
        ("block 1.2", (4, 8), (8, 8), True),
        ("block 2.1", (8,), (4, 4), False),
    ]
    assert plan.blocks[0].options == ("residual kernel=3", "residual kernel=5")


def test_options_that_differ_in_a_number_are_a_choice_of_numbers() -> None:
    kinds = {c.name: (c.kind, c.options, c.unit) for c in planned(GOOD, DIGITS).space.choices}
    assert kinds["kernel1_1"] == ("kernel", (3, 5), "pixels")
    assert kinds["block2_1"] == ("operation", ("identity", "osa"), "")
    assert kinds["width1"] == ("width", (4, 8), "channels")
    assert kinds["depth1"] == ("depth", (1, 2), "blocks")


def test_the_ends_are_the_cheapest_and_the_dearest() -> None:
    net = build("chain", read(GOOD).config | DIGITS)
    macs = {tuple(a): sum(c.macs for c in net.costs(a)) for a in net.space.array().tolist()}
    assert macs[net.smallest] == min(macs.values())
    assert macs[net.largest] == max(macs.values())
    assert len(macs) == net.space.size == 2 * (2 + 4) * 2


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("residual, {", "residul, {", r"Line 5, stage 1 option 1 block: .*Did you mean 'residual'\?$"),
        ("kernel: 5", "kernel: 9", "Line 5, stage 1 option 2 kernel: at most 7 is possible."),
        ("kernel: 5", "kernel: 4", "Line 5, stage 1 option 2 kernel: a kernel is odd"),
        ("kernel: 5", "kernal: 5", "Line 5, stage 1 option 2 kernal: there is no such field."),
        ("kernel: 5", "kernel: 3", "Line 3, stage 1: two options of a block are the same"),
        ("[4, 8]", "[8, 4]", "Line 3, stage 1: widths must be ascending"),
        ("[4, 8]", "[4, four]", "Line 3, stage 1 width 2: a whole number is asked for."),
        ("stride: 2", "stride: 5", "Line 7, stage 2 stride: at most 4 is possible."),
        ("stride: 2", "strid: 2", "Line 7, stage 2 strid: there is no such field."),
        ("widths: 8\n    stride", "stride", "Line 6, stage 2 widths: this field is missing."),
        ("title: Mine", "titel: Mine", "Line 1, titel: there is title, stem, stages, head"),
        ("layers: 2", "layers: 2, layers: 3", "Line 10: a name is a plain word, and stands once"),
        ("[4, 8]", "&a [4, 8]", "Line 3: anchors and aliases"),
        ("[4, 8]", "*a", "Line 3: anchors and aliases"),
        ("Mine", "!!python/object:os.system x", "Line 1: tags"),
        ("stages:", "---\nstages:", "Line 2: a file holds one space"),
        ("osa, layers: 2}", "osa, layers: 2", "Line 11: this is not YAML"),
        ("stages:", "stages: none\nmore:", "there is title, stem, stages, head"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(old: str, new: str, sentence: str) -> None:
    assert old in GOOD
    with pytest.raises(InvalidInput, match=sentence):
        read(GOOD.replace(old, new, 1))


def test_a_stride_that_leaves_nothing_is_refused_before_anything_is_built() -> None:
    strides = "stages:\n" + "".join("  - {widths: 4, stride: 4, options: [pool]}\n" for _ in range(3))
    assert read(strides)
    with pytest.raises(
        InvalidInput, match="Line 3, stage 2 stride: the map is 2 x 2 here, and cannot be divided by 4"
    ):
        planned(strides, DIGITS)


def test_too_large_a_supernet_is_refused_in_one_sentence() -> None:
    wide = "stages:\n  - {widths: 1024, depths: 16, options: [residual, {block: residual, kernel: 7}]}\n"
    with pytest.raises(InvalidInput, match=r"would have [\d,]+ parameters; at most 200,000,000"):
        planned(wide, DIGITS)


@pytest.mark.parametrize(
    "text",
    [
        b"a: " + b"x" * MOST_BYTES,
        b"[" * 10_000,
        b"{a: " * 5_000,
        b"- " * 15_000,
        b"\xff\xfe\x00",
        b"stages: [" + b"{}," * 9_000 + b"]",
        b"? [a]\n: b",
        b"%YAML 9.9\n---\na",
        b"",
        b"stages: 1e999",
        "\ud800".encode("utf-8", "surrogatepass"),
    ],
)
def test_hostile_texts_are_refused_quickly(text: bytes) -> None:
    began = time.process_time()
    with pytest.raises(InvalidInput):
        read(text)
    assert time.process_time() - began < 2


@pytest.mark.long
def test_mutated_texts_are_read_or_refused() -> None:
    rng = np.random.default_rng(0)
    texts = [write(PRESETS[name]["config"]).encode() for name in WRITTEN]
    read_at_all = 0
    for turn in range(5_000):
        data = bytearray(texts[turn % len(texts)])
        for _ in range(rng.integers(1, 6)):
            at = int(rng.integers(len(data)))
            data[at : at + int(rng.integers(0, 4))] = rng.integers(
                0, 256, int(rng.integers(0, 4)), np.uint8
            ).tobytes()
        try:
            planned(bytes(data), DIGITS)
            read_at_all += 1
        except InvalidInput:
            pass
    assert read_at_all > 50


def test_memory_is_that_of_the_values_alive() -> None:
    """By hand: two maps beside the input; the first is written over by what reads it last."""
    count = Count()
    x = count.given(2, (4, 4))
    y = count.over(count.conv(x, 3, 3))
    z = count.conv(y, 5, 1)
    assert count.counted(z)["held_bytes"] == 4 * 16 * (2 + 3 + 5)
    assert (count.macs, count.params) == (16 * (9 * 6 + 15), 9 * 6 + 15)
    count = Count()
    x = count.given(2, (4, 4))
    count.over(x, count.conv(x, 2, 3))
    assert count.held_bytes([]) == 4 * 16 * 4, "what flows in is not written over, what is added to it is"
