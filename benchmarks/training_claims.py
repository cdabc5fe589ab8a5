"""What papers claim of their ways to train a supernet, as comparisons that our scale can answer.

A claim compares a number of a method with that of a control trained at the same budget with the same seeds. The rule
is the same for all, and stated with every verdict: it *shows* if the method is ahead in every seed and by more than the control's own
spread over seeds (with one seed: by more than one standard error of an accuracy on the test images); it *does not show* if the
method is behind in every seed by as much; anything else is a tie. Nothing here was chosen after looking at results.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Claim:
    """One claim.

    Attributes:
        method: strategy that it is about.
        control: strategy that it is compared with.
        number: what is compared: "smallest", "median", "largest", "tau" or "robust".
        budget: "steps" or "passes".
        says: the claim, in words.
    """

    method: str
    control: str
    number: str
    budget: str
    says: str


CLAIMS = (
    Claim("sandwich", "uniform", "smallest", "passes", "the sandwich rule lifts the smallest subnet"),
    Claim("sandwich", "uniform", "largest", "passes", "the sandwich rule lifts the largest subnet"),
    Claim("fair", "uniform", "tau", "passes", "strict fairness ranks better than uniform paths (FairNAS)"),
    Claim(
        "bignas",
        "sandwich",
        "median",
        "steps",
        "noise for the largest alone and a tail of the learning rate help (BigNAS)",
    ),
    Claim(
        "attentive",
        "sandwich",
        "median",
        "passes",
        "attending to best or worst subnets helps the others (AttentiveNAS)",
    ),
    Claim(
        "shift_nas",
        "uniform",
        "smallest",
        "passes",
        "sizes that lag catch up when they are drawn more often (ShiftNAS)",
    ),
    Claim(
        "elastic_vit_sampling",
        "sandwich",
        "median",
        "passes",
        "drawing close sizes together helps (ElasticViT)",
    ),
    Claim("pa_da", "uniform", "tau", "passes", "paths and data by gradient norm rank better (PA&DA)"),
    Claim(
        "few_shot",
        "uniform",
        "tau",
        "passes",
        "parts split by gradients rank better than one supernet (GM-NAS)",
    ),
    Claim(
        "balanced_batch",
        "uniform",
        "median",
        "passes",
        "several architectures in a batch beat one (ViT-ResNAS)",
    ),
    Claim("sorted_net", "uniform", "smallest", "passes", "nested subnets lift the smallest (SortedNet)"),
    Claim(
        "progressive_shrinking",
        "sandwich",
        "smallest",
        "passes",
        "unlocking step by step helps small subnets (Once-for-All)",
    ),
    Claim("block_wise", "uniform", "tau", "passes", "block by block ranks better (DNA)"),
    Claim("boss_nas", "uniform", "tau", "passes", "block by block without labels ranks better (BossNAS)"),
    Claim(
        "super_tickets",
        "sandwich",
        "median",
        "steps",
        "pruned while training, subnets lose nothing (SuperTickets; most weights are zero)",
    ),
    Claim(
        "adversarial",
        "uniform",
        "robust",
        "steps",
        "adversarial training makes all subnets more robust (RobNets)",
    ),
)


def verdict(ours: Sequence[float], theirs: Sequence[float], alone: float) -> str:
    """ "shows", "does not show" or "tie", by the rule above.

    Args:
        ours, theirs: the number by seed, paired.
        alone: what a difference must exceed where there is one seed only.
    """
    differences = [a - b for a, b in zip(ours, theirs, strict=True)]
    spread = statistics.stdev(theirs) if len(theirs) > 1 else alone
    mean = statistics.fmean(differences)
    if min(differences) > 0 and mean > spread:
        return "shows"
    return "does not show" if max(differences) < 0 and -mean > spread else "tie"
