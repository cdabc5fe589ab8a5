"""Links to what is not here: each page says what is missing and what there is, until somebody picks something."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

Open = Callable[..., AppTest]
FIRST, LAST = "subnet:digits-cnn:000000000000", "subnet:digits-cnn:311131113111"


def arrive(open_page: Open, page: str, **query: str) -> AppTest:
    """Open a page by a link, as a visitor who is there already."""
    app = open_page(page)
    for key, value in query.items():
        app.query_params[key] = value
    app.run()
    assert not app.exception, app.exception[0].message
    return app


def said(app: AppTest) -> str:
    return " ".join(e.value.replace("\\", "") for e in app.warning)


@pytest.mark.parametrize(
    ("page", "query", "words"),
    [
        (
            "front",
            {"supernet": "no-such-net"},
            ("supernet no-such-net", "There are digits-cnn, digits-lesson and fashion-cnn."),
        ),
        ("search", {"supernet": "no-such-net"}, ("supernet no-such-net", "digits-lesson and fashion-cnn")),
        ("front", {"supernet": "../etc"}, ("supernet ../etc", "digits-cnn")),
        ("front", {"supernet": "digits-cnn", "run": "0" * 32}, ("search 0000",)),
        ("search", {"supernet": "digits-cnn", "run": "0" * 32}, ("search 0000",)),
        ("front", {"sid": "999"}, ("subnet 999", "knee")),
        ("front", {"x": "beauty"}, ("axis beauty", "Validation accuracy", "MACs")),
        ("front", {"x": "latency_ms"}, ("axis Latency", "Validation accuracy")),
        ("front", {"limits": "beauty>=3;macs<=50000"}, ("limit beauty>=3",)),
        ("front", {"pruned": "subnet:digits-cnn:9"}, ("pruned networks that are not here",)),
        (
            "similarity",
            {"models": f"{FIRST},subnet:no-such-net:000"},
            ("network subnet:no-such-net:000", "digits-cnn"),
        ),
        ("similarity", {"models": f"{FIRST},{LAST},nonsense"}, ("network nonsense",)),
        ("similarity", {"models": f"{FIRST},{LAST}", "measure": "taste"}, ("measure taste", "cka")),
        ("similarity", {"models": f"{FIRST},{LAST}", "tab": "Gossip"}, ("tab Gossip", "Units", "5 more")),
        (
            "similarity",
            {"models": f"{FIRST},{LAST}", "a": FIRST, "b": LAST, "la": "cellar", "lb": "stem"},
            ("layer cellar", "stem"),
        ),
        ("pruning", {"parent": "subnet:no-such-net:000"}, ("network subnet:no-such-net:000", "digits-cnn")),
        ("pruning", {"parent": FIRST, "model": f"pruned:{'0' * 32}:1"}, ("pruned network pruned:0000",)),
        ("pruning", {"parent": FIRST, "severity": "9"}, ("severity 9", "1 to 5")),
    ],
)
def test_what_is_missing_is_said_with_what_there_is(
    open_page: Open, page: str, query: dict[str, str], words: tuple[str, ...]
) -> None:
    app = arrive(open_page, page, **query)
    for word in words:
        assert word in said(app), said(app)


@pytest.mark.parametrize(
    "query", [{"y": "test_accuracy"}, {"x": "test_loss"}, {"limits": "test_accuracy>=0.9"}]
)
def test_a_link_that_chooses_by_test_data_says_that_nothing_does(
    open_page: Open, query: dict[str, str]
) -> None:
    app = arrive(open_page, "front", **query)
    assert "nothing is chosen by them" in said(app)
    labels = {"test_accuracy": "Test accuracy", "test_loss": "Test loss"}
    for axis in ("axis-x", "axis-y"):
        assert not set(labels.values()) & set(app.selectbox(key=axis).options)
    assert not [s for s in app.get("select_slider") if str(s.label).startswith("Test")]
    # Still shown, on the card.
    assert "Test accuracy" in " ".join(e.proto.body for e in app.get("html"))


def test_it_is_gone_with_the_next_pick(open_page: Open) -> None:
    app = arrive(open_page, "front", supernet="no-such-net", x="params")
    assert app.selectbox(key="axis-x").value == "params", "what can be kept is"
    app.run()
    assert said(app), "it stays until somebody picks something"
    app.selectbox(key="axis-x").set_value("macs").run()
    app.run()
    assert not app.exception
    assert not said(app)


def test_a_link_that_can_be_kept_says_nothing(open_page: Open) -> None:
    assert not said(
        arrive(open_page, "front", supernet="digits-cnn", x="params", y="accuracy", limits="macs<=50000")
    )
    assert not said(arrive(open_page, "similarity", models=f"{FIRST},{LAST}", a=FIRST, b=LAST, measure="rsa"))
