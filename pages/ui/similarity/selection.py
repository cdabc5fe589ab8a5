"""What the Similarity page shows: two models, a pair of layers, how activations are taken, which samples.

All of it is in the address, so a link reproduces the view; what stands in an address is a stranger's text
and is checked here, without ever failing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from core.library.activations import ProbeChoice
from core.library.network_id import is_network_id
from core.library.networks import ModelInfo
from core.networks.poolings import POOLINGS
from core.similarity.base import MEASURES
from pages.ui.address import FLAGS, NAME, TAB, matching, model_id, one_of, part, whole_number, write_flag

DEFAULT_MEASURE = "cka"
_LAYER = matching(r"[A-Za-z0-9_.]{1,60}")
_PLACE = matching(r"all|answers:[a-z0-9_]{1,40}|depth:(0|1|0\.[0-9]{1,3})|name:[A-Za-z0-9_. -]{1,60}")


MATRIX = "Matrix"
"""Label of the panel that shows many networks."""
ALIKE, CHOSEN = "alike", "chosen"


@dataclass(frozen=True)
class MatrixView:
    """What the Matrix panel shows.

    Attributes:
        networks: ids in the order chosen.
        place: "all", "answers:MEASURE", "depth:SHARE" or "name:STAGE".
        order: "alike" or "chosen".
    """

    networks: tuple[str, ...] = ()
    place: str = "depth:1"
    order: str = ALIKE


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
        matrix: the Matrix panel's part of the view.
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
    matrix: MatrixView = MatrixView()


def _models(text: str) -> tuple[str, ...]:
    """All of them: what is not shown is said on the page, not cut here."""
    return tuple(dict.fromkeys(m for m in text.split(",") if is_network_id(m)))


def _no_models(text: str) -> list[str]:
    return [m for m in text.split(",") if m and not is_network_id(m)]


def _settings(text: str) -> tuple[tuple[str, Any], ...]:
    return tuple(tuple(each.split(":", 1)) for each in text.split(";") if ":" in each)  # type: ignore[misc]


def _write_settings(config: Sequence[tuple[str, Any]]) -> str:
    return ";".join(f"{name}:{value}" for name, value in config)


_DEFAULT_PROBE = ProbeChoice()


@dataclass(frozen=True)
class Asked:
    """The view as an address states it; every field may be missing ("").

    Attributes:
        models: ids of the models chosen; `a` and `b` are two of them. A link may name more than are shown.
        matrix, place, order: see `MatrixView`.
        split, n, seed: of the probe.
        others: see `Compared`.
    """

    models: tuple[str, ...] = part(
        "models", _models, default=(), write=",".join, what="network", refused=_no_models
    )
    a: str = part("a", model_id, what="network")
    b: str = part("b", model_id, what="network")
    measure: str = part(
        "measure", one_of(MEASURES.names), default=DEFAULT_MEASURE, offers=lambda: MEASURES.names()
    )
    pooling: str = part(
        "pooling", one_of(lambda: tuple(POOLINGS)), default="pooled", offers=lambda: tuple(POOLINGS)
    )
    inside: bool = part("inside", FLAGS.get, default=False, write=write_flag)
    layer_a: str = part("la", _LAYER, what="layer")
    layer_b: str = part("lb", _LAYER, what="layer")
    config: tuple[tuple[str, Any], ...] = part("set", _settings, default=(), write=_write_settings)
    tab: str = part("tab", TAB)
    matrix: tuple[str, ...] = part("matrix", _models, default=(), write=",".join)
    place: str = part("place", _PLACE, default=MatrixView.place)
    order: str = part("order", one_of(lambda: (ALIKE, CHOSEN)), default=ALIKE)
    split: str = part("split", NAME, default=_DEFAULT_PROBE.split)
    n: int = part("n", whole_number(0, 10**9), default=_DEFAULT_PROBE.n)
    seed: int = part("seed", whole_number(0, 10**9), default=_DEFAULT_PROBE.seed)

    def checked(self) -> Asked:
        probe = self.probe
        return replace(
            self,
            a=self.a if self.a in self.models else "",
            b=self.b if self.b in self.models else "",
            config=_fitting(self.measure, self.config),
            split=probe.split,
            n=probe.n,
            seed=probe.seed,
        )

    @property
    def probe(self) -> ProbeChoice:
        """Which samples; the default where the parts do not make one."""
        try:
            return ProbeChoice.model_validate({"split": self.split, "n": self.n, "seed": self.seed})
        except ValueError:
            return _DEFAULT_PROBE


def as_asked(view: Compared) -> Asked:
    """The view as its address states it."""
    return Asked(
        models=tuple(m.model_id for m in view.models),
        a=view.a.model_id,
        b=view.b.model_id,
        measure=view.measure,
        pooling=view.pooling,
        inside=view.inside,
        layer_a=view.layer_a,
        layer_b=view.layer_b,
        config=view.config,
        tab=view.tab,
        matrix=view.matrix.networks if view.tab == MATRIX else (),
        place=view.matrix.place if view.tab == MATRIX else MatrixView.place,
        order=view.matrix.order if view.tab == MATRIX else ALIKE,
        split=view.probe.split,
        n=view.probe.n,
        seed=view.probe.seed,
    )


def changed_config(measure: str, config: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    """Settings of a measure that differ from its defaults, sorted."""
    default = MEASURES.get(measure).Config().model_dump()
    return tuple(sorted((name, value) for name, value in config.items() if default.get(name) != value))


def _fitting(measure: str, config: Sequence[tuple[str, Any]]) -> tuple[tuple[str, Any], ...]:
    """Settings as an address gives them; one that does not fit makes all of them the defaults."""
    if not config:
        return ()
    try:
        return changed_config(measure, MEASURES.get(measure).Config.model_validate(dict(config)).model_dump())
    except ValueError:
        return ()
