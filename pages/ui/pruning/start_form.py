"""Which ways of pruning, how far: the form that starts a background run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st
from pydantic import ValidationError

from core.attacks import ATTACKS
from core.library.benchmarks import Benchmarks
from core.library.networks import ModelInfo
from core.library.pruned import KIND
from core.pruning.pruners.creating import METHODS
from core.registry import PluginInfo
from core.text import display_name
from core.views.pruning import PruningView
from core.words import count_of, format_share
from core.workflows import prune_models
from pages.ui import checked, terms
from pages.ui.forms import complaint, config_form, field_number, number
from pages.ui.progress import submit

_SPARSITIES = (0.2, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99)
_FIRST_SPARSITIES = (0.5, 0.8, 0.9, 0.95)
_FIRST = ("magnitude", "l1_filters", "taylor")
CONTROLS = ("random_like", "small_dense")
MOST_REPEATS = 10


def form(parent: ModelInfo, task: str, view: PruningView | None) -> None:
    """Choose and start; what is in the table already is not pruned again."""
    with checked.form() as around:
        _form(parent, task, view, around)


def _form(parent: ModelInfo, task: str, view: PruningView | None, around: checked.Form) -> None:
    infos = {info.name: info for info in METHODS.describe()}
    others = [n for n in infos if n not in CONTROLS]
    chosen = st.multiselect(
        "Ways to prune",
        others,
        default=[n for n in _FIRST if n in others],
        format_func=lambda n: infos[n].label,
        key="pr-methods",
        placeholder="Choose at least one",
        help="\n\n".join(f"**{i.label}**: {i.summary} *{i.source}*" for i in infos.values()),
    )
    sparsities = st.pills(
        "Share of the weights to remove",
        _SPARSITIES,
        selection_mode="multi",
        default=list(_FIRST_SPARSITIES),
        format_func=lambda s: f"{format_share(s)}",
        key="pr-sparsities",
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        epochs = field_number(
            prune_models.Request,
            "tuning_epochs",
            "Epochs of fine-tuning",
            key="pr-epochs",
            help="Passes over the training samples after pruning, removed weights held at zero. Methods that train "
            "by themselves are not fine-tuned.",
        )
        seed = field_number(prune_models.Request, "seed", "Seed", key="pr-seed")
        repeats = number(
            "Repeats",
            (1, MOST_REPEATS),
            value=1,
            key="pr-repeats",
            help="Runs with this seed, the next one, and so on, to see the spread.",
        )
    with st.container(horizontal=True):
        controls = st.toggle(
            "With both controls",
            value=True,
            key="pr-controls",
            help="\n\n".join(f"**{infos[n].label}**: {infos[n].summary}" for n in CONTROLS)
            + "\n\nA method that does not beat them has found nothing.",
        )
        attacks = _attacks() if task == "image" else []
        more = st.toggle("Settings of the methods", key="pr-more")
    if task != "image":
        terms.caption(
            "Texts are spoiled by token noise: lost and swapped tokens and, where their letters are known, typos. Corruptions of images and "
            "attacks change pixels, so they have no meaning here."
        )
    names = [*chosen, *(CONTROLS if controls else ())]
    # None: a setting is wrong, and the form says which.
    configs = _configs(names) if more else {}
    shares, seeds = sorted(sparsities or ()), range(int(seed), int(seed) + int(repeats))
    wanted = {s: _missing(view, names, configs or {}, shares, int(epochs), s) for s in seeds}
    count = sum(len(each["sparsities"]) for of_seed in wanted.values() for each in of_seed)
    st.caption(_plan(count, len(names) * len(shares) * len(seeds), view is not None))
    if around.start(
        "Prune",
        key="prune-start",
        type="primary",
        icon=":material/content_cut:",
        width="stretch",
        disabled=not count or configs is None,
    ):
        started = [
            _start(parent, of_seed, epochs=int(epochs), attacks=attacks, seed=each)
            for each, of_seed in wanted.items()
            if of_seed
        ]
        if any(started):
            st.rerun()


def _attacks() -> list[str]:
    """Attacks on images: the usual ones, and those that are chosen."""
    found = list(Benchmarks().attacks)
    for info in (each for each in ATTACKS.describe() if each.name not in found):
        if st.toggle(info.label, key=f"pr-{info.name}", help=_attack_help(info)):
            found.append(info.name)
    return found


def _start(
    parent: ModelInfo, methods: list[dict[str, Any]], *, epochs: int, attacks: Sequence[str], seed: int
) -> str | None:
    params: dict[str, Any] = {
        "model": parent.model_id,
        "methods": methods,
        "tuning_epochs": epochs,
        "benchmarks": {"attacks": list(attacks)},
        "seed": seed,
    }
    count = sum(len(each["sparsities"]) for each in methods)
    title = f"{count} pruned networks of {display_name(parent.title)}, seed {seed}"
    return submit(KIND, params, title=title, seed=seed)


def _attack_help(info: PluginInfo) -> str:
    slow = ATTACKS.get(info.name).slow
    return f"{info.summary} {slow.capitalize()}." if slow else info.summary


def _plan(count: int, asked: int, started: bool) -> str:
    if not asked:
        return "Choose at least one way to prune and one share."
    if not count:
        return "All of these are in the table already. Choose another way, share or seed."
    known = f" ({asked - count} of {asked} are in the table already)" if count < asked and started else ""
    return (
        f"{count_of(count, 'network')} to make{known}; each is fine-tuned and evaluated on clean and spoiled "
        "samples in the background. Methods that train from scratch take longest."
    )


def _configs(names: Sequence[str]) -> dict[str, dict[str, Any]] | None:
    """Settings that differ from the defaults, by method; None where one cannot be used."""
    found: dict[str, dict[str, Any]] = {}
    for name in names:
        plugin = METHODS.get(name).Config
        if not plugin.model_fields:
            continue
        st.caption(METHODS.info(name).label)
        values = config_form(plugin, f"pr-config-{name}", columns=2)
        try:
            dumped = plugin.model_validate(values).model_dump(mode="json")
        except ValidationError as error:
            checked.complain_of_all(f"{METHODS.info(name).label}: {complaint(error)}")
            return None
        default = plugin().model_dump(mode="json")
        found[name] = {k: v for k, v in dumped.items() if default.get(k) != v}
    return found


def _missing(
    view: PruningView | None,
    names: Sequence[str],
    configs: dict[str, dict[str, Any]],
    sparsities: Sequence[float],
    epochs: int,
    seed: int,
) -> list[dict[str, Any]]:
    """What is not in the table yet, as the run's request wants it."""
    wanted = []
    for name in names:
        config = configs.get(name, {})
        have = {
            m.asked
            for m in (view.pruned if view else ())
            if m.method == name
            and dict(m.config) == config
            and m.seed == seed
            # A method that trains by itself has no number from before fine-tuning.
            and ("zero_shot" not in m.numbers or m.tuning_epochs == epochs)
        }
        if left := [s for s in sparsities if s not in have]:
            wanted.append({"name": name, "config": config, "sparsities": left})
    return wanted
