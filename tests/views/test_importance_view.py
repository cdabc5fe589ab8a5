"""Importance of a real table, of one that a search made, and what a front's members share, in words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from core.library import supernets
from core.views import importance as view_module
from core.views.importance import SharedOption, importance_view, summary, told


@pytest.fixture(scope="module")
def entry() -> Any:
    return supernets.find(None, "digits-cnn")


def test_every_column_is_a_whole_and_costs_are_what_they_are(entry: Any) -> None:
    view = importance_view(entry, supernets.table(entry), ["accuracy", "macs"])
    assert [goal.name for goal in view.goals] == ["accuracy", "macs"]
    for found in view.found:
        assert found.main.sum() + found.pairs.sum() / 2 + found.rest == pytest.approx(1)
    macs = view.of("macs")
    # MACs do not know the third block's kernel where there is no third block: it matters least.
    assert set(np.array(macs.names)[np.argsort(macs.main)[-2:]]) == {"width1", "width2"}
    assert summary(view, "macs").startswith(
        "MACs: width1 50 %, width2 18 % and width3 8 % of the differences"
    )
    assert view.told == ()


def test_a_search_is_no_sample_but_what_is_counted_is_known_everywhere(entry: Any) -> None:
    table = supernets.table(entry)
    some = table.sample(300, random_state=0)
    view = importance_view(entry, some, ["accuracy", "macs"])
    assert [goal.name for goal in view.goals] == ["macs"]
    [sentence] = view.told
    assert "300 of 13,824" in sentence
    whole = importance_view(entry, table, ["macs"])
    np.testing.assert_allclose(view.found[0].main, whole.found[0].main)


def test_objectives_of_a_sample_of_a_huge_space_share_one_sentence(entry: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(view_module, "MOST_COUNTED", 1000)
    some = supernets.table(entry).sample(300, random_state=0)
    view = importance_view(entry, some, ["accuracy", "macs", "params"])
    assert view.goals == ()
    [sentence] = view.told
    assert sentence.startswith("Validation accuracy, MACs and Parameters are known of 300 of 13,824")


def test_a_value_that_is_missing_leaves_its_objective_out(entry: Any) -> None:
    table = supernets.table(entry).copy()
    table.loc[17, "accuracy"] = np.nan
    view = importance_view(entry, table, ["accuracy", "params"])
    assert [goal.name for goal in view.goals] == ["params"]
    assert "13,823 of 13,824" in view.told[0]


def test_predicted_values_say_whose_opinion_this_is(entry: Any) -> None:
    table = supernets.table(entry).assign(accuracy_source="measured")
    table.loc[:99, "accuracy_source"] = "predicted"
    [sentence] = importance_view(entry, table, ["accuracy"]).told
    assert "100 of 13,824 values are predicted" in sentence


def test_what_all_members_share_is_told_first() -> None:
    shared = [
        SharedOption("depth", "2", 1.0, 0.5),
        SharedOption("fixed", "1", 1.0, 1.0),
        SharedOption("width", "8", 0.9, 0.3),
        SharedOption("kernel", "3", 0.7, 0.6),
    ]
    assert told(shared, 10) == (
        "All 10 members of the front have depth 2. Most of them have width 8 (90 %; 30 % of all subnets)."
    )
    assert told(shared[3:], 10) == "No option is shared by all 10 members of the front."
    assert told(shared, 0) == ""
