"""Words and numbers as a person reads them: the terms this project uses, one per concept, and every number format.

The terms are explained on the page Words; a test refuses the synonyms in every text that is shown. How an
objective is read, it says itself (`core.records.Shown`): accuracy is a fraction everywhere else and becomes
percent here.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from core.records import Objective


@dataclass(frozen=True)
class Term:
    """One concept.

    Attributes:
        word: what it is called, everywhere.
        meaning: one sentence for somebody who has not met it.
        refused: what else people call it; regular expressions of whole words, case ignored.
    """

    word: str
    meaning: str
    refused: tuple[str, ...] = ()


TERMS = (
    Term(
        "supernet",
        "One network whose weights hold many subnets, trained so that each of them works.",
        (r"super-?networks?", r"super-nets?", r"OFA nets?"),
    ),
    Term(
        "subnet",
        "A part of a supernet that is a network of its own: an architecture with the supernet's weights.",
        (r"sub-?networks?", r"sub-nets?", r"child (networks?|nets?)", r"sub-?models?"),
    ),
    Term(
        "network",
        "Anything with weights that can be compared: a subnet, one trained alone, a pruned one.",
        (r"models?",),
    ),
    Term(
        "architecture",
        "One option for every choice of a search space; it has no weights.",
        (r"genotypes?", r"genomes?"),
    ),
    Term("search space", "All architectures of a supernet.", (r"design spaces?", r"config spaces?")),
    Term("choice", "One decision of a search space, such as the depth of a stage.", (r"genes?", r"knobs?")),
    Term("option", "One of the values a choice can take."),
    Term(
        "objective",
        "One axis of the trade-off, with a unit and the better direction: accuracy, MACs, latency.",
        (r"metrics?", r"fitness"),
    ),
    Term("accuracy", "The share of samples that get the right class.", (r"top-?1", r"acc")),
    Term("MACs", "Multiplications with an addition that one answer takes.", (r"FLOPs?", r"mult-adds?")),
    Term("parameters", "The numbers a network has learned."),
    Term(
        "token",
        "A piece of what a network reads: of a text a word, a part of one or a byte; of an image a patch.",
    ),
    Term("language model", "A network that says for a text how likely each token is to come next."),
    Term(
        "perplexity",
        "Between how many tokens a language model is torn, on average: the exponential of its loss; 1 is certain.",
    ),
    Term(
        "bits per byte",
        "How many bits a language model needs for each byte of a text; unlike perplexity it compares across tokenizers.",
    ),
    Term(
        "KV cache",
        "What attention keeps of the tokens read so far, so that the next token costs one step: it grows with the context.",
        (r"key-value caches?", r"kv-caches?"),
    ),
    Term(
        "context",
        "The tokens a language model has before it when it writes the next one.",
        (r"context windows?",),
    ),
    Term("prefill", "Reading a prompt: all of its tokens at once, which fills the KV cache."),
    Term("decode", "Writing token by token, each with the KV cache of all before it."),
    Term("latency", "The time one answer takes on a machine, with the batch it was measured with."),
    Term("measuring kit", "A zip that times some subnets on a device of your own and writes a profile."),
    Term("profile", "The times of some subnets on one device; those of the others are predicted from it."),
    Term(
        "front",
        "The subnets that no other beats in every chosen objective at once.",
        (r"frontiers?", r"Pareto[- ]sets?", r"Pareto[- ]optimal"),
    ),
    Term("dominated", "Beaten by another subnet: as good in every objective and better in one."),
    Term("knee", "The place of a front after which a gain in one objective costs much of the other."),
    Term("hypervolume", "How much of the plane of objectives a front dominates, up to a reference point."),
    Term(
        "reference point",
        "The point up to which a hypervolume counts; another one gives another hypervolume.",
    ),
    Term("search", "Asking for architectures and measuring them until the budget is used.", (r"searchers?",)),
    Term(
        "run",
        "One recorded training, search or pruning, with its seed and settings.",
        (r"stud(y|ies)",),
    ),
    Term(
        "seed", "The number from which all random draws of a run follow: the same seed gives the same result."
    ),
    Term("data set", "Samples with their right answers, divided into splits.", (r"datasets?",)),
    Term(
        "validation data",
        "Samples for choosing: no weight was fitted to them, but whoever chooses by them fits a little.",
        (r"dev sets?", r"hold-?out sets?"),
    ),
    Term("test data", "Samples that are looked at and never chosen by."),
    Term("measured", "Obtained by running that very network."),
    Term("predicted", "Computed by a predictor that was fitted to measured networks.", (r"surrogates?",)),
    Term(
        "proxy",
        "A number from an untrained network that may go along with what one wants; zero-cost, as nothing is trained.",
        (r"zero-cost (scores?|estimators?)", r"training-free (scores?|estimators?)"),
    ),
    Term("predictor", "A function fitted to some measured subnets that says what others would come to."),
    Term(
        "Kendall's tau",
        "How far two orders agree: the share of pairs in the same order less the share in the opposite one, 1 to -1.",
    ),
    Term("weight sharing", "Subnets use the same weights: a narrow one takes a slice of a wide one's."),
    Term("sandwich rule", "Each step trains the smallest subnet, the largest one and some at random."),
    Term("distillation", "Learning from the outputs of another network instead of the right answers alone."),
    Term(
        "recalibration",
        "Computing the means and variances of batch normalization anew for one subnet; no weight changes.",
    ),
    Term("calibration data", "Training samples from which recalibration computes means and variances."),
    Term("prefix", "The first stages of an architecture: subnets that agree there share what is computed."),
    Term("layer", "One operation with its weights."),
    Term("block", "Layers that are repeated as one."),
    Term("stage", "Blocks of one resolution, in order."),
    Term("unit", "A channel of a convolution or an output of a linear layer.", (r"neurons?",)),
    Term("activations", "What a layer puts out on given samples."),
    Term("probe", "The fixed samples on which networks are compared."),
    Term("similarity", "How alike two layers arrange the probe: 1 is alike, chance is said beside it."),
    Term("pruning", "Taking weights or units out of a trained network."),
    Term("sparsity", "The share of the weights that pruning took.", (r"pruning (ratios?|rates?)",)),
    Term("mask", "Which weights stay.", ()),
    Term("ticket", "A mask with the weights from which training starts again."),
    Term("basket", "A named list of networks to keep, share and report on."),
)

# British and American: one of the two, everywhere.
REFUSED_SPELLINGS = (
    r"colou?r(?<=colour)\w*",
    r"behaviou\w*",
    r"neighbour\w*",
    r"favour\w*",
    r"grey\w*",
    r"centre[sd]?",
    r"\w*(normal|optim|regular|visual|general|initial|organ|recogn|minim|maxim|summar|quant)is(e|es|ed|ing|ation|ations)",
    r"analys(e|ed|ing)",
    r"labell\w+",
    r"modell\w+",
    r"catalogue\w*",
    r"artefacts?",
)

MINUS = "\N{MINUS SIGN}"
_LONGEST_COUNT = 10**10
_RAISED = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
_STEPS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def format_share(share: float | None, digits: int = 0) -> str:
    """A share of a whole in percent: `20 %`, `97.3 %`."""
    if share is None or not math.isfinite(share):
        return "not measured"
    return f"{MINUS if share < 0 else ''}{abs(share):.{digits}%}".replace("%", " %")


def format_tick(share: float) -> str:
    """A share as written on an axis, with the digits it has: 0.5 is `50 %`, 0.985 is `98.5 %`."""
    return f"{100 * share:.4g} %"


def within_sentence(label: str) -> str:
    """A label that does not begin its sentence: `validation accuracy`, `MACs`, `latency on AMD EPYC`."""
    is_word = label[:1].isupper() and not label[1:2].isupper()
    return label[:1].lower() + label[1:] if is_word else label


def column_label(objective: Objective) -> str:
    """The noun with its unit, above a column of numbers."""
    # A share's unit is its symbol; a count of MACs is labelled so already.
    unit = objective.unit or objective.shown.symbol
    return objective.label if unit in ("", objective.label) else f"{objective.label} ({unit})"


def axis_title(objective: Objective) -> str:
    """The axis text, a noun with its unit and the better direction."""
    better = "more is better" if objective.maximize else "less is better"
    return f"{column_label(objective)}  ·  {better}"


def table_format(objective: Objective) -> str:
    """How a browser's table writes a drawn value (see `Scale.factor`): one decimal more than in a sentence."""
    digits, fine = objective.shown.digits, objective.shown.fine_digits
    return "localized" if digits is None else f"%.{fine or digits + 1}f"


def format_value(
    value: float | None, objective: Objective, *, signed: bool = False, spread: float | None = None
) -> str:
    """One number as a person reads it: `97.3 %`, `1.24 M`, `0.42 ms ± 0.03`, `48 kB`.

    Args:
        value: in the objective's stored unit; None or NaN reads "not measured".
        objective: what it is.
        signed: the value is a difference; it gets a sign, and a difference of shares reads "points".
        spread: half-width of the noise, in the same unit.
    """
    if value is None or not math.isfinite(value):
        return "not measured"
    sign = ("+" if value > 0 else MINUS if value < 0 else "±") if signed else (MINUS if value < 0 else "")
    shown, size = objective.shown, abs(float(value)) * objective.shown.factor
    symbol = shown.difference if signed and shown.difference else shown.symbol
    if shown.digits is None:
        number, prefix = _short(size)
        return f"{sign}{number} {prefix}{symbol}".rstrip()
    digits = shown.digits if size >= 0.1 or shown.fine_digits is None else shown.fine_digits
    noise = f" ± {spread * shown.factor:.{digits}f}" if spread is not None and math.isfinite(spread) else ""
    return f"{sign}{size:.{digits}f} {symbol}".rstrip() + noise


def format_interval(low: float, high: float, objective: Objective, *, signed: bool = False) -> str:
    """Where a number may lie, with its unit once: `92.6 to 97.1 %`, `−0.3 to +4.2 points`."""
    ends = [format_value(value, objective, signed=signed) for value in (low, high)]
    unit = ends[1].rpartition(" ")[2]
    first = ends[0].removesuffix(f" {unit}") if unit and ends[0].endswith(f" {unit}") else ends[0]
    return f"{first} to {ends[1]}"


def count_of(value: int, noun: str) -> str:
    """How many of something whose plural ends in s: `1 subnet`, `13,824 subnets`."""
    return f"{format_count(value)} {noun}{'s' * (value != 1)}"


def format_count(value: int) -> str:
    """A whole number with thousands separated: `8,100`; one that nobody reads digit by digit as a power: `2.1 × 10¹⁹`."""
    whole = int(value)
    if abs(whole) < _LONGEST_COUNT:
        return f"{whole:,}"
    # Of the digits, not through a float: a space may be larger than any of them.
    digits = str(abs(whole))
    mantissa, exponent = round(int(digits[:3]) / 10), len(digits) - 1
    if mantissa == 100:
        mantissa, exponent = 10, exponent + 1
    sign = MINUS if whole < 0 else ""
    return f"{sign}{mantissa // 10}.{mantissa % 10} × 10{str(exponent).translate(_RAISED)}"


def format_seconds(seconds: float | None) -> str:
    """A duration: `8 s`, `2 min 05 s`, `1 h 10 min`; "" where it is not known."""
    if seconds is None or not math.isfinite(seconds):
        return ""
    whole = max(round(seconds), 0)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def format_bytes(size: float) -> str:
    """A file size: `48 kB`, `1.24 MB`."""
    number, prefix = _short(size)
    return f"{number} {prefix}B"


def _short(size: float) -> tuple[str, str]:
    # Rounding first keeps 999,950 from reading "1e+03 k".
    for step, prefix in _STEPS:
        if float(f"{size:.3g}") >= step:
            return f"{size / step:.3g}", prefix
    return (f"{size:.0f}" if size == int(size) else f"{size:.3g}"), ""


def format_about(seconds: float) -> str:
    """A forecast, with no more digits than it is good for: `about 20 seconds`, `about 3 minutes`, `about 2.5 hours`."""
    if seconds < 90:
        step = 1 if seconds < 10 else 5 if seconds < 45 else 10
        number = max(1, step * round(seconds / step))
        return f"about {count_of(number, 'second')}"
    if seconds < 90 * 60:
        return f"about {round(seconds / 60)} minutes"
    return f"about {round(seconds / 1800) / 2:g} hours"
