"""Who a log-in names: only what its provider vouches for, and not for longer than it counts."""

from __future__ import annotations

from typing import Any

import pytest

from core.people import NOBODY
from pages.ui.people.visitor import by_claims

NOW, HOURS = 1_800_000_000.0, 12 * 3600.0
CLAIMS: dict[str, Any] = {
    "is_logged_in": True,
    "iss": "https://login.example",
    "sub": "17",
    "iat": NOW - 60,
    "name": "Ann",
    "email": "Ann@example.org",
    "email_verified": True,
}


def test_a_person_is_the_subject_of_an_issuer() -> None:
    ann = by_claims(CLAIMS, NOW, HOURS)
    assert (ann.id, ann.name, ann.known) == ("https://login.example#17", "Ann", "openid")
    assert ann.keys == ("https://login.example#17", "ann@example.org")
    assert by_claims({**CLAIMS, "iss": "https://other.example"}, NOW, HOURS).id != ann.id


@pytest.mark.parametrize("verified", [False, None, "true", 1])
def test_an_address_that_is_not_verified_names_nobody(verified: object) -> None:
    assert by_claims({**CLAIMS, "email_verified": verified}, NOW, HOURS).keys == ("https://login.example#17",)


@pytest.mark.parametrize(
    "change",
    [
        {"is_logged_in": False},
        {"is_logged_in": "yes"},
        {"is_logged_in": None},
        {"iss": ""},
        {"iss": None},
        {"sub": ""},
        {"sub": 17},
        {"iat": None},
        {"iat": "1800000000"},
        {"iat": NOW - HOURS},
        {"iat": NOW - HOURS - 1},
        {"iat": NOW + 3600},
        {"iat": float("nan")},
    ],
)
def test_what_is_no_log_in_or_an_old_one_is_nobody(change: dict[str, Any]) -> None:
    assert by_claims({**CLAIMS, **change}, NOW, HOURS) == NOBODY


def test_nothing_is_nobody() -> None:
    assert by_claims({}, NOW, HOURS) == NOBODY
    assert by_claims({"email": "test@example.com"}, NOW, HOURS) == NOBODY


@pytest.mark.parametrize(
    ("groups", "kept"),
    [(["lab", 3, None, "heads"], ("lab", "heads")), ("lab", ()), (None, ()), ({"lab": 1}, ())],
)
def test_groups_are_a_list_of_names(groups: object, kept: tuple[str, ...]) -> None:
    assert by_claims({**CLAIMS, "groups": groups}, NOW, HOURS).groups == kept
