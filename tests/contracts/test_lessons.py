"""Every lesson: words, one figure, answers that equal a slow independent oracle on random runs, every branch of its text.

An oracle is `tests/lessons/oracles/<name>.py` with `truth(evidence, controls)` and `answer(evidence, controls)`, written
without the lesson's own helpers and without the libraries they use.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from importlib import import_module
from types import FrameType
from typing import Any

import numpy as np
import pytest

from core.lessons.asking import Answer, Ask, Choose, Mark, Number, Order
from core.lessons.base import (
    LESSONS,
    MOST_WORDS,
    ComputedLesson,
    Lesson,
    Shown,
    all_lessons,
    check,
    controls_of,
    shipped,
)
from core.lessons.charts import Bars, Chart, Scatter
from core.settings import ASSETS

RUNS = 200
NAMES = LESSONS.names()
AFTERWARDS = {"right", "wrong", "missed"}
"""Roles of marks that tell the answer."""


def lesson(name: str) -> Lesson[Any]:
    made: Lesson[Any] = LESSONS.create(name)
    return made


def runs(each: Lesson[Any], n: int = RUNS) -> Iterator[tuple[Any, dict[str, Answer]]]:
    """Random evidence, each with the controls somewhere."""
    for seed in range(n):
        rng = np.random.default_rng([seed, 7])
        evidence = each.example(rng)
        at = {name: some_answer(ask, rng) for name, ask in each.controls(evidence).items()}
        yield evidence, controls_of(each, evidence, {name: as_json(value) for name, value in at.items()})


def some_answer(ask: Ask, rng: np.random.Generator) -> Answer:
    if isinstance(ask, Choose):
        return str(rng.choice(list(ask.options)))
    if isinstance(ask, Number):
        steps = int((ask.high - ask.low) / ask.step + 1e-9)
        return float(min(ask.high, ask.low + ask.step * int(rng.integers(0, steps + 1))))
    assert isinstance(ask, Mark | Order)
    keys = list(ask.options)
    n = len(keys) if isinstance(ask, Order) else int(rng.integers(ask.least, min(ask.most, len(keys)) + 1))
    return tuple(rng.permutation(keys)[:n].tolist())


def as_json(answer: Answer) -> Any:
    return json.loads(json.dumps(answer))


def same(ask: Ask, given: Any, truth: Answer) -> bool:
    if isinstance(given, frozenset | set):
        return isinstance(truth, tuple) and given == set(truth) and len(given) == len(truth)
    if isinstance(ask, Number):
        return abs(float(given) - float(truth)) <= 1e-6 * max(1.0, abs(float(truth)))  # type: ignore[arg-type]
    return bool(given == truth)


def mutated(ask: Ask, truth: Answer) -> list[Answer]:
    """Answers that are wrong, as near the right one as they get."""
    if isinstance(ask, Number):
        assert isinstance(truth, int | float)
        away = ask.tolerance * 1.01 + max(ask.step * 0.01, 1e-6)
        return [float(truth) + away, float(truth) - away]
    if isinstance(ask, Choose):
        return [key for key in ask.options if key != truth]
    assert isinstance(truth, tuple)
    if isinstance(ask, Order):
        return [(*truth[1:], truth[0])] if len(truth) > 1 else []
    others = [key for key in ask.options if key not in truth]
    return [truth[1:], *([(*truth, others[0])] if others else [])]


def oracle(name: str) -> Any:
    return import_module(f"tests.lessons.oracles.{name}")


def test_there_are_twelve_and_an_optional_one_in_order() -> None:
    places = [each.place for each in all_lessons() if not each.optional]
    assert places == sorted(set(places))
    assert set(places) <= set(range(1, 13))


@pytest.mark.parametrize("name", NAMES)
def test_answers_equal_the_oracle_and_mutated_ones_are_refused(name: str) -> None:
    each, seen = lesson(name), set()
    for evidence, controls in runs(each):
        for ask, found, expected in (
            (
                each.prediction(evidence, controls),
                each.truth(evidence, controls),
                oracle(name).truth(evidence, controls),
            ),
            (
                each.question(evidence, controls),
                each.answer(evidence, controls),
                oracle(name).answer(evidence, controls),
            ),
        ):
            assert same(ask, expected, found), (evidence, controls, expected, found)
            assert ask.read(as_json(found)) == found, "the right answer can be given"
            assert ask.right(found, found)
            assert not any(ask.right(wrong, found) for wrong in mutated(ask, found))
            assert ask.words(found)
            assert ask.text
        seen.add(json.dumps(each.answer(evidence, controls)))
    assert len(seen) > 1, "the answer depends on the run"


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_it_is_short_and_every_branch_of_its_text_is_said(name: str) -> None:
    each, methods = lesson(name), ("text", "found", "explain")
    lines: set[int] = set()
    codes = {getattr(type(each), method).__code__ for method in methods}

    def traced(frame: FrameType, event: str, _: Any) -> Any:
        if frame.f_code not in codes:
            return None
        if event == "line":
            lines.add(frame.f_lineno)
        return traced

    before = sys.gettrace()
    sys.settrace(traced)
    try:
        for number, (evidence, controls) in enumerate(runs(each)):
            rng = np.random.default_rng(number)
            prediction = some_answer(each.prediction(evidence, controls), rng)
            asked, truth = each.question(evidence, controls), each.answer(evidence, controls)
            parts = [*each.text(evidence), each.action(evidence), each.found(evidence, controls, prediction)]
            each.found(evidence, controls, each.truth(evidence, controls))
            assert len(words(" ".join(parts))) <= MOST_WORDS
            assert all(part.strip() for part in parts)
            for given in (truth, some_answer(asked, rng), *mutated(asked, truth)[:2]):
                checked = check(each, evidence, controls, given)
                assert checked.ok is asked.right(given, truth)
                assert len(words(checked.explanation)) <= 70
    finally:
        sys.settrace(before)
    unsaid = {at for method in methods for at in returns(getattr(type(each), method)) if at not in lines}
    assert not unsaid, f"no random run says what stands in lines {sorted(unsaid)}"


def words(text: str) -> list[str]:
    return re.findall(r"[\w%.,-]*\w[\w%.,-]*", text)


def returns(method: Any) -> list[int]:
    """Line numbers of the statements `return` and assignments of a method."""
    source, first = inspect.getsourcelines(method)
    tree = ast.parse(textwrap.dedent("".join(source)))
    found = [n for n in ast.walk(tree) if isinstance(n, ast.Return | ast.Assign | ast.AugAssign)]
    return [first + node.lineno - 1 for node in found]


@pytest.mark.parametrize("name", NAMES)
def test_no_answer_stands_in_its_file(name: str) -> None:
    """What is returned as an answer is computed: no literal but the empty one."""
    for method in ("truth", "answer"):
        tree = ast.parse(textwrap.dedent(inspect.getsource(getattr(type(lesson(name)), method))))
        for node in ast.walk(tree):
            if isinstance(node, ast.Return):
                assert not isinstance(node.value, ast.Constant), f"{method} returns a literal"


@pytest.mark.parametrize("name", NAMES)
def test_it_has_one_figure_that_does_not_tell_before_the_reveal(name: str) -> None:
    each, kinds = lesson(name), set()
    for number, (evidence, controls) in enumerate(runs(each, 40)):
        rng = np.random.default_rng(number)
        given = some_answer(each.prediction(evidence, controls), rng)
        for shown in (
            Shown(controls),
            Shown(controls, given),
            Shown(controls, given, revealed=True),
        ):
            chart = each.figure(evidence, shown)
            kinds.add(type(chart))
            assert chart.says, "for those who do not see it"
            assert chart == each.figure(evidence, shown) or _has_nan(chart)
            if not shown.revealed:
                assert not told(chart)
    assert len(kinds) == 1


def _has_nan(chart: Chart) -> bool:
    return "nan" in repr(chart)


def told(chart: Chart) -> bool:
    if isinstance(chart, Scatter):
        return any(group.role in AFTERWARDS for group in chart.groups)
    if isinstance(chart, Bars):
        return any(not np.isnan(chart.series[label]).all() for label in chart.hidden)
    return False


@pytest.mark.parametrize("name", NAMES)
def test_its_evidence_is_kept_as_json_and_links_lead_to_pages(name: str) -> None:
    each = lesson(name)
    evidence = each.example(np.random.default_rng(3))
    assert repr(each.Evidence.decode(evidence.encode())) == repr(evidence)
    links = each.further(evidence)
    assert links
    for link in links:
        assert (ASSETS.parent / "pages" / f"{link.page}.py").is_file()
        assert link.text.endswith(".")
    note = each.teacher
    assert note.goal
    assert note.typical_error
    assert 1 <= note.minutes <= 15
    assert each.source


@pytest.mark.parametrize("name", [name for name in NAMES if isinstance(lesson(name), ComputedLesson)])
def test_a_computed_one_is_shipped_with_seed_0(name: str) -> None:
    evidence = shipped(lesson(name))  # type: ignore[arg-type]
    assert evidence.seed == 0
    assert evidence.about


def test_opening_them_loads_no_torch() -> None:
    """All of them, with text and figure: a page opens at once."""
    code = (
        "import sys; from core.lessons.base import *; from core.library.library import Library\n"
        "for each in all_lessons():\n"
        "    evidence = evidence_of(each, Library()); controls = controls_of(each, evidence, {})\n"
        "    each.text(evidence), each.figure(evidence, Shown(controls))\n"
        "assert len(all_lessons()) > 5 and not {'torch', 'umap', 'streamlit'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ASSETS.parent, timeout=120)
