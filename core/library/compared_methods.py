"""The methods of a comparison of trainings: what each is called, and how a form or a command asks for them. No torch."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field, field_validator

from core.config import BaseConfig, JsonObject, Settings
from core.training.strategies import STRATEGIES


class Method(BaseConfig):
    """One way to train."""

    strategy: str = Field(description="Which subnets each step trains.")
    settings: Settings = Field(default_factory=dict, description="The strategy's own settings.")
    training: Settings = Field(
        default_factory=dict,
        description="Settings of the training that belong to it, instead of those of all.",
    )

    @field_validator("strategy")
    @classmethod
    def _exists(cls, name: str) -> str:
        return STRATEGIES.info(name).name


def labels(methods: Sequence[Method]) -> list[str]:
    """What each method is called; settings are named where a strategy takes part twice."""
    names = [STRATEGIES.info(m.strategy).label for m in methods]
    return [
        name if names.count(name) == 1 else f"{name} ({_told(method) or 'as it is'})"
        for name, method in zip(names, methods, strict=True)
    ]


def _told(method: Method) -> str:
    defaults = STRATEGIES.get(method.strategy).Config().model_dump(mode="json")
    changed = {n: v for n, v in method.settings.items() if defaults.get(n) != v}
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in changed.items())


def asked_of(
    training: JsonObject,
    strategies: Sequence[str],
    *,
    seeds: int,
    budget: str = "steps",
    subnets: int = 600,
    processes: int = 1,
    settings: Mapping[str, Settings] | None = None,
    title: str = "",
) -> Settings:
    """The request of a comparison, as a form or a command puts it together.

    Args:
        training: the request of a training (`core.workflows.train_supernet`) of which every method changes the strategy;
            its seed is the first one.
        strategies: names.
        seeds: of each.
        budget: "steps" or "passes".
        subnets: measured of every supernet.
        processes: that train.
        settings: strategy -> its settings, where they are not the usual ones. What a strategy suggests for its training
            (`Strategy.suggests`) it gets.
        title: what it is called.
    """
    shared: Any = training["training"]
    methods = [
        {
            "strategy": name,
            "settings": (settings or {}).get(name, {}),
            "training": STRATEGIES.get(name).suggests,
        }
        for name in strategies
    ]
    return {
        "title": title or f"{len(methods)} trainings of {training['title']}"[:80],
        "family": training["family"],
        "config": training["config"],
        "data": training["data"],
        "training": shared,
        "methods": methods,  # type: ignore[dict-item]
        "seeds": seeds,
        "seed": shared.get("seed", 0),
        "budget": budget,
        "subnets": subnets,
        "processes": processes,
        "command": "" if settings else _command(str(training["command"]), strategies, seeds, budget, subnets),
    }


def _command(training: str, strategies: Sequence[str], seeds: int, budget: str, subnets: int) -> str:
    """The command that starts the comparison, from the one that starts a training."""
    rest = re.sub(r" --method \S+", "", training)
    told = f"--compare {','.join(strategies)} --seeds {seeds} --budget {budget} --subnets {subnets}"
    return f"{rest} {told}" if rest else ""
