"""What the Similarity page shows: two models, a pair of layers, how activations are taken, which samples.

All of it is in the address, so a link reproduces the view; what stands in an address is a stranger's text
and is checked here, without ever failing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.library.activations import ProbeChoice
from core.library.network_id import is_network_id
from core.library.networks import MOST_MODELS, ModelInfo
from core.networks.poolings import POOLINGS
from core.similarity.base import MEASURES

DEFAULT_MEASURE = "cka"
_LAYER = re.compile(r"[A-Za-z0-9_.]{1,60}")
_TAB = re.compile(r"[A-Za-z ]{1,30}")
_LONGEST = 600


@dataclass(frozen=True)
class Compared:
    """What every panel of the page is given.

    Attributes:
        a, b: the two models compared.
        models: all models chosen, `a` and `b` first.
        layer_a, layer_b: ids of the selected pair of layers.
        pooling: see `core.networks.capture`.
        inside: whether layers inside the stages are shown too.
        probe: which samples.
        samples: ids of the samples selected on a chart.
        measure: registry name of the measure shown.
        config: its settings that differ from the defaults.
        tab: the open panel, "" for the first.
    """

    a: ModelInfo
    b: ModelInfo
    models: tuple[ModelInfo, ...]
    layer_a: str
    layer_b: str
    pooling: str
    inside: bool
    probe: ProbeChoice
    samples: tuple[int, ...] = ()
    measure: str = DEFAULT_MEASURE
    config: tuple[tuple[str, Any], ...] = ()
    tab: str = ""


@dataclass(frozen=True)
class Asked:
    """The view as an address states it; every field may be missing ("")."""

    models: tuple[str, ...] = ()
    a: str = ""
    b: str = ""
    measure: str = DEFAULT_MEASURE
    pooling: str = "pooled"
    inside: bool = False
    layer_a: str = ""
    layer_b: str = ""
    probe: ProbeChoice = ProbeChoice()  # noqa: RUF009 - frozen
    config: tuple[tuple[str, Any], ...] = ()
    tab: str = ""


def parse(params: Mapping[str, str | Sequence[str]]) -> Asked:
    """The view that query parameters describe; what does not fit is left out."""
    models = tuple(dict.fromkeys(m for m in _text(params, "models").split(",") if is_network_id(m)))[
        :MOST_MODELS
    ]
    measure, pooling = _text(params, "measure"), _text(params, "pooling")
    a, b = _text(params, "a"), _text(params, "b")
    return Asked(
        models,
        a if a in models else "",
        b if b in models else "",
        measure if measure in MEASURES.names() else DEFAULT_MEASURE,
        pooling if pooling in POOLINGS else "pooled",
        _text(params, "inside") == "1",
        *(text if _LAYER.fullmatch(text := _text(params, key)) else "" for key in ("la", "lb")),
        _probe(params),
        _config(measure, _text(params, "set")),
        text if _TAB.fullmatch(text := _text(params, "tab")) else "",
    )


def format_view(view: Compared) -> dict[str, str]:
    """The query parameters of a view; defaults are left out."""
    default = ProbeChoice()
    values = {
        "models": ",".join(m.model_id for m in view.models),
        "a": view.a.model_id,
        "b": view.b.model_id,
        "measure": view.measure if view.measure != DEFAULT_MEASURE else "",
        "pooling": view.pooling if view.pooling != "pooled" else "",
        "inside": "1" if view.inside else "",
        "la": view.layer_a,
        "lb": view.layer_b,
        "set": ";".join(f"{name}:{value}" for name, value in view.config),
        "tab": view.tab,
        "split": view.probe.split if view.probe.split != default.split else "",
        "n": str(view.probe.n) if view.probe.n != default.n else "",
        "seed": str(view.probe.seed) if view.probe.seed != default.seed else "",
    }
    return {key: value for key, value in values.items() if value}


def _text(params: Mapping[str, str | Sequence[str]], key: str) -> str:
    value = params.get(key, "")
    text = value if isinstance(value, str) else (str(value[-1]) if value else "")
    return text[:_LONGEST]


def changed_config(measure: str, config: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    """Settings of a measure that differ from its defaults, sorted."""
    default = MEASURES.get(measure).Config().model_dump()
    return tuple(sorted((name, value) for name, value in config.items() if default.get(name) != value))


def _config(measure: str, text: str) -> tuple[tuple[str, Any], ...]:
    """Settings as written in an address; a setting that does not fit makes all of them the defaults."""
    if measure not in MEASURES.names() or not text:
        return ()
    given = dict(part.split(":", 1) for part in text.split(";") if ":" in part)
    plugin = MEASURES.get(measure).Config
    try:
        return changed_config(measure, plugin.model_validate(given).model_dump())
    except ValueError:
        return ()


def _probe(params: Mapping[str, str | Sequence[str]]) -> ProbeChoice:
    wanted: dict[str, object] = {}
    if split := _text(params, "split"):
        wanted["split"] = split
    for key in ("n", "seed"):
        if (text := _text(params, key)).isdecimal() and len(text) < 10:
            wanted[key] = int(text)
    try:
        return ProbeChoice.model_validate(wanted)
    except ValueError:
        return ProbeChoice()
