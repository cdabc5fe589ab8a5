"""A closer look at the front."""

from __future__ import annotations

from core.views.memory import MEMORY
from pages.ui import closer_look
from pages.ui.front import state as front_state
from pages.ui.front.scene import Scene
from pages.ui.front.view import View

_CONTEXT = "context"
_TITLES = {
    "third": "Third objective",
    _CONTEXT: "Memory and context",
    "parallel": "All objectives and choices",
    "importance": "Which choices matter",
    "several": "Several fronts",
    "robustness": "Robustness",
}


def draw(scene: Scene) -> View:
    """Choose a panel and draw it; returns the view of the page with what the panel adds."""
    kept, titles = front_state.kept_view(), dict(_TITLES)
    if MEMORY not in {goal.name for goal in scene.shown.goals}:
        del titles[_CONTEXT]
        kept = kept.without_panel() if kept.closer == _CONTEXT else kept
    return closer_look.draw(
        scene,
        scene.view,
        kept,
        folder="pages.ui.front",
        titles=titles,
        key="closer-panel",
        about="A third objective and selecting many subnets; for language models memory at every context; parallel coordinates; the importance of each choice; fronts of "
        "several objectives, supernets or pruned networks in one chart; subnets under attack.",
    )
