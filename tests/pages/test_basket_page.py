"""Baskets as a visitor uses them: put aside, kept, shared by link, renamed, removed, deleted, undone, taken home."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from core.store.baskets import Basket
from pages.ui import baskets, resources, setup
from pages.ui.basket import report

Open = Callable[..., AppTest]
A, B = "subnet:digits-cnn:311131113111", "subnet:fashion-cnn:000000000000"
GONE = "pruned:0123456789abcdef0123456789abcdef:3"


def kept() -> Any:
    return resources.store().baskets


def only_basket() -> Basket:
    [name] = kept().list()
    found: Basket = kept().get(name.basket_id)
    return found


def filled(*network_ids: str) -> str:
    basket_id: str = kept().create("For the lecture")
    for network_id in network_ids:
        kept().add(basket_id, network_id, f"title of {network_id}")
    return basket_id


def html_of(app: AppTest) -> str:
    return " ".join(e.proto.body for e in app.get("html"))


def said(app: AppTest) -> str:
    return " ".join(e.value for kind in (app.warning, app.markdown, app.caption, app.info) for e in kind)


def at_link(open_page: Open, basket_id: str) -> AppTest:
    app = open_page("basket")
    app.query_params["id"] = basket_id
    app.run()
    assert not app.exception
    return app


@pytest.fixture
def shared_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("PARETOSCOPE_ALLOWED_HOSTS", "class.example")
    return


def test_a_reload_and_another_visitor_find_what_was_added(open_page: Open) -> None:
    app = open_page("front")
    app.button(key="basket-add").click().run()
    assert not app.exception
    assert app.button(key="basket-add").disabled
    picked = f"subnet:digits-cnn:{app.session_state['sel_id']}"
    assert only_basket().network_ids == (picked,)
    st.cache_resource.clear()  # as after a restart of the server
    again = open_page("front")
    assert again.button(key="basket-add").disabled
    shown = open_page("basket")
    assert picked.split(":")[2] in html_of(shown)
    assert shown.selectbox(key="bk-basket").value == only_basket().basket_id


def test_two_visitors_who_fill_one_basket_lose_nothing(open_page: Open) -> None:
    one, two = open_page("front"), open_page("front", supernet="fashion-cnn")
    one.button(key="basket-add").click().run()
    two.run()
    other = one.selectbox(key="pick-subnet").options[2].split(" · ")[-1]
    one.selectbox(key="pick-subnet").set_value(other).run()
    one.button(key="basket-add").click()
    two.button(key="basket-add").click().run()
    one.run()
    owners = [network_id.split(":")[1] for network_id in only_basket().network_ids]
    assert sorted(owners) == ["digits-cnn", "digits-cnn", "fashion-cnn"]


def test_on_a_shared_server_nobody_fills_anothers_basket_unasked(
    open_page: Open, shared_server: None
) -> None:
    theirs = filled(A)
    app = open_page("front")
    app.button(key="basket-add").click().run()
    assert kept().get(theirs).network_ids == (A,)
    assert len(kept().list()) == 2
    linked = at_link(open_page, theirs)
    assert linked.selectbox(key="bk-basket").value == theirs


def test_the_table_has_headings_and_says_what_is_missing(open_page: Open) -> None:
    filled(A, B, GONE)
    app = open_page("basket")
    page = html_of(app)
    assert page.count('<th scope="row">') == 3
    for heading in ("Network", "Supernet", "Validation accuracy", "MACs"):
        assert f'<th scope="col">{heading}</th>' in page
    assert "99.4 %" in page
    assert "ps-gone" in page
    assert "is missing" in said(app)
    assert f"title of {GONE}".replace(":", r"\:") in said(app)


def test_remove_and_undo(open_page: Open) -> None:
    filled(A, B)
    app = open_page("basket")
    app.selectbox(key="bk-network").set_value(A).run()
    app.button(key="bk-remove").click().run()
    assert only_basket().network_ids == (B,)
    app.button(key="bk-undo-remove").click().run()
    assert only_basket().network_ids == (A, B)
    assert "bk-undo-remove" not in [b.key for b in app.button]


def test_delete_and_undo(open_page: Open) -> None:
    basket_id = filled(A)
    app = open_page("basket")
    app.button(key="bk-delete").click().run()
    assert not app.exception
    assert kept().list() == []
    assert "does not exist any more" not in said(app)
    app.button(key="bk-undo-delete").click().run()
    assert kept().get(basket_id).network_ids == (A,)
    assert app.selectbox(key="bk-basket").value == basket_id


def test_rename_and_make_another(open_page: Open) -> None:
    filled(A)
    app = open_page("basket")
    app.text_input(key="bk-name").set_value("Seminar <b>")
    app.button(key="bk-name-submit").click().run()
    assert only_basket().name == "Seminar <b>"
    app.text_input(key="bk-new-name").set_value("Second")
    app.button(key="bk-new-name-submit").click().run()
    assert not app.exception
    assert [b.name for b in kept().list()] == ["Second", "Seminar <b>"]
    assert "empty" in said(app)
    app.text_input(key="bk-name").set_value("   ")
    app.button(key="bk-name-submit").click().run()
    assert "Give the basket a name" in said(app)


def test_a_link_opens_its_basket_and_one_that_is_gone_is_said(open_page: Open) -> None:
    first, second = filled(A), filled(B)
    app = at_link(open_page, first)
    assert app.selectbox(key="bk-basket").value == first
    assert dict(app.query_params.items())["id"] in (first, [first])
    kept().delete(second)
    gone = at_link(open_page, second)
    assert "basket of this link does not exist any more" in said(gone)
    assert not gone.exception


def test_before_there_is_a_basket(open_page: Open) -> None:
    app = open_page("basket")
    assert "Add to basket" in said(app)
    assert not [b for b in app.get("download_button") if "report" in str(b)]


def test_a_basket_of_nothing_but_missing_networks(open_page: Open) -> None:
    filled(GONE)
    app = open_page("basket")
    assert "missing" in said(app)


def test_the_link_is_the_visitors_own_address(monkeypatch: pytest.MonkeyPatch) -> None:
    class Context:
        url = "https://lab.example.org/paretoscope/basket?old=1#part"

    monkeypatch.setattr(setup.st, "context", Context())
    assert setup.link_to({"id": "a b"}) == "https://lab.example.org/paretoscope/basket?id=a+b"
    Context.url = "http://127.0.0.1:8501"
    assert setup.link_to({"id": "x"}) == "http://127.0.0.1:8501/?id=x"


@pytest.mark.slow
def test_the_reports_are_made_on_click(open_page: Open) -> None:
    basket_id = filled(A, GONE)
    app = open_page("basket")
    store = resources.store()
    from core.views.basket import basket_view

    basket = kept().get(basket_id)
    view = basket_view(store, basket.items)
    made = report._maker(store, basket, view, "html", "http://h/basket?id=1")()
    assert b"For the lecture" in made
    assert b"http://h/basket?id=1" in made
    assert not app.exception


def test_without_a_store_nothing_can_be_put_aside(open_page: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    from core.errors import StorageFailed

    def broken() -> None:
        raise StorageFailed("The disk is full.")

    monkeypatch.setattr(resources, "store", broken)
    app = open_page("front")
    assert app.button(key="basket-add").disabled
    assert not open_page("basket").exception
    assert baskets.store() is None
