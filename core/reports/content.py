"""What a basket's report says: the fronts, each network with numbers and how they were obtained, seeds, hashes, versions."""

from __future__ import annotations

import importlib.metadata
import platform
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from core.library.chance import FrontChance, caveat, known_chance
from core.library.correct import interval_of
from core.library.supernets import SupernetEntry
from core.papers.base import Layout
from core.papers.front import front_paper
from core.plots.style import format_obtained
from core.records import Objective, Obtained, Source
from core.reports.captions import data_of, front_caption, measured_how
from core.reports.document import Block, Document, Drawing, Heading, Paragraph, Table
from core.reports.drawing import network_drawing
from core.text import display_name
from core.views.basket import BasketNetwork, BasketSupernet, BasketView, stages_of
from core.views.chance import front_sentence
from core.words import count_of, format_count, format_interval, format_value

_PACKAGES = ("torch", "numpy", "onnxruntime", "scikit-learn")
_WIDE = 20
INTERVALS = "In brackets beside an accuracy: its 95 % interval (Wilson)."
_METADATA = re.compile(r"\s*<metadata>.*?</metadata>", re.DOTALL)
_IDS = re.compile(r'(\bid="|href="#|url\(#)([\w.-]+)')
_MEASURED = Obtained(Source.MEASURED)


@dataclass(frozen=True, eq=False)
class Report:
    """A basket to be written down.

    Attributes:
        title: the basket's name.
        view: its networks.
        supernets: those they come from.
        link: where the basket can be opened, "" if it is kept nowhere.
        made: date and time, as text.
        versions: (program, version) that the report was made with.
        started_by: id of a supernet -> who trained or brought it, where people are told apart.
    """

    title: str
    view: BasketView
    supernets: Sequence[BasketSupernet]
    link: str
    made: str
    versions: Sequence[tuple[str, str]]
    started_by: Mapping[str, str] = field(default_factory=dict)


def versions() -> tuple[tuple[str, str], ...]:
    """What this machine computes with. Imports nothing."""
    found = [("Python", platform.python_version())]
    return (*found, *((name, importlib.metadata.version(name)) for name in _PACKAGES))


def document(report: Report) -> Document:
    """The report as blocks. Draws the fronts, so the first one loads matplotlib."""
    view = report.view
    there, gone = len(view.found), len(view.networks) - len(view.found)
    lead = f"{count_of(there, 'network')} of {count_of(len(report.supernets), 'supernet')}"
    lead += f", and {gone} that no longer exist{'s' * (gone == 1)}." if gone else "."
    blocks: list[Block] = [Paragraph(f"Made {report.made} with Paretoscope.")]
    if report.link:
        blocks.append(Paragraph("The same, to click:", report.link))
    blocks += [Heading("Networks"), numbers_table(view)]
    blocks += [
        Paragraph(f"{each.title} ({each.network_id}): {each.missing}", warning=True) for each in _gone(view)
    ]
    blocks.append(Paragraph(" ".join([*(measured_how(goal) for goal in view.goals), INTERVALS])))
    for supernet in report.supernets:
        blocks += _front(report, supernet)
    blocks.append(Heading("Each network"))
    by_id = {each.entry.supernet_id: each.entry for each in report.supernets}
    for network in view.found:
        blocks += _network(network, by_id.get(network.supernet_id), view.goals)
    blocks += [Heading("Where it comes from"), *_sources(report)]
    return Document(report.title, lead, tuple(blocks))


def numbers_table(view: BasketView) -> Table:
    """All networks with all numbers: one row each, those that are gone with empty cells."""
    columns = ("Network", "Kind", "Supernet", *(goal.label for goal in view.goals))
    rows = [
        (
            each.title,
            each.kind if each.info else f"{each.kind} (missing)".strip(),
            each.supernet_id,
            *(_cell(each, goal) for goal in view.goals),
        )
        for each in view.networks
    ]
    numbers = frozenset(range(3, 3 + len(view.goals)))
    return Table("The networks and their numbers", columns, rows, numbers)


def _cell(network: BasketNetwork, goal: Objective) -> str:
    if goal.name not in network.known.values:
        return "–"
    text = format_value(network.known.values[goal.name], goal)
    how = network.known.obtained.get(goal.name, _MEASURED)
    return text if how.source.may_stand else f"{text} ({how.source})"


def _gone(view: BasketView) -> list[BasketNetwork]:
    return [each for each in view.networks if not each.info]


def _front(report: Report, supernet: BasketSupernet) -> list[Block]:
    entry, front, x, y = supernet.entry, supernet.front, supernet.x, supernet.y
    heading = Heading(f"The front of {display_name(entry.title)}")
    if front is None or x is None or y is None:
        return [
            heading,
            Paragraph("The whole space of this supernet was not measured, so there is no exact front."),
        ]
    picked = {
        each.info.arch_id: each.info.short
        for each in report.view.found
        if each.info and each.info.origin == "subnet" and each.supernet_id == entry.supernet_id
    }
    caption = front_caption(entry, (y, x), front.n_total)
    values = front.table[x.name]
    figure = front_paper(
        front.table,
        x,
        y,
        Layout("two", "svg", with_caption=False),
        caption=caption,
        title=f"Front of {display_name(entry.title)}",
        log_x=not x.maximize and bool(values.min() > 0) and bool(values.max() > _WIDE * values.min()),
        marked=picked,
    )
    rows = [
        (
            str(row["arch_id"]),
            _with_interval(entry, float(row[y.name]), y),
            _with_interval(entry, float(row[x.name]), x),
        )
        for row in front.members.to_dict("records")
    ]
    columns = ("Subnet", y.label, x.label)
    twin = Table(
        f"The front of {display_name(entry.title)}", columns, rows, frozenset({1, 2}), frozenset({0})
    )
    sure = known_chance(entry, entry.revision, (x.name, y.name))
    told = []
    if isinstance(sure, FrontChance):
        sentence = front_sentence(sure, [row[0] for row in rows], sure.word)
        told = [Paragraph(f"{sentence} {caveat(entry.task)}".rstrip())]
    alt = (
        f"{y.label} against {x.label} of {front.n_total:,} subnets; {len(front.members)} are on the front"
        f"{', and those of this report are marked' if picked else ''}."
    )
    return [
        heading,
        Drawing(_inline(figure.data.decode(), entry.supernet_id), alt, figure.caption, twin),
        *told,
    ]


def _with_interval(entry: SupernetEntry | None, value: float, goal: Objective) -> str:
    """A value, with Wilson's 95 % interval where it is an accuracy."""
    text, ends = format_value(value, goal), None if entry is None else interval_of(entry, goal.name, value)
    return text if ends is None else f"{text} ({format_interval(ends.low, ends.high, goal)})"


def _inline(svg: str, owner: str) -> str:
    """A file's drawing as a part of a page: without its description, its ids its own among several drawings."""
    inner = _METADATA.sub("", svg[svg.index("<svg ") :]).rstrip()
    prefix = "".join(c if c.isalnum() else "-" for c in owner)
    return _IDS.sub(lambda found: f"{found[1]}{prefix}-{found[2]}", inner)


def _network(network: BasketNetwork, entry: SupernetEntry | None, goals: Sequence[Objective]) -> list[Block]:
    known = network.known
    blocks: list[Block] = [Heading(network.title, 3)]
    rows = [
        (
            goal.label,
            _with_interval(entry, known.values[goal.name], goal),
            f"{known.values[goal.name]:.10g}{f' {goal.unit}' if goal.unit else ''}",
            format_obtained(goal, known.obtained.get(goal.name, _MEASURED)),
        )
        for goal in goals
        if goal.name in known.values
    ]
    if rows:
        columns = ("Objective", "Value", "Stored value", "How obtained")
        blocks.append(Table(f"Numbers of {network.title}", columns, rows, frozenset({1, 2})))
    stages, whole = stages_of(entry, network)
    if stages:
        shape = "The dashed outline is the largest subnet of the supernet; numbers above are channels."
        if network.info and network.info.origin == "pruned":
            shape = f"The network before pruning. {shape}"
        blocks.append(network_drawing(stages, whole, title=network.title, caption=shape))
    blocks.append(Table(f"What {network.title} is", ("What", "Value"), _identity(network)))
    return blocks


def _identity(network: BasketNetwork) -> list[tuple[str, str]]:
    info = network.info
    assert info is not None
    rows = [
        ("Id", network.network_id),
        ("Kind", network.kind),
        ("Supernet", info.supernet_id),
        ("Architecture", info.arch_id),
    ]
    if network.known.sha256:
        rows.append(("SHA-256 of its weights", network.known.sha256))
    return [*rows, *network.known.facts]


def _sources(report: Report) -> list[Block]:
    blocks: list[Block] = []
    for supernet in report.supernets:
        rows = supernet_facts(supernet.entry)
        if who := report.started_by.get(supernet.entry.supernet_id, ""):
            rows.insert(1, ("Started by", display_name(who)))
        blocks.append(Table(f"Supernet {display_name(supernet.entry.title)}", ("What", "Value"), rows))
    blocks.append(Table("This report was made with", ("Program", "Version"), list(report.versions)))
    return blocks


def supernet_facts(entry: SupernetEntry) -> list[tuple[str, str]]:
    """Where a supernet's numbers come from: training, seed, data and the hashes of its files."""
    card = entry.card
    facts: list[tuple[str, str]] = [
        ("Id", entry.supernet_id),
        ("Family", entry.family),
        ("Subnets", format_count(entry.space.size)),
        ("Data", data_of(card).removeprefix("data ")),
        ("Trained by", _training(card.training)),
        ("Seed", "" if card.seed is None else str(card.seed)),
        ("Command", card.command),
        ("SHA-256 of the supernet", entry.sha256),
        ("SHA-256 of its table", entry.table_sha256),
        ("SHA-256 of the data's splits", card.data.fingerprint if card.data else ""),
        ("Made with", _versions(entry)),
    ]
    return [(what, display_name(text, 400)) for what, text in facts if text]


def _training(training: Mapping[str, object]) -> str:
    named = {
        "strategy": "strategy",
        "epochs": "epochs",
        "batch_size": "batch size",
        "learning_rate": "learning rate",
    }
    return ", ".join(f"{label} {training[name]}" for name, label in named.items() if name in training)


def _versions(entry: SupernetEntry) -> str:
    stated = entry.header.get("card", {}).get("versions")
    if not isinstance(stated, Mapping):
        return ""
    return ", ".join(f"{name} {version}" for name, version in list(stated.items())[:12])
