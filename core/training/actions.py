"""What a phase may do at its start, by name.

A strategy that needs something new registers it beside its class; the names a phase lists are looked up
when the phase begins, after the strategy's module was imported.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from core.training.session import Session

Action = Callable[["Session"], None]

ACTIONS: dict[str, Action] = {}


def action(name: str) -> Callable[[Action], Action]:
    """Decorator: what a phase does at its start when it lists this name.

    Raises:
        ValueError: the name is taken.
    """

    def register(function: Action) -> Action:
        if name in ACTIONS:
            raise ValueError(f"action {name!r} is registered twice")
        ACTIONS[name] = function
        return function

    return register


@action("sort_channels")
def sort_channels(session: Session) -> None:
    """Order each block's inner channels by importance; what the largest subnet computes stays."""
    session.net.sort_channels()
    _changed_places(session)


@action("freeze_teacher")
def freeze_teacher(session: Session) -> None:
    """Keep a copy of the weights as they are now as the teacher from here on."""
    session.freeze_teacher()


@action("order_units")
def order_by_importance(session: Session) -> None:
    """Put units into the order of importance that the strategy's settings name; the largest subnet stays what it is.

    Families whose units keep their places are left as they are.
    """
    from core.supernets.ordering import order_units

    config = session.strategy.config
    if not session.net.orderable():
        return
    order_units(session.net, config.criterion, session.dataset, session.seed)
    _changed_places(session)


def _changed_places(session: Session) -> None:
    """Momentum and averages belong to the channels they were gathered for; these have just changed places."""
    session.forget_momentum()
    session.restart_average()
