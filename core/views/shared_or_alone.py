"""Does a subnet compute inside its supernet what its architecture learns alone?

The subnet is compared with the networks that `train_alone` kept, stage by stage on the same samples, and
they with each other: see `core.similarity.seed_spread` for what counts as a tie. Beside it stand the
measures of outputs and the accuracies, measured by the same code for all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from numpy.typing import ArrayLike

from core.cache import kept
from core.config import JsonObject
from core.errors import InvalidInput
from core.library.activations import ProbeChoice, all_activations, common_probe, layers, logits
from core.library.alone import JUDGED, MEASURED
from core.library.network_id import NetworkId
from core.library.networks import Model, load_model
from core.objectives.base import objectives
from core.similarity.base import MEASURES
from core.similarity.seed_spread import StageResult, accuracy_verdict, answer, compare_stages

if TYPE_CHECKING:
    from core.library.alone import AloneNet
    from core.store import RunStore

_OUTPUTS = "outputs"


@dataclass(frozen=True, eq=False)
class SharedOrAlone:
    """The whole answer, with what is needed to read it.

    Attributes:
        stages: in order of depth.
        outputs: one per measure of outputs.
        measure: label of the measure of the stages.
        distance: whether it is small where networks are alike.
        seeds: of the networks trained alone.
        epochs: each was trained for.
        inside: what the objectives of `core.library.alone.MEASURED` say of the subnet inside the supernet.
        alone: the same of each network trained alone.
        accuracy: what the test accuracies say.
        sentence: the answer in words.
    """

    stages: tuple[StageResult, ...]
    outputs: tuple[StageResult, ...]
    measure: str
    distance: bool
    pooling: str
    probe: str
    seeds: tuple[int, ...]
    epochs: int
    inside: Mapping[str, float]
    alone: Mapping[str, tuple[float, ...]]
    accuracy: str
    sentence: str


def shared_or_alone(
    store: RunStore | None,
    nets: Sequence[AloneNet],
    measure: str = "cka",
    *,
    config: JsonObject | None = None,
    pooling: str = "pooled",
    choice: ProbeChoice | None = None,
) -> SharedOrAlone:
    """Compare a subnet with the networks that were trained alone with its architecture. Loads torch.

    Args:
        store: where the networks are.
        nets: of one architecture, from `list_alone`.
        measure: registry name of a measure of activations.
        config: its settings.
        pooling: how a map becomes numbers per unit.
        choice: which samples.

    Raises:
        NotFound, InvalidInput: a network, a measure or a setting does not exist.
        DataUnavailable: the supernet's data are not here.
    """
    if not nets:
        raise InvalidInput("This architecture has not been trained alone yet.")
    if len({(net.supernet_id, net.arch_id) for net in nets}) > 1:
        raise InvalidInput("These networks have different architectures; compare one at a time.")
    chosen = MEASURES.create(measure, dict(config or {}))
    if chosen.of != "activations":
        raise InvalidInput(f"{chosen.label} compares answers, not layers; choose another measure.")
    subnet = load_model(store, str(NetworkId.subnet(nets[0].supernet_id, nets[0].arch_id)))
    others = tuple(load_model(store, net.model_id) for net in nets)
    settings = tuple(sorted((config or {}).items()))
    return _answered((subnet, *others), tuple(nets), measure, settings, pooling, choice or ProbeChoice())


@kept(64, key=lambda models, nets, *asked: (*(model.key for model in models), asked))
def _answered(
    models: tuple[Model, ...],
    nets: tuple[AloneNet, ...],
    measure: str,
    config: tuple[tuple[str, Any], ...],
    pooling: str,
    choice: ProbeChoice,
) -> SharedOrAlone:
    subnet, others = models[0], models[1:]
    chosen = MEASURES.create(measure, dict(config))
    probe = common_probe(subnet, others[0], choice)
    places = layers(subnet)
    ids = [place.layer_id for place in places]
    arrays = [all_activations(model, probe, ids, pooling) for model in (subnet, *others)]
    stages = compare_stages(
        arrays[0], arrays[1:], chosen, labels={p.layer_id: p.label for p in places}, seed=choice.seed
    )
    answers = [logits(model, probe) for model in (subnet, *others)]
    inside = _inside(subnet)
    alone = {name: tuple(net.numbers[name] for net in nets) for name in inside}
    seeds = tuple(net.seed for net in nets)
    return SharedOrAlone(
        stages=tuple(stages),
        outputs=tuple(_outputs(answers, choice.seed)),
        measure=chosen.label,
        distance=chosen.kind == "distance",
        pooling=pooling,
        probe=f"{len(probe.y):,} {probe.split} images of {probe.title}",
        seeds=seeds,
        epochs=nets[0].epochs,
        inside=inside,
        alone=alone,
        accuracy=accuracy_verdict(inside[JUDGED], alone[JUDGED]),
        sentence=answer(stages, chosen.label, seeds),
    )


def _outputs(answers: Sequence[ArrayLike], seed: int) -> list[StageResult]:
    found = []
    for info in MEASURES.describe():
        measure = MEASURES.create(info.name)
        if measure.of == _OUTPUTS:
            sides = [{info.name: x} for x in answers]
            found += compare_stages(sides[0], sides[1:], measure, labels={info.name: info.label}, seed=seed)
    return found


def _inside(subnet: Model) -> dict[str, float]:
    """Accuracies of the subnet by the code that measured the networks trained alone."""
    from core.networks.answers import accuracy

    return {each.name: accuracy(subnet.net, subnet.dataset, each.split) for each in objectives(MEASURED)}
