"""The teacher's guide: 45 minutes by the minute, a note for each lesson, what is needed, who can see what."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from core.lessons.base import ComputedLesson, Lesson, all_lessons
from core.reports.document import Block, Document, Heading, Paragraph, Table
from core.reports.html import html_page
from core.settings import ASSETS
from core.words import format_about, format_bytes

TITLE = "Teacher's guide"
LEAD = (
    "45 minutes with up to thirty students and one laptop, then a note for each lesson. Nobody needs an account, and "
    "nothing is fetched from anywhere."
)

_MINUTES = (
    (
        "before",
        "Start the class server, open Class, press New class. Show the code, the link or the QR code.",
        "",
    ),
    (
        "0 to 5",
        "Say what a supernet is: one network that holds many. Set lesson 2 as what the class does now.",
        "Join with the code, choose a nickname, look around the Front page.",
    ),
    (
        "5 to 12",
        "Lesson 2. Watch the predictions come in on the board. Close them, press Reveal, and ask why the front is so short.",
        "Mark the subnets they believe to be on the front, and lock their prediction.",
    ),
    (
        "12 to 22",
        "Lessons 4 and 5, each student with a seed of their own. Compare the board's bars: what holds for every seed?",
        "Predict, reveal, then compute the lesson with their own seed. Jobs wait in one queue; reading goes on meanwhile.",
    ),
    (
        "22 to 35",
        "Lesson 7 as the shared experiment: open it on the Class page. Let the interval of Kendall's tau become narrower.",
        "Train one or two networks alone for the class, and see the order that comes out.",
    ),
    (
        "35 to 42",
        "The contest: name a budget of MACs. Entries are measured on images that nobody has seen.",
        "Find the best subnet under the budget on the Front page, and enter it: five tries.",
    ),
    (
        "42 to 45",
        "Ask what surprised them most. Take the board home: CSV, JSON with every seed, one HTML page.",
        "Download their subnet: it runs without this app.",
    ),
)

WHO_SEES = (
    (
        "A student",
        "the own runs and files, the class's predictions as bars once they are revealed, the shared experiment, the "
        "contest's leaderboard; never another's runs or answers.",
    ),
    ("The teacher", "nicknames, who is where, the predictions as bars, and how many answers are right."),
    ("Whoever runs the server", "what lies on its disk. Nothing is sent anywhere else."),
    ("Somebody without a class", "only the own address: what was done in the lessons stands in it."),
)


def document() -> Document:
    """The guide; the same code gives the same guide."""
    lessons = all_lessons()
    blocks: list[Block] = [
        Heading("45 minutes"),
        Table("What happens when", ("minutes", "you", "the students"), _MINUTES),
        Paragraph(
            f"All {len(lessons)} lessons take {sum(each.teacher.minutes for each in lessons)} minutes together; any of them "
            "can stand alone."
        ),
        *_before(),
        *_notes(lessons),
        Heading("Links and slides"),
        Paragraph(
            "Below each lesson, 'Link to this lesson' makes an address with the same run, seed and settings. What you "
            "choose there is hidden from whoever opens it: a control, the text, the seed, the links. With 'For a slide or "
            "a course page' the lesson stands alone, without the menu; the server must name the page that frames it in "
            "PARETOSCOPE_FRAME_ANCESTORS. Projector mode, in the menu, makes everything larger."
        ),
        Heading("Who can see what"),
        Table("Who can see what", ("who", "sees"), WHO_SEES),
        Paragraph(
            "The teacher's link is a secret: whoever has it leads the class. If it is lost, this makes another one, on the "
            "machine that runs the server:",
            link="python -m core class new-secret CODE",
        ),
    ]
    return Document(TITLE, LEAD, tuple(blocks))


def as_html() -> bytes:
    """The guide as one page that needs nothing else."""
    return html_page(document()).encode()


def _before() -> list[Block]:
    return [
        Heading("Before the class"),
        Paragraph(
            "Start the server on a laptop in the room. It prints its address on the local network and a QR code:",
            link="make class",
        ),
        Paragraph(
            "Two cores are enough for thirty students. Put a charger on the laptop, and switch off what makes it sleep. If the "
            "server ends, start it again: students go on where they were, and jobs that were cut off are taken up."
        ),
        Paragraph(
            "Offline pack: everything is in the project's own folder. The supernets with their complete tables take "
            f"{format_bytes(_size(ASSETS / 'supernets'))}, the shipped runs of lessons {format_bytes(_size(ASSETS / 'lessons'))}, "
            "and the digits come with a library that is installed. The first minute of the class works without any training, "
            "and without a connection to the internet."
        ),
    ]


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _notes(lessons: list[Lesson[Any]]) -> list[Block]:
    blocks: list[Block] = [Heading("A note for each lesson")]
    for each in lessons:
        number = "Beyond the twelve" if each.optional else f"Lesson {each.place}"
        blocks += [
            Heading(f"{number}: {each.label}", level=3),
            Paragraph(f"{each.teacher.minutes} minutes. Goal: {_lower(each.teacher.goal)}"),
            Paragraph(f"To expect: {_lower(each.teacher.typical_error)}"),
            Paragraph(_needs(each)),
        ]
    return blocks


def _lower(sentence: str) -> str:
    """A sentence that goes on after a colon; words such as MACs stay."""
    return sentence if sentence[1:2].isupper() else sentence[:1].lower() + sentence[1:]


def _needs(lesson: Lesson[Any]) -> str:
    if not isinstance(lesson, ComputedLesson):
        return "Reads the table of a supernet: opens at once with the shipped one."
    alone = (
        " One at a time measures, so a class waits its turn." if lesson.weight_class == "measuring" else ""
    )
    return (
        f"Opens at once with the shipped run; with a seed of one's own it takes {format_about(lesson.seconds)} of one core."
        f"{alone}"
    )
