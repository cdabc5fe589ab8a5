"""Which of many things are still kept when only so many bytes are: the least recently used go first.

The evaluator keeps activations by this, and a search that plans by what is kept counts along.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Set


class KeptBytes:
    """A bound on bytes.

    Args:
        limit: most bytes that are kept at once.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0
        self._sizes: OrderedDict[Hashable, int] = OrderedDict()

    def __contains__(self, key: object) -> bool:
        return key in self._sizes

    def __len__(self) -> int:
        return len(self._sizes)

    def renew(self, key: Hashable) -> None:
        """Make something the most recent one, if it is kept."""
        if key in self._sizes:
            self._sizes.move_to_end(key)

    def touch(self, key: Hashable, size: int, held: Set[Hashable] = frozenset()) -> list[Hashable]:
        """Use something: it becomes the most recent one, and is kept from now on if it fits.

        Args:
            key: what is used.
            size: its bytes; only read when it is not kept yet.
            held: keys that must not go now.

        Returns:
            What had to go; the key itself if there is no room for it.
        """
        if key in self._sizes:
            self._sizes.move_to_end(key)
            return []
        gone: list[Hashable] = []
        if size > self.limit:
            return [key]
        for old in list(self._sizes):
            if self.used + size <= self.limit:
                break
            if old not in held:
                self.used -= self._sizes.pop(old)
                gone.append(old)
        if self.used + size > self.limit:
            return [*gone, key]
        self._sizes[key] = size
        self.used += size
        return gone
