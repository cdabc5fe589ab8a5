"""A closer look at the front."""

from __future__ import annotations

from pages.ui import closer_look
from pages.ui.front import state as front_state
from pages.ui.front.scene import Scene
from pages.ui.front.view import View

_TITLES = {
    "third": "Third objective",
    "parallel": "All objectives and choices",
    "importance": "Which choices matter",
    "several": "Several fronts",
    "robustness": "Robustness",
}


def draw(scene: Scene) -> View:
    """Choose a panel and draw it; returns the view of the page with what the panel adds."""
    return closer_look.draw(
        scene,
        scene.view,
        front_state.kept_view(),
        folder="pages.ui.front",
        titles=_TITLES,
        key="closer-panel",
        about="A third objective and selecting many subnets; parallel coordinates; the importance of each choice; fronts of "
        "several objectives, supernets or pruned networks in one chart; subnets under attack.",
    )
