"""One way to make any plug-in, and one base of settings."""

from __future__ import annotations

import importlib
from typing import Any

import pytest

from core.config import BaseConfig
from core.errors import InvalidInput, NotFound
from core.registry import ALL_REGISTRIES
from core.search import Problem
from core.search.base import ALGORITHMS
from core.similarity.base import MEASURES
from tests.helpers.planted import COST, QUALITY, small_space

for module in (
    "core.datasets.base",
    "core.supernets.families",
    "core.training.strategies",
    "core.training.losses",
    "core.networks.blocks.base",
    "core.export.base",
    "core.objectives.base",
    "core.pruning.criteria.base",
    "core.pruning.pruners.base",
    "core.pruning.experiments.base",
    "core.datasets.corruptions.base",
):
    importlib.import_module(module)

# A block is built from its sizes, an option from its place in a chain; a pruner that is a criterion is made by the criterion's class.
EVERY = [(r, n) for r in ALL_REGISTRIES.values() for n in r.names() if r.kind not in ("block", "option")]
GIVEN: dict[str, dict[str, Any]] = {
    "algorithm": {"problem": Problem(small_space(), (QUALITY, COST)), "seed": 0},
    "predictor": {"space": small_space(), "objective": QUALITY, "seed": 0},
}


@pytest.mark.parametrize(("registry", "name"), EVERY, ids=lambda v: getattr(v, "kind", v))
def test_every_plugin_is_made_by_the_registry_from_settings_of_one_base(registry: Any, name: str) -> None:
    made = registry.create(name, None, **GIVEN.get(registry.kind, {}))
    assert (made.name, type(made)) == (name, registry.get(name))
    assert isinstance(made.config, BaseConfig)
    with pytest.raises(InvalidInput, match="no_such_setting"):
        registry.create(name, {"no_such_setting": 1}, **GIVEN.get(registry.kind, {}))
    field = next(iter(type(made.config).model_fields), None)
    if field is not None:
        with pytest.raises(ValueError, match="frozen"):
            setattr(made.config, field, None)


def test_settings_may_be_given_as_fields_or_as_the_validated_settings() -> None:
    config = ALGORITHMS.config("nsga2", {"population": 12})
    made = [ALGORITHMS.create("nsga2", given, **GIVEN["algorithm"]) for given in (config, {"population": 12})]
    assert [each.batch_size for each in made] == [12, 12]
    assert made[0].config is config


def test_a_wrong_setting_is_one_sentence_with_the_methods_label() -> None:
    label = ALGORITHMS.info("nsga2").label
    with pytest.raises(InvalidInput, match=f"^{label}: population: .*greater than or equal to 2"):
        ALGORITHMS.create("nsga2", {"population": 1}, **GIVEN["algorithm"])


def test_an_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(NotFound, match="Did you mean 'procrustes'"):
        MEASURES.create("procrust")
