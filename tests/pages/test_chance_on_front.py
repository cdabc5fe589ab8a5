"""How sure the front is, on the page: at once where it is known, later where it is computed, never in a chart's way."""

from __future__ import annotations

import dataclasses
import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from core.library import chance, correct, supernets
from core.library.chance import FrontChance
from tests.pages.test_front_page import chart, click, html_of, traces

Open = Callable[..., AppTest]
ENTRY = "digits-cnn"


@pytest.fixture(scope="module")
def known() -> FrontChance:
    entry = supernets.find(None, ENTRY)
    found = chance.known_chance(entry, entry.revision, ("macs", "accuracy"))
    assert isinstance(found, FrontChance)
    return found


def tab(app: AppTest, name: str) -> AppTest:
    app.session_state["front-tabs"] = name
    app.run()
    assert not app.exception
    return app


def test_the_first_chart_is_drawn_with_it_and_computes_nothing(
    open_page: Open, known: FrontChance, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("computed before the page was drawn")

    for module, name in ((chance, "compute_chance"), (correct, "parse_bits")):
        monkeypatch.setattr(module, name, never)
    app = open_page("front")
    drawn = traces(app)
    sizes = dict(zip(drawn["front"]["customdata"], drawn["front"]["marker"]["size"], strict=True))
    order = sorted(known.members, key=lambda member: known.share[member])
    assert sizes[order[0]] < sizes[order[-1]] / 2
    assert [sizes[i] for i in order] == sorted(sizes.values())
    names = [trace["name"] for trace in app_data(app)]
    assert names.index("sure steps") < names.index("front")
    assert len(drawn["sure steps"]["x"]) == len(known.steps) + 1
    assert "in 100 % of resamples" in "".join(drawn["front"]["text"])
    told = html_of(app)
    assert re.search(r"Of these 22 members about \d+ would be on the front of another 359 images", told)
    assert "95 % intervals (Wilson) for 359 validation and 359 test images" in told


def app_data(app: AppTest) -> list[dict[str, Any]]:
    import json

    return list(json.loads(chart(app).spec)["data"])


def test_the_card_says_where_the_accuracy_lies_and_links_what_is_as_good_and_cheaper(
    open_page: Open, known: FrontChance
) -> None:
    app = open_page("front")
    member = known.members[-1]
    click(app, member)
    told = html_of(app)
    assert "<small>97.6 to 99.7 %</small>" in told
    assert "On the front in" in told
    assert "Expect 98" in told
    cheaper = known.cheaper[member]
    assert "do not tell them apart" in told
    app.button(key="neighbor-As good and cheaper").click().run()
    assert app.session_state["sel_id"] == cheaper.arch_id
    click(app, known.members[0])
    assert "neighbor-As good and cheaper" not in [button.key for button in app.button]


def test_whiskers_on_request(open_page: Open) -> None:
    app = open_page("front")
    assert "error_y" not in traces(app)["front"]
    app.toggle(key="log-whiskers").set_value(True).run()
    bars = traces(app)["front"]["error_y"]
    assert bars["symmetric"] is False
    assert len(bars["array"]) == 22
    assert min(bars["array"]) > 0
    assert min(bars["arrayminus"]) > 0


def test_the_table_of_chance_and_the_way_to_a_sure_step(open_page: Open, known: FrontChance) -> None:
    app = tab(open_page("front"), "How sure")
    told = html_of(app)
    for heading in ("accuracy (95 %)", "in resamples", "on others", "expect (90 %)", "as good and cheaper"):
        assert heading in told
    assert told.count(">sure<") == len(known.steps)
    app.selectbox(key="pick-sure-step").set_value(known.steps[2]).run()
    assert app.session_state["sel_id"] == known.steps[2]
    assert any("of the resamples" in caption.value for caption in app.caption)


def test_two_subnets_are_compared_on_the_same_images(open_page: Open, known: FrontChance) -> None:
    app = tab(open_page("front"), "Compare")
    other = app.selectbox(key="compare-with").value
    here = app.session_state["sel_id"]
    test = correct.paired_test(supernets.find(None, ENTRY), other, here)
    assert test is not None
    said = " ".join(each.value for each in app.markdown).replace("\\", "")
    assert f"the other subnet alone gets {test.only_a} right, this one alone {test.only_b}" in said
    assert "McNemar's exact test" in said
    assert "359 test images" in said


@pytest.mark.slow
def test_another_axis_is_computed_after_the_page_is_there(open_page: Open) -> None:
    chance._chances.clear()
    app = open_page("front", x="params", y="accuracy")
    assert "is being computed from the images" in html_of(app)
    assert "sure steps" not in traces(app)
    app.run()  # what a second later happens in a browser
    for _ in range(100):
        if "would be on the front" in html_of(app):
            break
        time.sleep(0.2)
        app.run()
    assert "would be on the front of another 359 images" in html_of(app)
    assert "sure steps" in traces(app)


def test_a_front_without_an_accuracy_says_nothing(open_page: Open) -> None:
    app = open_page("front", x="macs", y="loss")
    assert "would be on the front" not in html_of(app)
    assert "being computed" not in html_of(app)
    assert any("fronts of an accuracy" in each.value for each in tab(app, "How sure").caption)


def test_a_table_of_an_earlier_release_says_so_and_can_be_measured_again(
    open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = dataclasses.replace(supernets.find(None, ENTRY), read_bits=None, origin="trained")
    monkeypatch.setattr("core.library.supernets.entries", lambda store=None: [old])
    app = open_page("front")
    app.run()
    for _ in range(50):
        if "was not kept" in html_of(app):
            break
        time.sleep(0.1)
        app.run()
    assert "Measure every subnet again to know it." in html_of(app)
    assert "92.2 to 96.8 %" in html_of(app), "a single accuracy has its interval all the same"
    asked: list[Any] = []
    monkeypatch.setattr("pages.ui.supernets.measuring.submit", lambda *args, **kwargs: asked.append(args))
    app.button(key="measure-again").click().run()
    assert asked == [("evaluate_table", {"supernet": ENTRY})]


def test_the_neighborhood_is_measured_on_more_images_where_there_are_more(
    open_page: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = tab(open_page("front"), "How sure")
    assert "measure-closer" not in [button.key for button in app.button], "digits has no more images"
    app = tab(open_page("front", supernet="fashion-cnn"), "How sure")
    asked: list[Any] = []
    monkeypatch.setattr("pages.ui.front.closer_measured.submit", lambda *args, **kwargs: asked.append(args))
    app.button(key="measure-closer").click().run()
    [(kind, params)] = asked
    assert kind == "measure_closer"
    entry = supernets.find(None, "fashion-cnn")
    shipped = chance.known_chance(entry, entry.revision, ("macs", "accuracy"))
    assert isinstance(shipped, FrontChance)
    assert set(shipped.members) < set(params["archs"])
    assert len(params["archs"]) < 400
    assert any("images are harder" in each.value for each in app.warning), "and the test images differ"
