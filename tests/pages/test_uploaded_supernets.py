"""Supernet files from visitors: what the page says about them, and that their cards break no page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from core.library import supernets
from pages.ui import resources

pytestmark = pytest.mark.usefixtures("checked_here")
Open = Callable[..., AppTest]


@pytest.fixture(scope="module")
def small() -> Callable[[Any], bytes]:
    """The file of a small supernet with this card."""
    from core.supernets.files import build, dump_supernet

    net = build("elastic_cnn", {"groups": [{"widths": [2, 4], "depths": [1], "kernels": [3]}]})
    return lambda card: dump_supernet(net, card)


def choose(app: AppTest, name: str, data: bytes) -> AppTest:
    return app.file_uploader(key="supernet-upload").upload(name, data, "application/octet-stream").run()


def name_field(app: AppTest) -> Any:
    [field] = [f for f in app.text_input if f.key and f.key.startswith("supernet-upload-name")]
    return field


def test_adding_is_confirmed_once_and_adds_once(open_page: Open, small: Callable[[Any], bytes]) -> None:
    app = choose(open_page("supernets"), "mine.safetensors", small({"data": {"name": "digits"}}))
    app.button(key="supernet-add").click().run()
    assert not app.exception
    assert "**mine** is in the library" in " ".join(e.value for e in app.success)
    app.button(key="supernet-add").click().run()
    assert not app.success
    assert "in the library already, as **mine**" in " ".join(e.value for e in app.info)
    [kept] = resources.store().list_supernets()
    assert kept.name == "mine"
    links = [e.proto for e in app.get("page_link") if e.proto.label == "Open it on the Front page"]
    assert [link.query_string for link in links] == [f"supernet={kept.supernet_id}"]


def test_the_name_is_that_of_the_file_just_chosen(open_page: Open, small: Callable[[Any], bytes]) -> None:
    app = choose(open_page("supernets"), "first.safetensors", small({"seed": 1}))
    assert name_field(app).value == "first"
    name_field(app).set_value("my own name").run()
    app = choose(app, "second.safetensors", small({"seed": 2}))
    assert name_field(app).value == "second"
    app.button(key="supernet-add").click().run()
    assert [kept.name for kept in resources.store().list_supernets()] == ["second"]


@pytest.mark.slow
@pytest.mark.parametrize(
    "card",
    [
        {"data": ["digits"], "seed": {}, "title": 5},
        {"data": {"name": "digits", "config": [], "seed": "0"}, "training": 7},
        {"data": {"name": "digits", "config": {"seed": 1}, "seed": 1e400}},
        {"data": {"name": "images", "config": {"path": "/etc/passwd"}}},
    ],
    ids=["all wrong", "data wrong", "a setting that is none", "a file of the server"],
)
def test_a_card_of_the_wrong_kind_breaks_no_page(
    card: dict[str, Any], open_page: Open, small: Callable[[Any], bytes]
) -> None:
    app = choose(open_page("supernets"), "odd.safetensors", small(card))
    app.button(key="supernet-add").click().run()
    assert not app.exception
    [kept] = resources.store().list_supernets()
    space = supernets.find(resources.store(), kept.supernet_id).space
    first, second = (f"subnet:{kept.supernet_id}:{arch_id}" for arch_id in space.arch_ids(space.array())[:2])
    for page, query in (
        ("front", {"supernet": kept.supernet_id}),
        ("search", {"supernet": kept.supernet_id}),
        ("similarity", {"models": f"{first},{second}", "a": first, "b": second}),
        ("pruning", {"parent": first}),
        ("runs", {}),
    ):
        app = open_page(page)
        for key, value in query.items():
            app.query_params[key] = value
        app.run()
        assert not app.exception, app.exception[0].message
