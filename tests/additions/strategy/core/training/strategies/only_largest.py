"""A strategy for a test, with an action of its own."""

from core.training.actions import action
from core.training.draws import Draw, Phase, Term
from core.training.strategies.base import STRATEGIES, Strategy


@action("note")
def note(session):
    print("noted at", session.epoch)


@STRATEGIES.register("only_largest")
class OnlyLargest(Strategy):
    """The largest subnet alone."""

    label = "Only the largest"
    source = "a test"
    needs_ends = True

    def phases(self, space):
        return [Phase("a", 0.5), Phase("b", 0.5, actions=("note",))]

    def draws(self, space, phase, rng):
        return [Draw(space.largest, (Term("ten_times_labels"),))]
