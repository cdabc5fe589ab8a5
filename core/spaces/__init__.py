"""Which architectures exist: choices, their canonical form, and arrays of millions of them."""

from core.spaces.choice import Arch, Choice
from core.spaces.space import SearchSpace

__all__ = ["Arch", "Choice", "SearchSpace"]
