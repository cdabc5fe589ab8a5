"""A profile: what is written comes back, and what is damaged, foreign, hostile or half is refused in a sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from core.errors import InvalidInput, NotFound
from core.evaluation.latency.profile import (
    Device,
    LatencyProfile,
    SupernetIdentity,
    layout_of,
    read_profile,
    require_same,
)
from core.objectives.base import (
    OBJECTIVES,
    FromProfile,
    choosable_names,
    device_of,
    is_objective,
    known_names,
    objective,
)
from tests.helpers.latency_world import World, profile_of, small_costs

IDENTITY = SupernetIdentity(title="Toy", family="elastic_cnn", layout="a" * 64, space="b" * 64)


def sound() -> LatencyProfile:
    return profile_of(World(small_costs()), IDENTITY, n=16)


def test_what_is_written_comes_back() -> None:
    assert read_profile(sound().encode()) == sound()
    more = json.loads(sound().encode()) | {"what a later kit adds": [1]}
    assert read_profile(json.dumps(more).encode()) == sound()


def change(**places: Any) -> Callable[[dict[str, Any]], None]:
    def apply(fields: dict[str, Any]) -> None:
        for path, value in places.items():
            *way, last = path.split("__")
            part = fields
            for step in way:
                part = part[step]
            if callable(value):
                part[last] = value(part[last])
            elif value is ...:
                del part[last]
            else:
                part[last] = value

    return apply


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (change(timings__ms=lambda ms: [*ms[:-1], 0.0]), "greater than 0"),
        (change(timings__ms=lambda ms: [*ms[:-1], -1.0]), "greater than 0"),
        (change(timings__ms=lambda ms: [*ms[:-1], 1e300]), "less than or equal"),
        (change(timings__ms=lambda ms: [*ms[:-1], "fast"]), "valid number"),
        (change(timings__ms=lambda ms: [*ms[:-1], None]), "valid number"),
        (change(timings__ms=lambda ms: ms[:-1]), "differ in length"),
        (change(timings__spread=lambda found: found[1:]), "differ in length"),
        (change(timings__peak_bytes=[1]), "differ in length"),
        (change(timings__arch_ids=lambda ids: [*ids[:-1], ids[0]]), "listed twice"),
        (change(timings__arch_ids=lambda ids: [*ids[:-1], "../../etc"]), "pattern"),
        (change(timings__arch_ids=lambda ids: [*ids[:-1], "0" * 5000]), "pattern"),
        (change(timings__arch_ids=[], timings__ms=[], timings__spread=[]), "at least 8"),
        (change(anchors__end=...), "required"),
        (change(anchors__end=[]), "not timed again"),
        (change(planned=17), "unfinished: 16 of 17"),
        (change(planned=10**9), "less than or equal"),
        (change(device__name="x" * 61), "at most 60"),
        (change(device__name=""), "at least 1"),
        (change(device__name="a\nb\u202e"), "plain text"),
        (change(device__threads=0), "greater than or equal to 1"),
        (change(device__runtime="rm -rf"), "onnxruntime"),
        (change(device__version="1; DROP TABLE"), "pattern"),
        (change(supernet__layout="A" * 64), "pattern"),
        (change(date="yesterday"), "pattern"),
        (change(format=2), "newer release"),
        (change(format="1"), "format"),
        (change(timings=...), "required"),
        (change(timings=3), "valid dictionary"),
    ],
)
def test_a_spoiled_profile_is_refused_in_a_sentence(
    spoil: Callable[[dict[str, Any]], None], said: str
) -> None:
    fields = json.loads(sound().encode())
    spoil(fields)
    with pytest.raises(InvalidInput, match=said) as refusal:
        read_profile(json.dumps(fields).encode())
    assert len(str(refusal.value)) < 400
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"3",
        b"\xff\xfe",
        b"[" * 200_000,
        sound().encode()[:-40],
        b"PK\x03\x04" * 100,
    ],
    ids=["empty", "cut", "list", "null", "number", "bytes", "deep", "half", "zip"],
)
def test_what_is_no_profile_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidInput, match="no profile"):
        read_profile(data)


def test_numbers_that_json_does_not_know_are_refused() -> None:
    for number in ("NaN", "Infinity", "-Infinity"):
        text = sound().model_dump_json()
        first = str(sound().timings.ms[0])
        with pytest.raises(InvalidInput):
            read_profile(text.replace(first, number, 1).encode())


def test_a_profile_of_another_supernet_is_refused() -> None:
    require_same(sound(), IDENTITY)
    other = IDENTITY.model_copy(update={"layout": "c" * 64, "title": "Other"})
    with pytest.raises(InvalidInput, match=r"another supernet \(Toy\); Other"):
        require_same(sound(), other)
    assert layout_of("a", {"x": 1, "y": 2}, "s") == layout_of("a", {"y": 2, "x": 1}, "s")
    assert layout_of("a", {"x": 1}, "s") != layout_of("a", {"x": 2}, "s")


# --- the name of its objective -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"name": "AMD EPYC 9R14 96-Core Processor"}, "AMD EPYC 9R14 96 Core, 1 thread"),
        (
            {"name": "Intel(R) Core(TM) i7-8650U CPU @ 1.90GHz", "threads": 4},
            "Intel Core i7 8650U, 4 threads",
        ),
        (
            {"name": "Jetson", "runtime": "torch", "provider": "cuda", "precision": "float16"},
            "Jetson, 1 thread, torch cuda, float16",
        ),
        ({"name": "Pi", "precision": "int8", "batch": 8}, "Pi, 1 thread, int8, batch 8"),
        ({"name": "我的机器"}, "device, 1 thread"),
    ],
)
def test_a_device_is_read_from_the_name_of_its_objective(fields: dict[str, Any], told: str) -> None:
    name = Device(version="1.0", **fields).objective
    assert device_of(name) == told
    found = objective(name)
    assert found.name == name
    assert found.label == f"Latency on {told}"
    assert (found.unit, found.maximize, found.for_choosing) == ("ms", False, True)
    assert issubclass(OBJECTIVES.get(name), FromProfile)


def test_another_identity_is_another_objective() -> None:
    device = Device(name="Box", version="1.0")
    changes = ({"version": "1.1"}, {"threads": 2}, {"system": "x"}, {"batch": 2}, {"precision": "int8"})
    names = {device.model_copy(update=change).objective for change in changes} | {device.objective}
    assert len(names) == 6
    assert Device(name="Box", version="1.0").objective == device.objective


def test_only_what_varies_has_variants() -> None:
    name = Device(name="Box", version="1.0").objective
    assert is_objective(name)
    assert not is_objective(f"{name}_source"), "how values were obtained is no objective"
    assert not is_objective("macs.Box")
    assert not is_objective("latency_ms.")
    assert not is_objective("latency_ms.a b")
    assert known_names(["x", f"{name}_source", name, "accuracy"]) == ["accuracy", name]
    assert choosable_names(["test_accuracy", name]) == [name]
    for wrong in ("macs.Box", "latency_ms.<b>", "nothing.Box"):
        with pytest.raises(NotFound):
            objective(wrong)
