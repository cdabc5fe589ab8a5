"""The file of people: who gets which role, and that no mistake in it gives anybody more."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.errors import InvalidInput
from core.people import MACHINE, NOBODY, Role
from core.people.person import LONGEST_ID, known_by
from core.people.policy import PolicyReader, parse
from core.people.rights import Quotas

FILE = b"""
default = "look"
help = "Ann"

[people]
"Ann@Example.org" = "administer"
"bob" = { role = "run", running = 1, hours_per_day = 0.5 }
"gone" = "none"

[groups.lab]
role = "run"
people = ["cleo@example.org"]
waiting = 7

[groups.heads]
role = "administer"

[quotas]
waiting = 5
gigabytes = 2
"""


def person(identity: str, email: str = "", groups: tuple[str, ...] = ()):  # type: ignore[no-untyped-def]
    return known_by("openid", identity, "Name", email=email, groups=groups)


@pytest.mark.parametrize(
    ("who", "role"),
    [
        (MACHINE, Role.ADMINISTER),
        (NOBODY, Role.NONE),
        (person("iss#1"), Role.LOOK),
        (person("iss#1", "ann@example.org"), Role.ADMINISTER),
        (person("iss#1", "ANN@example.ORG"), Role.ADMINISTER),
        (person("bob"), Role.RUN),
        (person("Bob"), Role.LOOK),
        (person("gone"), Role.NONE),
        (person("iss#1", "cleo@example.org"), Role.RUN),
        (person("iss#2", groups=("lab",)), Role.RUN),
        (person("iss#2", groups=("lab", "heads")), Role.ADMINISTER),
        (person("iss#2", groups=("elsewhere",)), Role.LOOK),
        (person("gone", groups=("heads",)), Role.NONE),
        (person("bob", "ann@example.org"), Role.RUN),
        (person("iss#3", "аnn@example.org"), Role.LOOK),
    ],
)
def test_what_names_a_person_counts_before_groups_and_these_before_the_default(who, role) -> None:  # type: ignore[no-untyped-def]
    assert parse(FILE).rights(who).role is role


def test_own_limits_count_before_those_of_everybody_and_administrators_have_none() -> None:
    policy = parse(FILE)
    assert policy.rights(person("bob")).quotas == Quotas(5, 1, 2.0, 0.5)
    assert policy.rights(person("x", groups=("lab",))).quotas == Quotas(7, None, 2.0, None)
    assert policy.rights(person("x")).quotas == Quotas(5, None, 2.0, None)
    assert policy.rights(person("x", "ann@example.org")).quotas == Quotas()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b'default = "administer"',
        b'default = "root"',
        b'unknown = "run"\ndefault = "look"',
        b'default = "look"\n[people]\n"a" = "boss"',
        b'default = "look"\n[people]\n"a" = 3',
        b'default = "look"\n[people]\n"a" = { role = "run", running = 0 }',
        b'default = "look"\n[people]\n"a" = { role = "run", runing = 1 }',
        b'default = "look"\n[people]\n"a@b" = "run"\n"A@b" = "administer"',
        b'default = "look"\n[quotas]\nwaiting = true',
        b'default = "look"\n[quotas]\ngigabytes = nan',
        b'default = "look"\n[quotas]\ngigabytes = inf',
        b'default = "look"\nadmin = "x"',
        b'default = "look"\n[people\n',
        b"\xff\xfe",
        b"x = " + b"[" * 50_000,
        b'default = "look"\n' + b"# line\n" * 1_000_000,
    ],
)
def test_what_cannot_be_meant_is_one_sentence_and_gives_nobody_a_right(data: bytes, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse(data)
    assert len(str(caught.value)) < 500
    assert "\n" not in str(caught.value)
    path = tmp_path / "people.toml"
    path.write_bytes(data)
    began = time.perf_counter()
    policy = PolicyReader().policy(path)
    assert time.perf_counter() - began < 2
    assert policy.wrong
    for who in (NOBODY, person("a"), person("x", "ann@example.org", ("heads",))):
        assert policy.rights(who).role is Role.NONE


@given(st.binary(max_size=300) | st.text(max_size=200).map(lambda text: FILE + text.encode(errors="replace")))
def test_any_bytes_are_a_policy_or_a_sentence(data: bytes) -> None:
    try:
        policy = parse(data)
    except InvalidInput:
        return
    assert policy.default is not Role.ADMINISTER
    assert policy.unknown <= Role.LOOK


def test_a_change_counts_within_seconds_and_a_broken_one_takes_all_rights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.people.policy._LOOK_SECONDS", 0.0)
    path, reader, ann = tmp_path / "people.toml", PolicyReader(), person("1", "ann@example.org")
    assert "cannot be read" in reader.policy(path).wrong
    path.write_bytes(FILE)
    assert reader.policy(path).rights(ann).role is Role.ADMINISTER
    path.write_bytes(FILE.replace(b"administer", b"run"))
    assert reader.policy(path).rights(ann).role is Role.RUN
    path.write_bytes(FILE[:-40] + b"[[[")
    assert reader.policy(path).rights(ann).role is Role.NONE
    path.write_bytes(FILE)
    assert reader.policy(path).rights(ann).role is Role.ADMINISTER
    path.unlink()
    assert reader.policy(path).rights(ann).role is Role.NONE


@pytest.mark.slow
def test_the_file_is_looked_at_once_a_second(tmp_path: Path) -> None:
    path, reader, ann = tmp_path / "people.toml", PolicyReader(), person("1", "ann@example.org")
    path.write_bytes(FILE)
    assert reader.policy(path).rights(ann).role is Role.ADMINISTER
    path.write_bytes(FILE.replace(b"administer", b"run"))
    deadline = time.monotonic() + 5
    while reader.policy(path).rights(ann).role is not Role.RUN:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_long_identity_is_shortened_without_making_two_people_one() -> None:
    one, two = (known_by("openid", "i" * 5000 + each) for each in "ab")
    assert one.id != two.id
    assert len(one.id) <= LONGEST_ID
    assert known_by("proxy", "") == NOBODY
