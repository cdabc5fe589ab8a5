"""Learn: twelve lessons with one figure each, whose numbers and answers are computed from a run."""

from __future__ import annotations

from pages.ui.learn import PAGE, lesson, lesson_map, state, teachers
from pages.ui.setup import setup

setup(PAGE)

view = state.current_view()
if view.guide:
    teachers.draw(view)
elif view.lesson:
    lesson.draw(view)
else:
    lesson_map.draw(view)
