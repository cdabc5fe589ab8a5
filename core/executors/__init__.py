"""Where named functions run: in this process, in several, or on a cluster."""

from core.executors.base import EXECUTORS, Executor
from core.executors.calls import Call, Desk, Done, Node
from core.executors.choosing import chosen
from core.executors.session import Session

__all__ = ["EXECUTORS", "Call", "Desk", "Done", "Executor", "Node", "Session", "chosen"]
