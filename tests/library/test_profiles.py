"""Profiles from strangers: one that fits becomes an objective, everything else is refused in a sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.errors import InvalidInput, NotFound
from core.evaluation.latency.plan import anchors_of, plan_sample
from core.evaluation.latency.profile import FILE, LatencyProfile
from core.library import profile_worker, profiles, supernets
from core.library.latency import LatencyRecord, identity_of
from core.library.measuring_kits import plan_after
from core.library.profiles import fitted, foreign_profile, said
from core.pareto import non_dominated
from core.store import RunStore
from core.supernets.files import dump_supernet
from tests.helpers.nets import small_cnn
from tests.security.hostile_files import mutate, plain_sentence

N = 60


def entry_of(**changes: object) -> supernets.SupernetEntry:
    return supernets.from_bytes(dump_supernet(small_cnn(**changes), {"title": "Small"}), title="Small")


ENTRY = entry_of()


def truth(rows: np.ndarray) -> np.ndarray:
    """Milliseconds of a machine that takes as long as stages and MACs say, and a little chance."""
    costs = supernets.costs(ENTRY)
    stages = sum(stage.present.astype(float) for stage in costs.entries(rows))
    chance = np.random.default_rng(3).normal(1.0, 0.003, len(rows))
    return (0.02 + 0.004 * stages + 2e-6 * costs.total("macs", rows)) * chance


def good() -> dict[str, Any]:
    """A profile as the kit writes it."""
    rows = plan_sample(supernets.costs(ENTRY), N, seed=1)
    ids, ms = ENTRY.space.arch_ids(rows), truth(rows)
    at = anchors_of(ms, 4).tolist()
    return {
        "format": 1,
        "supernet": identity_of(ENTRY).model_dump(),
        "device": {
            "name": "Board",
            "processor": "Cortex",
            "threads": 2,
            "runtime": "onnxruntime",
            "version": "1.20.0",
            "provider": "CPUExecutionProvider",
            "precision": "float32",
            "batch": 1,
            "system": "Linux aarch64",
        },
        "protocol": {"rounds": 6, "runs": 4, "agreement": 0.995, "agreed": True, "seconds": 3.5},
        "planned": N,
        "timings": {"arch_ids": ids, "ms": ms.tolist(), "spread": [0.001] * N, "peak_bytes": []},
        "anchors": {
            "arch_ids": [ids[i] for i in at],
            "start": [ms[i] for i in at],
            "end": [1.01 * ms[i] for i in at],
        },
        "date": "2026-11-28T09:00:00Z",
    }


@pytest.fixture
def read_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read in this process: a confined one takes a second to start."""

    def work(module: str, data: bytes, options: Any, target: Path, limits: Any) -> Any:
        assert module == profile_worker.__name__
        return profile_worker.work(data, options, target)

    monkeypatch.setattr(profiles, "run_confined", work)


def test_a_profile_becomes_the_latency_of_every_subnet_with_its_error() -> None:
    """Through the confined process: what is read is what was written, and subnets never timed are predicted."""
    profile = foreign_profile(json.dumps(good()).encode(), ENTRY)
    assert profile.model_dump(mode="json") == LatencyProfile.model_validate(good()).model_dump(mode="json")
    record = fitted(profile, ENTRY)
    assert record.objective.startswith("latency_ms.Board_2-threads_")
    rows = ENTRY.space.array()
    predicted = record.model.predict(supernets.costs(ENTRY), rows)
    expected = truth(rows)
    assert np.median(np.abs(predicted / expected - 1)) < 0.02
    assert np.corrcoef(np.argsort(np.argsort(predicted)), np.argsort(np.argsort(expected)))[0, 1] > 0.98
    sentence = said(record)
    assert sentence.startswith(f"Latency on Board, 2 threads: {N} subnets were timed")
    assert f"rank correlation {record.validation.rank_correlation:.3f}" in sentence


def put(*path: str | int, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(told: dict[str, Any]) -> None:
        for key in path[:-1]:
            told = told[key]
        told[path[-1]] = value

    return change


def drop(*path: str) -> Callable[[dict[str, Any]], None]:
    def change(told: dict[str, Any]) -> None:
        for key in path[:-1]:
            told = told[key]
        del told[path[-1]]

    return change


def half(told: dict[str, Any]) -> None:
    for name in ("arch_ids", "ms", "spread"):
        told["timings"][name] = told["timings"][name][: N // 2]


STRUCTURES: dict[str, tuple[Callable[[dict[str, Any]], None], str]] = {
    "half": (half, "unfinished: 30 of 60"),
    "a time is missing": (lambda t: t["timings"]["ms"].pop(), "differ in length"),
    "a subnet twice": (
        lambda t: t["timings"]["arch_ids"].__setitem__(1, t["timings"]["arch_ids"][0]),
        "twice",
    ),
    "anchors not timed again": (put("anchors", "end", value=[]), "anchors"),
    "no anchors": (drop("anchors"), "anchors"),
    "no device": (drop("device"), "device"),
    "no time at all": (put("timings", "ms", 3, value=0.0), "greater than 0"),
    "time runs backwards": (put("timings", "ms", 3, value=-1.0), "greater than 0"),
    "not a number": (put("timings", "ms", 3, value=float("nan")), "finite"),
    "infinite": (put("timings", "ms", 3, value=float("inf")), "finite"),
    "a year": (put("timings", "ms", 3, value=1e12), "less than or equal"),
    "words for a time": (put("timings", "ms", 3, value="fast"), "number"),
    "a newer release": (put("format", value=2), "newer release"),
    "an unknown runtime": (put("device", "runtime", value="abacus"), "runtime"),
    "a thousand million threads": (put("device", "threads", value=10**9), "threads"),
    "a name of two lines": (put("device", "name", value="a\nb"), "one line"),
    "a name without end": (put("device", "name", value="x" * 10_000), "name"),
    "no name": (put("device", "name", value=" "), "name"),
    "markup for a version": (put("device", "version", value="<script>"), "version"),
    "a path for a subnet": (put("timings", "arch_ids", 0, value="../../etc/passwd"), "arch_ids"),
    "a subnet of another space": (put("timings", "arch_ids", 0, value="zzz"), "no architecture"),
    "an anchor of another space": (put("anchors", "arch_ids", 0, value="zzz"), "no architecture"),
    "a subnet that is not canonical": (
        lambda t: put("timings", "arch_ids", 0, value="9" * len(t["timings"]["arch_ids"][0]))(t),
        "no architecture",
    ),
    "another supernet": (put("supernet", "layout", value="0" * 64), "another supernet"),
    "another space": (put("supernet", "space", value="0" * 64), "another supernet"),
    "no supernet": (put("supernet", value="digits-cnn"), "supernet"),
    "no date": (put("date", value="yesterday"), "date"),
    "a plan of nothing": (put("planned", value=0), "planned"),
    "times that nothing explains": (
        lambda t: put("timings", "ms", value=[5e-324, *[1e7] * (N - 1)])(t),
        "nothing can be learnt",
    ),
}
BYTES: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "not JSON"),
    "cut off": (json.dumps(good()).encode()[:2000], "not JSON"),
    "no text": (b"\xff\xfe\x00\x01", "not JSON"),
    "a pickle": (b"\x80\x04\x95\x10\x00\x00\x00.", "not JSON"),
    "a list": (b"[1, 2]", "no profile"),
    "a word": (b'"profile"', "no profile"),
    "another object": (b'{"hello": 1}', "cannot be used"),
    "deep": (b"[" * 200_000 + b"]" * 200_000, "not JSON"),
    "a number without end": (b'{"format": ' + b"9" * 100_000 + b"}", "not JSON"),
    "too large": (b" " * (profiles.MOST_BYTES + 1), "larger than 8 MB"),
}


def refusal(data: bytes) -> str:
    with pytest.raises(InvalidInput) as refused:
        fitted(foreign_profile(data, ENTRY), ENTRY)
    return str(refused.value)


@pytest.mark.usefixtures("read_here")
@pytest.mark.parametrize("case", STRUCTURES)
def test_a_damaged_foreign_or_half_profile_is_refused_in_a_sentence(case: str) -> None:
    spoil, expected = STRUCTURES[case]
    told = good()
    spoil(told)
    sentence = refusal(json.dumps(told).encode())
    assert expected in sentence
    assert plain_sentence(sentence), sentence


@pytest.mark.usefixtures("read_here")
@pytest.mark.parametrize("case", BYTES)
def test_what_is_no_profile_at_all_is_refused_in_a_sentence(case: str) -> None:
    data, expected = BYTES[case]
    sentence = refusal(data)
    assert expected in sentence
    assert plain_sentence(sentence), sentence


def test_a_profile_of_another_configuration_of_the_same_family_is_foreign() -> None:
    """Equal spaces, other stems: the same ids, and other times."""
    other = entry_of(stem_kernel=5)
    assert other.space.fingerprint == ENTRY.space.fingerprint
    with pytest.raises(InvalidInput, match="another supernet"):
        profiles.require_same(LatencyProfile.model_validate(good()), identity_of(other))


HOSTILE = (None, True, -1, 0, 1e308, 5e-324, 2**63, "", "<b>", "\x00", "9" * 500, [], {}, [[]], "😀" * 40)


def leaf_changed(told: Any, rng: np.random.Generator) -> None:
    """Put something hostile where some value of the profile stands."""
    while True:
        keys = list(told) if isinstance(told, dict) else list(range(len(told)))
        key = keys[int(rng.integers(len(keys)))]
        if isinstance(told[key], dict | list) and told[key] and rng.random() < 0.9:
            told = told[key]
            continue
        if rng.random() < 0.2:
            del told[key]
        else:
            told[key] = HOSTILE[int(rng.integers(len(HOSTILE)))]
        return


def campaign(n: int, seed: int) -> int:
    """Accidents to bytes and to values: read, or refused in one sentence; returns how many were refused."""
    original, refused = json.dumps(good()).encode(), {}
    for number in range(n):
        rng = np.random.default_rng([seed, number])
        if number % 2:
            data = mutate(original, rng)
        else:
            told = json.loads(original)
            for _ in range(int(rng.integers(1, 4))):
                leaf_changed(told, rng)
            data = json.dumps(told).encode()
        try:
            record = fitted(foreign_profile(data, ENTRY), ENTRY)
        except InvalidInput as error:
            refused[number] = str(error)
        else:
            assert isinstance(record, LatencyRecord)
            assert np.isfinite(record.model.predict(supernets.costs(ENTRY), ENTRY.space.array()[:50])).all()
    assert {at: text for at, text in refused.items() if not plain_sentence(text)} == {}
    return len(refused)


@pytest.mark.usefixtures("read_here")
def test_accidents_are_read_or_refused() -> None:
    assert campaign(60, seed=0) > 20


@pytest.mark.long
@pytest.mark.usefixtures("read_here")
def test_three_thousand_accidents_are_read_or_refused() -> None:
    assert campaign(3000, seed=1) > 1000


def test_the_confined_reader_writes_nothing_that_is_not_part_of_a_profile(tmp_path: Path) -> None:
    told = good() | {"further": "x" * 1000, "process_peak_bytes": 5}
    profile_worker.work(json.dumps(told).encode(), {}, tmp_path / FILE)
    assert b"further" not in (tmp_path / FILE).read_bytes()


# --- a second kit ---------------------------------------------------------------------------------------


def timed_profile(entry: supernets.SupernetEntry, rows: np.ndarray) -> LatencyProfile:
    """A profile of these subnets, on a machine that counts MACs and stumbles a little."""
    ids, told = entry.space.arch_ids(rows), good()
    chance = {a: 1 + 0.03 * np.sin(7 * at) for at, a in enumerate(entry.space.arch_ids(entry.space.array()))}
    macs = supernets.costs(entry).total("macs", rows)
    ms = [(0.02 + 1e-6 * m) * chance[arch_id] for arch_id, m in zip(ids, macs.tolist(), strict=True)]
    told["supernet"] = identity_of(entry).model_dump()
    told["planned"] = len(ids)
    told["timings"] = {"arch_ids": ids, "ms": ms, "spread": [0.0] * len(ids)}
    told["anchors"] = {"arch_ids": ids[:2], "start": ms[:2], "end": ms[:2]}
    return LatencyProfile.model_validate(told)


def test_a_second_kit_times_all_that_could_be_on_the_front(digits_entry: Any, tmp_path: Path) -> None:
    """Then every member of the front was timed: a front by brute force has no other members."""
    space = digits_entry.space
    first = fitted(timed_profile(digits_entry, plan_sample(supernets.costs(digits_entry), 16)), digits_entry)
    assert first.settled is not None
    assert first.settled.objective == "accuracy"
    assert not first.settled.reached
    assert "a second kit" in said(first)
    with RunStore("sqlite://", tmp_path) as store:
        run_id = store.create_run("add_profile", {"supernet": "small"}, title="x")
        first.save(store.ledger(run_id))
        plan = plan_after(store, digits_entry, first.objective)
        with pytest.raises(NotFound, match="no profile called 'latency_ms"):
            plan_after(store, digits_entry, "latency_ms.Moon")
        ids = space.arch_ids(np.array(plan.archs))
        assert ids[:16] == list(first.profile.timings.arch_ids)
        assert 16 < len(ids) < space.size
        second = fitted(timed_profile(digits_entry, np.array(plan.archs)), digits_entry)
        assert second.settled is not None
        assert second.settled.chance < first.settled.chance
        assert second.settled.reached
        assert "a second kit" not in said(second)
        second.save(store.ledger(run_id))
        with pytest.raises(InvalidInput, match="nothing to add"):
            plan_after(store, digits_entry, second.objective)
    rows = space.array()
    whole = dict(zip(space.arch_ids(rows), timed_profile(digits_entry, rows).timings.ms, strict=True))
    table = supernets.table(digits_entry)
    assert table is not None
    table = table.assign(ms=table["arch_id"].map(whole))
    points = table[["accuracy", "ms"]].to_numpy(float)
    front = set(table["arch_id"][non_dominated(points, maximize=[True, False])])
    assert front <= set(ids)
