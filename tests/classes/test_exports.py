"""What a teacher takes home: formulas are harmless, nobody is named where nobody may be, everything can be run again."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path

import pytest

from core.classes import contest, experiment, taking
from core.classes.board import asked_of
from core.classes.exports import class_csv, class_json
from core.classes.taking import own_seed
from core.lessons.base import SUPERNET
from core.library import supernets
from core.reports.class_page import class_page
from core.store import RunStore
from core.store.sandboxes import Sandboxes

HOSTILE = ('=HYPERLINK("http://x")', "<script>alert(1)", "@SUM(1+1)", '"><img src=x>', "Ada, \u202eBob")
LESSON = "dominance"


@pytest.fixture
def code(store: RunStore) -> str:
    """A class of hostile nicknames with a lesson, a network and an entry each."""
    room, _ = store.classes.create()
    store.classes.set_rules(room.code, lambda rules, at: contest.opened(rules, 60_000))
    store.classes.set_rules(
        room.code, lambda rules, at: rules.model_copy(update={"experiment": True, "waits": False})
    )
    entry, question = supernets.find(None, SUPERNET), asked_of(LESSON)
    assert question is not None
    for number, name in enumerate(HOSTILE):
        student, _ = store.classes.join(room.code, name)
        taking.lock(store.classes, student, LESSON, question.truth, evidence="=1+1")
        taking.reveal(store.classes, student, LESSON)
        taking.answered(store.classes, student, LESSON, float(number), right=number == 1)
        deal = store.class_work.deal(student, lambda n: experiment.dealt(entry, room.seed, n))
        store.class_work.queued(room.code, deal.number, f"{number:032x}")
        store.class_work.finished(room.code, deal.number, 0.9 + number / 100)
        tried = store.class_work.enter(student, supernet=SUPERNET, arch_id=f"a{number}", macs=100, of=10)
        store.class_work.judged(room.code, tried, number)
    return room.code


def every_file(store: RunStore, code: str) -> dict[str, str]:
    made = "2026-01-02 03:04 UTC"
    files = {
        "csv": class_csv(store, code),
        "json": class_json(store, code, made=made),
        "html": class_page(store, code, made=made),
    }
    return {name: data.decode() for name, data in files.items()}


def test_no_cell_is_a_formula_and_no_name_is_markup(store: RunStore, code: str) -> None:
    files = every_file(store, code)
    cells = [cell for row in csv.reader(io.StringIO(files["csv"])) for cell in row]
    assert not [cell for cell in cells if cell[:1] in ("=", "+", "-", "@")]
    assert "'=HYPERLINK" in files["csv"]
    assert "<script" not in files["html"]
    assert "<img" not in files["html"]
    assert "&lt;script&gt;alert(1)" in files["html"]
    assert "\u202e" not in "".join(files.values())


def test_the_page_stands_alone(store: RunStore, code: str) -> None:
    page = every_file(store, code)["html"]
    assert not re.findall(r"""(?:src|href)=["'](?!#)""", page)
    assert "default-src 'none'" in page
    assert "Leaderboard" in page
    assert "Kendall" in page


def test_an_anonymous_class_names_nobody_anywhere(store: RunStore, code: str) -> None:
    named = every_file(store, code)
    assert all("SUM(1+1)" in text for text in named.values())
    store.classes.set_rules(code, lambda rules, at: rules.model_copy(update={"anonymous": True}))
    for text in every_file(store, code).values():
        assert not any(part in text for part in ("HYPERLINK", "alert", "SUM", "img src", "Bob"))
        assert len(set(re.findall(r"Student \d+", text))) == len(HOSTILE)


def test_what_is_secret_is_in_no_file(store: RunStore, code: str) -> None:
    students = store.classes.students(code)
    [held] = store.classes.get(code).rules.contests
    for text in every_file(store, code).values():
        assert not any(each.student_id in text for each in students)
        assert str(held.seed) not in text
    store.classes.set_rules(code, lambda rules, at: contest.closed(rules))
    found = json.loads(every_file(store, code)["json"])
    assert found["contests"][0]["seed_of_hidden_images"] == held.seed


def test_everything_can_be_run_again_from_the_json(store: RunStore, code: str) -> None:
    found = json.loads(every_file(store, code)["json"])
    room, deals = store.classes.get(code), store.class_work.deals(code)
    assert found["seed"] == room.seed
    assert [each["run"] for each in found["shared_experiment"]] == [deal.run_id for deal in deals]
    assert all(
        f"--seed {d.seed}" in each["command"]
        for each, d in zip(found["shared_experiment"], deals, strict=True)
    )
    assert found["supernet"]["sha256"] == supernets.find(None, SUPERNET).sha256
    assert found["supernet"]["command"].startswith("python -m core train")
    assert {"paretoscope", "torch", "numpy"} <= set(found["versions"])
    assert len(found["steps"]) == 3 * len(HOSTILE)
    assert found["steps"][0]["taken"]["prediction"]


def test_the_json_says_what_runs_of_ones_own_were_asked_for(store: RunStore, tmp_path: Path) -> None:
    room, _ = store.classes.create()
    ada, _ = store.classes.join(room.code, "Ada")
    sandboxes = Sandboxes(tmp_path)
    run = sandboxes.open(ada.student_id).create_run(
        "compute_lesson", {"lesson": LESSON, "seed": 7}, title="t", seed=7
    )
    for lesson, evidence in ((LESSON, f"{run}:3"), ("ranking", "f" * 32)):
        taking.lock(store.classes, ada, lesson, 1.0, evidence=evidence)
    found = json.loads(class_json(store, room.code, made="now", sandboxes=sandboxes))
    asked = {"workflow": "compute_lesson", "seed": 7, "request": {"lesson": LESSON, "seed": 7}}
    assert found["runs"] == [{"run": run, "student": "Ada", **asked}]
    others = [store.classes.join(room.code, f"P{n}")[0] for n in range(5)]
    assert len({own_seed(room, each) for each in (ada, ada, *others)}) > 3
    sandboxes.close()


def test_a_removed_student_is_in_no_file_and_an_empty_class_has_all_three(store: RunStore, code: str) -> None:
    ada = store.classes.students(code)[0]
    store.classes.remove(code, ada.student_id)
    assert not any("HYPERLINK" in text for text in every_file(store, code).values())
    empty, _ = store.classes.create()
    assert all(every_file(store, empty.code).values())
