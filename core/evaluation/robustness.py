"""How a network holds under attack and corruption, and which benchmarks say the same.

Attacks are white-box, untargeted, within an L-infinity ball, on images in [0, 1]. They are a lower bound
on how easily a net is fooled, not a proof of safety. Gradients are taken with respect to the images only:
no parameter's `.grad` is touched, and the net's mode is restored.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from core.datasets.corruptions import corrupt
from core.errors import InvalidInput
from core.seeding import stream

_BATCH = 512
Images = NDArray[np.float32]
Labels = NDArray[np.int64]


def predictions(net: nn.Module, x: Images) -> Labels:
    """(n,) predicted classes of (n, c, h, w) images."""
    with _evaluating(net), torch.no_grad():
        # Copied by batch: kept images are read-only, and torch has no such tensors.
        parts = (np.array(x[i : i + _BATCH], np.float32) for i in range(0, len(x), _BATCH))
        found = [net(torch.from_numpy(part)).argmax(1) for part in parts]
    return torch.cat(found).numpy() if found else np.zeros(0, np.int64)


def fgsm(net: nn.Module, x: Images, y: Labels, eps: float) -> Images:
    """One step of size eps along the sign of the loss's gradient.

    Args:
        net: images in [0, 1] to logits.
        x: (n, c, h, w) float32.
        y: (n,) true classes.
        eps: largest change of a pixel, a share of the range from black to white.

    Returns:
        (n, c, h, w) attacked images in [0, 1].

    Raises:
        InvalidInput: eps is not between 0 and 1.

    Source: Goodfellow et al. 2015, x + eps sign(grad_x L).
    """
    _check(eps)
    with _evaluating(net):
        return _in_batches(lambda a, b, _: _step(net, a, a, b, eps, eps), x, y)


def pgd(
    net: nn.Module,
    x: Images,
    y: Labels,
    eps: float,
    *,
    ids: NDArray[np.int64] | Sequence[int],
    steps: int = 10,
    step_size: float | None = None,
    seed: int = 0,
) -> Images:
    """Several small steps from a random start, each put back into the ball; the worst image found.

    The FGSM image competes too, so that PGD is never weaker: of all images tried a misclassified one
    wins, then the one with the largest loss.

    Args:
        net, x, y, eps: see `fgsm`.
        ids: (n,) sample ids; each sample's start depends on seed and id only.
        steps: how many.
        step_size: of one step; 2.5 eps / steps without it.
        seed: of the random starts.

    Raises:
        InvalidInput: eps is not between 0 and 1, or steps is not positive.

    Source: Madry et al. 2018.
    """
    _check(eps)
    if steps < 1 or len(ids) != len(x):
        raise InvalidInput("PGD needs at least one step, and one id per image.")
    size = 2.5 * eps / steps if step_size is None else step_size
    starts = [stream(seed, "pgd", int(i)).uniform(-eps, eps, x.shape[1:]) for i in ids]

    def attack(images: Tensor, labels: Tensor, rows: slice) -> Tensor:
        best = images
        worst = _badness(net, images, labels)
        start = torch.from_numpy(np.asarray(starts[rows], np.float32))
        current = _project(images + start, images, eps)
        tried = [_step(net, images, images, labels, eps, eps), current]
        for k in range(steps + len(tried)):
            if k >= len(tried):
                current = _step(net, current, images, labels, size, eps)
            candidate = tried[k] if k < len(tried) else current
            bad = _badness(net, candidate, labels)
            worse = bad > worst
            best = torch.where(worse[:, None, None, None], candidate, best)
            worst = torch.maximum(bad, worst)
        return best

    with _evaluating(net):
        return _in_batches(attack, x, y)


def correct_under(
    net: nn.Module,
    x: Images,
    y: Labels,
    ids: NDArray[np.int64],
    severities: Mapping[str, Sequence[int]],
    *,
    strengths: Mapping[str, Sequence[float]] | None = None,
    seed: int = 0,
    on_progress: Callable[[float, str], None] | None = None,
) -> dict[tuple[str, int], NDArray[np.bool_]]:
    """Which samples a net still gets right, by (corruption, severity); their mean is the accuracy.

    Args:
        net, x, y: as above.
        ids: (n,) sample ids.
        severities: per corruption, which severities.
        strengths: per corruption its five strengths; the corruption's own where missing.
        seed: of the accidents.
        on_progress: told the share done and what is next; may raise `Cancelled`.

    Raises:
        NotFound, InvalidInput: see `corrupt`.
    """
    cells = [(name, severity) for name, levels in severities.items() for severity in levels]
    found: dict[tuple[str, int], NDArray[np.bool_]] = {}
    for done, (name, severity) in enumerate(cells):
        if on_progress is not None:
            on_progress(done / len(cells), f"{name}, severity {severity}")
        images = corrupt(x, name, severity, ids=ids, seed=seed, strength=(strengths or {}).get(name))
        found[name, severity] = predictions(net, images) == y
    return found


@dataclass(frozen=True)
class CorruptionError:
    """Mean corruption error against a reference (1: just as bad as the reference).

    Attributes:
        mean: over the corruptions that could be compared; nan if none.
        by_corruption: per corruption, sum of errors over the reference's.
        reason: which corruptions could not be compared and why; empty if all could.
    """

    mean: float
    by_corruption: Mapping[str, float]
    reason: str


def mean_corruption_error(
    errors: Mapping[str, Sequence[float]], reference: Mapping[str, Sequence[float]]
) -> CorruptionError:
    """mCE = mean over corruptions c of (sum_s E_s,c) / (sum_s E_s,c of the reference).

    Args:
        errors, reference: per corruption the errors (fractions) at the same severities.

    Raises:
        InvalidInput: the two were not measured at the same corruptions and severities.

    Source: Hendrycks & Dietterich 2019, section 4.2; as a ratio, not in percent.
    """
    if {k: len(v) for k, v in errors.items()} != {k: len(v) for k, v in reference.items()}:
        raise InvalidInput("Both networks have to be measured at the same corruptions and severities.")
    flawless = [name for name, values in reference.items() if sum(values) == 0]
    ratios = {name: sum(errors[name]) / sum(reference[name]) for name in errors if name not in flawless}
    reason = f"The reference makes no error under {', '.join(flawless)}." if flawless else ""
    if not errors:
        reason = "No corruption was measured."
    return CorruptionError(float(np.mean(list(ratios.values()))) if ratios else float("nan"), ratios, reason)


@dataclass(frozen=True, eq=False)
class Redundancy:
    """Which benchmarks fail the same samples.

    Attributes:
        names: benchmarks that were compared.
        distance: (b, b) one minus the correlation of their error signatures.
        linkage: (b - 1, 4) average linkage, as SciPy writes it.
        order: (b,) leaves from left to right.
        clusters: groups of benchmarks nearer than the cut, in the order of the leaves.
        reason: which benchmarks were left out and why; empty if none.
    """

    names: tuple[str, ...]
    distance: NDArray[np.float64]
    linkage: NDArray[np.float64]
    order: NDArray[np.intp]
    clusters: tuple[tuple[str, ...], ...]
    reason: str


def redundant(signatures: Mapping[str, NDArray[np.generic]], *, cut: float = 0.5) -> Redundancy:
    """Hierarchical clustering of benchmarks by their errors.

    Args:
        signatures: per benchmark the errors (or margins) of all models on all samples, same order.
        cut: benchmarks joined below this distance (1 - correlation) count as one.

    Raises:
        InvalidInput: the signatures differ in length.
    """
    from scipy.cluster import hierarchy
    from scipy.spatial.distance import squareform

    flat = {name: np.asarray(each, np.float64).ravel() for name, each in signatures.items()}
    if len({len(each) for each in flat.values()}) > 1:
        raise InvalidInput("Error signatures have to cover the same models and samples.")
    constant = [name for name, each in flat.items() if len(each) == 0 or np.ptp(each) == 0]
    names = tuple(name for name in flat if name not in constant)
    reason = f"All samples fare alike under {', '.join(constant)}." if constant else ""
    if len(names) < 2:
        alone = (names,) if names else ()
        n = len(names)
        return Redundancy(names, np.zeros((n, n)), np.zeros((0, 4)), np.arange(n), alone, reason)
    distance = np.clip(1 - np.corrcoef([flat[name] for name in names]), 0, 2)
    distance = (distance + distance.T) / 2
    np.fill_diagonal(distance, 0)
    linkage = hierarchy.linkage(squareform(distance, checks=False), "average")
    order = np.asarray(hierarchy.leaves_list(linkage), np.intp)
    labels = hierarchy.fcluster(linkage, cut, "distance")
    in_order = dict.fromkeys(int(labels[i]) for i in order)
    clusters = tuple(tuple(names[i] for i in order if labels[i] == label) for label in in_order)
    return Redundancy(names, distance, linkage, order, clusters, reason)


@contextmanager
def _evaluating(net: nn.Module) -> Iterator[None]:
    """Eval mode within; a net already in it is not touched, because shared nets are read-only."""
    modes = [(module, module.training) for module in net.modules() if module.training]
    if modes:
        net.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


def _check(eps: float) -> None:
    if not 0 <= eps <= 1:
        raise InvalidInput(f"The largest change of a pixel lies between 0 and 1, not {eps}.")


def _in_batches(attack: Callable[[Tensor, Tensor, slice], Tensor], x: Images, y: Labels) -> Images:
    attacked = np.array(x, np.float32, copy=True)
    for i in range(0, len(x), _BATCH):
        rows = slice(i, i + _BATCH)
        images = torch.from_numpy(attacked[rows].copy())
        attacked[rows] = attack(images, torch.from_numpy(np.array(y[rows])), rows).numpy()
    return attacked


def _project(images: Tensor, center: Tensor, eps: float) -> Tensor:
    return torch.minimum(torch.maximum(images, center - eps), center + eps).clamp(0, 1)


def _step(net: nn.Module, at: Tensor, center: Tensor, labels: Tensor, size: float, eps: float) -> Tensor:
    with torch.enable_grad():
        images = at.detach().requires_grad_(True)
        loss = nn.functional.cross_entropy(net(images), labels, reduction="sum")
        (gradient,) = torch.autograd.grad(loss, images)
    return _project(at + size * gradient.sign(), center, eps).detach()


def _badness(net: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """(n,) how well an attack did: wrong ones above right ones, then by loss."""
    with torch.no_grad():
        logits = net(images)
        loss = nn.functional.cross_entropy(logits, labels, reduction="none")
        return torch.sigmoid(torch.log(loss.clamp_min(1e-30))) + (logits.argmax(1) != labels)
