"""Text on the Front page: two subnets side by side, the same for the same seed, refused in a sentence, kept until another is picked."""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.library import supernets
from core.library.writing import Ask, write
from core.store import RunStore
from tests.helpers.small_decoder import add_decoder

pytestmark = pytest.mark.slow

Open = Callable[..., AppTest]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    home = tmp_path_factory.mktemp("home")
    with RunStore(f"sqlite:///{home / 'paretoscope.db'}", home) as store:
        supernet = add_decoder(store)
    return home, supernet


@pytest.fixture
def here(made: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("PARETOSCOPE_HOME", str(made[0]))
    return made[1]


def opened(open_page: Open, supernet: str, **query: str) -> AppTest:
    app = open_page("front", supernet=supernet, **query)
    app.session_state["front-tabs"] = "Write text"
    app.run()
    assert not app.exception, app.exception[0].message
    return app


def texts(app: AppTest) -> list[str]:
    [pair] = [e.proto.body for e in app.get("html") if '<div class="ps-written-pair">' in e.proto.body]
    return re.findall(r"<p dir=\"auto\">(.*?)</p>", pair, re.DOTALL)


def test_a_language_model_starts_with_perplexity_and_memory(open_page: Open, here: str) -> None:
    app = open_page("front", supernet=here)
    assert app.selectbox(key="axis-y").value == "perplexity"
    assert app.selectbox(key="axis-x").value == "memory_bytes"
    assert app.select_slider(key="memory-context").value == 2048


def test_both_texts_are_what_the_engine_writes(open_page: Open, here: str) -> None:
    app = opened(open_page, here, sid="000")
    assert texts(app) == ["&nbsp;", "&nbsp;"]
    app.text_area(key=f"generation-prompt-{here}").set_value("You <b>may</b> copy").run()
    app.number_input(key=f"generation-tokens-{here}").set_value(12).run()
    app.button(key="generation-start").click().run()
    assert not app.exception, app.exception[0].message
    from pages.ui import resources

    entry = supernets.find(resources.store(), here)
    ask = Ask(prompt="You <b>may</b> copy", tokens=12)
    *_, expected = write(entry, [entry.space.from_id("000"), entry.reference], ask)
    found = texts(app)
    for text, written in zip(found, expected, strict=True):
        assert "<b>" not in text, "what was written is text, not HTML"
        assert html.unescape(re.sub(r"</?span>", "", text)) == written.prompt + written.text
    said = " ".join(e.proto.body for e in app.get("html")) + " ".join(m.value for m in app.markdown)
    assert "12 tokens" in said
    assert "per token" in said
    assert "with the KV cache in use" in re.sub(r"<[^>]*>", "", said)


def test_what_was_written_stays_until_another_is_picked(open_page: Open, here: str) -> None:
    app = opened(open_page, here, sid="000")
    app.number_input(key=f"generation-tokens-{here}").set_value(5).run()
    app.button(key="generation-start").click().run()
    before = texts(app)
    app.button(key="generation-stop").click().run()
    assert texts(app) == before != ["&nbsp;", "&nbsp;"]
    app.selectbox(key="pick-subnet").set_value(
        app.selectbox(key="pick-subnet").options[-1].split(" · ")[-1]
    ).run()
    assert set(texts(app)) == {"&nbsp;"}


def test_an_empty_prompt_waits(open_page: Open, here: str) -> None:
    app = opened(open_page, here)
    app.text_area(key=f"generation-prompt-{here}").set_value("  ").run()
    assert app.button(key="generation-start").disabled


def test_other_networks_write_nothing(open_page: Open) -> None:
    app = open_page("front", supernet="digits-cnn")
    assert "Write text" not in [tab.label for tab in app.tabs]
