"""Similarity and Pruning with networks that read texts: layers, units, heads and token noise; the rest is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from core.errors import InvalidInput
from core.library.benchmarks import require_benchmarks
from core.store import RunStore
from core.views.pruning import columns, pruning_view
from core.workflows import prune_models, train_supernet
from pages.ui.similarity.panels import refusal
from tests.pages.test_other_data import SMALL, finished

SIZES = {"widths": [4, 8], "depths": [1, 2], "heads": [1, 3], "mlp_ratios": [1, 2], "head_size": 4}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """(home, id) of a text encoder that was trained for an epoch."""
    path = tmp_path_factory.mktemp("texts")
    with RunStore(f"sqlite:///{path / 'paretoscope.db'}", path) as store:
        params: dict[str, Any] = train_supernet.preset_request("commands-encoder") | SMALL["commands-encoder"]
        params["config"] = SIZES
        params["training"] = {**params["training"], "epochs": 1, "batch_size": 32}
        return path, finished(store, "train_supernet", params, train_supernet)


@pytest.fixture
def shown(
    home: tuple[Path, str], monkeypatch: pytest.MonkeyPatch, open_page: Callable[..., AppTest]
) -> Callable[..., AppTest]:
    monkeypatch.setenv("PARETOSCOPE_HOME", str(home[0]))

    def open_tab(tab: str, **query: str) -> AppTest:
        ends = [f"subnet:{home[1]}:{arch}" for arch in (query.pop("smaller", "000000"), "111111")]
        query = {"models": ",".join(ends), "a": ends[0], "b": ends[1], "n": "80", **query}
        app = open_page("similarity", tab=tab, **query)
        assert not app.exception, app.exception[0].message
        assert not app.error
        return app

    return open_tab


def texts_of(app: AppTest) -> str:
    return " ".join(str(each.proto) for each in app.main)


@pytest.mark.parametrize("pooling", ["pooled", "positions"])
def test_heads_are_matched_by_text_and_by_token(shown: Callable[..., AppTest], pooling: str) -> None:
    said = texts_of(shown("Heads", pooling=pooling, la="1", lb="1"))
    assert "mean CKA, one to one" in said
    assert "none left" in said, "one head against three"
    assert ("pooled over" not in said) is (pooling == "positions")


def test_a_stage_without_heads_says_which_have_some(shown: Callable[..., AppTest]) -> None:
    app = shown("Heads", la="0", lb="1")
    assert [i.value for i in app.info if "has no attention heads" in i.value and "block 1" in i.value]


def test_samples_and_units_are_shown_as_texts(shown: Callable[..., AppTest]) -> None:
    for tab in ("Samples", "Units"):
        said = texts_of(shown(tab, la="1", lb="1"))
        assert "ps-text" in said
        assert "<img" not in said


def test_units_can_be_matched_token_by_token(shown: Callable[..., AppTest]) -> None:
    assert "mean correlation, one to one" in texts_of(shown("Units", pooling="positions", la="1", lb="1"))


@pytest.mark.parametrize("tab", ["Answers", "Collapse", "Matrix"])
def test_tabs_that_need_classes_work(shown: Callable[..., AppTest], tab: str) -> None:
    app = shown(tab, la="1", lb="1")
    assert not [each.value for each in app.info if "networks that read texts" in each.value]


@pytest.mark.parametrize("tab", ["Depth", "Complexity", "Mixing", "Equally good"])
def test_tabs_without_a_meaning_for_texts_say_why(shown: Callable[..., AppTest], tab: str) -> None:
    assert [each.value for each in shown(tab).info if each.value == refusal(tab, "tokens")]


def test_only_images_have_every_tab_and_language_has_no_classes() -> None:
    assert not any(refusal(tab, "image") for tab in ("Depth", "Samples", "Heads"))
    assert not any(refusal(tab, "tokens") for tab in ("Samples", "Answers", "Collapse", "Heads"))
    for tab in ("Samples", "Answers", "Collapse"):
        assert "every position is answered" in refusal(tab, "language")
    assert not refusal("Heads", "language")


# --- pruned ------------------------------------------------------------------------------------------

METHODS = [{"name": name, "sparsities": [0.5]} for name in ("magnitude", "l1_filters", "small_dense")]


@pytest.fixture(scope="module")
def pruned(home: tuple[Path, str]) -> str:
    """Id of the largest subnet, of which three networks were pruned; small dense ones are trained for an epoch too."""
    path, supernet = home
    model = f"subnet:{supernet}:111111"
    with RunStore(f"sqlite:///{path / 'paretoscope.db'}", path) as store:
        finished(
            store, "prune_models", {"model": model, "methods": METHODS, "tuning_epochs": 1}, prune_models
        )
        view = pruning_view(store, model)
    assert view is not None
    assert columns(view, 3) == ["clean", "token_drop@3", "token_swap@3"], "no pixel is attacked"
    assert {m.removes for m in view.pruned} == {"weights", "units"}
    assert not view.failures
    for each in view.models:
        assert view.accuracy(each.model_id, "clean") == pytest.approx(each.numbers["accuracy"])
    cut = next(m for m in view.pruned if m.method == "l1_filters")
    assert cut.numbers["params"] < 0.7 * view.parent.numbers["params"]
    return model


@pytest.mark.slow
@pytest.mark.parametrize(
    "tab", ["Geometry", "Map", "All angles", "Samples", "Accuracy", "Collapse", "Numbers"]
)
def test_pruned_text_encoders_are_shown(
    home: tuple[Path, str],
    pruned: str,
    monkeypatch: pytest.MonkeyPatch,
    open_page: Callable[..., AppTest],
    tab: str,
) -> None:
    monkeypatch.setenv("PARETOSCOPE_HOME", str(home[0]))
    app = open_page("pruning", parent=pruned, tab=tab, benchmark="token_drop@3")
    assert not app.exception, app.exception[0].message
    assert not app.error
    said = texts_of(app)
    assert "lost and swapped" in said
    assert "FGSM" not in said
    if tab in ("Geometry", "Samples"):
        assert "ps-text" in said
        assert "<img" not in said
    if tab == "Samples":
        assert "is asked of images" in said


def test_language_is_not_judged_by_class(home: tuple[Path, str]) -> None:
    with pytest.raises(InvalidInput, match="images or texts with classes"):
        require_benchmarks("language")
    for task in ("image", "tokens"):
        require_benchmarks(task)
