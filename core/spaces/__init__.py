"""Which architectures exist: choices, their canonical form, and arrays of millions of them."""

from core.spaces.choice import Arch, Choice
from core.spaces.space import Archs, SearchSpace

__all__ = ["Arch", "Archs", "Choice", "SearchSpace"]
