"""Widgets know the bounds of their fields: those of pydantic's own schema, for every form that the app has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, ValidationError

from core.attacks.base import ATTACKS
from core.datasets import DATASETS
from core.jobs.kinds import kinds, load_workflow
from core.pruning.criteria.base import CRITERIA
from core.pruning.experiments.base import EXPERIMENTS
from core.search import ALGORITHMS
from core.similarity.base import MEASURES
from core.supernets.families import FAMILIES
from core.training.config import TrainingConfig
from core.training.strategies import STRATEGIES
from pages.ui import forms

REGISTRIES = (ALGORITHMS, DATASETS, MEASURES, STRATEGIES, FAMILIES, EXPERIMENTS, CRITERIA, ATTACKS)


def models() -> Iterator[type[BaseModel]]:
    yield TrainingConfig
    for kind in kinds():
        yield load_workflow(kind).Request
    for registry in REGISTRIES:
        for name in registry.names():
            config = getattr(registry.get(name), "Config", None)
            if config is not None:
                yield config


def _schema_bounds(said: dict[str, Any]) -> list[tuple[Any, Any]]:
    """(smallest, largest) of every number that a field may be, as its JSON schema says."""
    found = []
    for each in said.get("anyOf", [said]):
        if each.get("type") in ("integer", "number"):
            low = each.get("minimum", each.get("exclusiveMinimum"))
            found.append((low, each.get("maximum", each.get("exclusiveMaximum"))))
    return found


def test_every_number_of_every_form_has_its_schemas_bounds() -> None:
    checked = 0
    for model in models():
        for name, said in model.model_json_schema().get("properties", {}).items():
            for expected in _schema_bounds(said):
                assert forms.bounds(model, name) == expected, f"{model.__module__} {name}"
                checked += expected != (None, None)
    assert checked > 60


class Config(BaseModel):
    """A form of each kind of number."""

    plain: int = 3
    open_low: float = Field(0.5, gt=0, lt=2)
    inside: int = Field(4, ge=2, le=9)
    maybe: int | None = Field(None, ge=1, le=5)


def test_bounds_of_a_field() -> None:
    found = {name: forms.bounds(Config, name) for name in Config.model_fields}
    assert found == {"plain": (None, None), "open_low": (0, 2), "inside": (2, 9), "maybe": (1, 5)}


@given(
    numbers=st.lists(st.integers(-(10**6), 10**6), max_size=8),
    gap=st.sampled_from([",", ", ", ";", " ", " ;\t"]),
)
def test_typed_numbers_are_read_as_typed(numbers: list[int], gap: str) -> None:
    typed = f" {gap.join(map(str, numbers))} "
    assert forms._numbers(typed, int) == numbers
    assert all(type(value) is int for value in forms._numbers(typed, int))
    assert forms._numbers(typed, float) == [float(value) for value in numbers]


@pytest.mark.parametrize("text", ["a", "1, b", "nan", "inf", "0x10", "1_000", "--1", "1e", "1,2,<b>"])
def test_what_is_no_number_is_left_to_the_config(text: str) -> None:
    assert forms._numbers(text, int) == text
    with pytest.raises(ValidationError):
        _Sizes.model_validate({"sizes": forms._numbers(text, int)})


class _Sizes(BaseModel):
    sizes: tuple[int, ...] = ()


def test_a_half_is_no_whole_number_but_a_thousand_may_be_written_short() -> None:
    assert _Sizes.model_validate({"sizes": forms._numbers("1e3 2", int)}).sizes == (1000, 2)
    with pytest.raises(ValidationError):
        _Sizes.model_validate({"sizes": forms._numbers("1.5", int)})


class _Outer(BaseModel):
    inner_part: Config = Config()
    way: Literal["a"] = "a"


@pytest.mark.parametrize(
    ("values", "start"),
    [
        ({"inner_part": {"inside": 1}}, "Inner part, Inside: "),
        ({"way": "b"}, "Way: "),
        (3, "Settings: "),
    ],
)
def test_a_complaint_names_the_place(values: Any, start: str) -> None:
    with pytest.raises(ValidationError) as caught:
        _Outer.model_validate(values)
    said = forms.complaint(caught.value)
    assert said.startswith(start)
    assert said.endswith(".")
    assert "\n" not in said


def test_a_number_field_starts_where_it_is_told_or_at_its_default(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[dict[str, Any]] = []
    monkeypatch.setattr(
        "streamlit.number_input",
        lambda label, **said: (seen.append({"label": label, **said}), said["value"])[1],
    )
    assert forms.field_number(Config, "inside", "Inside", key="k") == 4
    assert forms.field_number(Config, "inside", "Inside", key="k", value=3, help="h") == 3
    first, second = seen
    assert (first["value"], first["help"], first["key"]) == (4, None, "k")
    assert (second["value"], second["help"]) == (3, "h")
