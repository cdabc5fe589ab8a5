"""What a teacher sets, as changes of a class's rules."""

from __future__ import annotations

from core.store.class_rows import Rules


def reveal(rules: Rules, lesson: str, at: int) -> Rules:
    """The truth of a lesson may be seen; predictions that come later are not in the distribution.

    Args:
        at: the class's counter now.
    """
    return rules.model_copy(update={"revealed": {**rules.revealed, lesson: rules.revealed.get(lesson, at)}})


def unreveal(rules: Rules, lesson: str) -> Rules:
    """The truth of a lesson waits again; whoever has looked has looked."""
    return rules.model_copy(update={"revealed": {k: v for k, v in rules.revealed.items() if k != lesson}})


def close(rules: Rules, lesson: str, closed: bool) -> Rules:
    """Predictions of a lesson are closed, or open again."""
    others = tuple(each for each in rules.locked if each != lesson)
    return rules.model_copy(update={"locked": (*others, lesson) if closed else others})
