"""What the searches of a race attained: the places that the best seed, half of the seeds and every seed reached."""

from __future__ import annotations

from dataclasses import dataclass

from core.pareto import AttainmentSurfaces, attainment_surfaces
from core.views.race import Race


@dataclass(frozen=True, eq=False)
class Attained:
    """One setting.

    Attributes:
        label: what distinguishes it.
        n: searches that are done.
        surfaces: corners in the objectives' units, in the order of `Race.names`.
    """

    label: str
    n: int
    surfaces: AttainmentSurfaces


def attained(race: Race) -> tuple[Attained, ...]:
    """The attainment surfaces of every setting after `Race.at` evaluations, of searches that are done.

    Empty where none is done, or the objectives are not two: three have surfaces that no flat chart shows.
    """
    if len(race.names) != 2 or not race.at:
        return ()
    found = []
    for racer in race.racers:
        runs = [racer.known(row, race.at) for row, seed in enumerate(racer.seeds) if seed in racer.ended]
        if runs:
            found.append(Attained(racer.label, len(runs), attainment_surfaces(runs, maximize=race.maximize)))
    return tuple(found)
