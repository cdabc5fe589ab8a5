"""Zero-cost proxies of a sample of subnets, as a run of `score_proxies` keeps them."""

from __future__ import annotations

from typing import ClassVar

from core.library.results import Described, Part, Record

KIND = "score_proxies"


class ScoredSubnet(Part):
    """One subnet.

    Attributes:
        arch_id: its architecture.
        measured: its value of the objective that proxies are held against, with the supernet's weights.
        scores: proxy -> score; None for a network that says the same whatever it is shown, which ranks last.
        layers: what each layer contributes to the proxy `ProxiesRecord.by_layer`, in the order of the network.
    """

    arch_id: str
    measured: float
    scores: dict[str, float | None]
    layers: tuple[float, ...] = ()


class ProxiesRecord(Record):
    """What a run keeps, written anew after every few subnets.

    Attributes:
        supernet, sha256: id and file hash.
        data: what the data are, for people.
        objective: what the proxies are held against, and `source`: how its values were obtained.
        weights: "fresh" (drawn anew, untrained) or "supernet".
        samples: in the batch that was scored on.
        seed: of sample, batch and weights.
        asked: subnets the run was asked for.
        rows: those scored so far.
        refused: proxy -> why it is not defined here.
        by_layer: the proxy whose layers are kept.
        learned: name of the predictor that learns from the layers; "" before it was tried.
        folds: how it was cross-validated.
        guesses: of `learned` for each row, by the networks that did not see it.
        no_guess: why there are none.
    """

    FILE: ClassVar[str] = "proxies.json"
    supernet: str
    sha256: str
    data: Described
    objective: str
    source: str
    weights: str
    samples: int
    seed: int
    asked: int
    rows: tuple[ScoredSubnet, ...] = ()
    refused: dict[str, str] = {}
    by_layer: str = ""
    learned: str = ""
    folds: int = 0
    guesses: tuple[float, ...] = ()
    no_guess: str = ""
