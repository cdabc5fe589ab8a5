"""The id of a network: origin, owner and number in one short text, for links, sessions and stored runs.

    subnet:digits-cnn:311131113111     a subnet of a supernet
    alone:RUN:0                        the first network of a stand-alone training run
    pruned:RUN:3                       the third network of a pruning run
    tuned:RUN:0                        the first network of a tuning run

Written and read here and nowhere else. What an origin means says its class in `core.library.origins`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from core.errors import InvalidInput, NotFound
from core.library.origins.base import ORIGINS

_PART = re.compile(r"[A-Za-z0-9_.-]{1,80}")


@dataclass(frozen=True)
class NetworkId:
    """Which network.

    Attributes:
        origin: registry name: "subnet", "alone", "pruned", "tuned".
        owner: id of the supernet or the run it belongs to.
        part: which one there: an architecture's short id, or a number.
    """

    origin: str
    owner: str
    part: str

    def __str__(self) -> str:
        return f"{self.origin}:{self.owner}:{self.part}"

    @property
    def number(self) -> int:
        """`part` as a number.

        Raises:
            NotFound: it is none, or written in another way than we write it: one network has one id.
        """
        if not self.part.isdecimal() or str(int(self.part)) != self.part:
            raise NotFound(f"{str(self)[:80]!r} names no network: after the run stands a number.")
        return int(self.part)

    @classmethod
    def parse(cls, text: str) -> NetworkId:
        """The id in a text; says nothing about whether there is such a network.

        Raises:
            InvalidInput: the text has not the form of one.
        """
        found = cls.find(text)
        if found is None:
            forms = [f"{name}:{ORIGINS.get(name).form}" for name in ORIGINS.names()]
            raise InvalidInput(
                f"{text[:80]!r} names no network; a network is {', '.join(forms[:-1])} or {forms[-1]}."
            )
        return found

    @classmethod
    def find(cls, text: str) -> NetworkId | None:
        """The id in a text, None if it has not the form of one."""
        parts = text.split(":")
        if len(parts) != 3 or parts[0] not in ORIGINS.names() or not all(map(_PART.fullmatch, parts[1:])):
            return None
        return cls(*parts)

    @classmethod
    def subnet(cls, supernet_id: str, arch_id: str) -> NetworkId:
        """Of a subnet."""
        return cls("subnet", supernet_id, arch_id)

    @classmethod
    def alone(cls, run_id: str, index: int) -> NetworkId:
        """Of a network trained alone."""
        return cls("alone", run_id, str(index))

    @classmethod
    def pruned(cls, run_id: str, index: int) -> NetworkId:
        """Of a pruned network."""
        return cls("pruned", run_id, str(index))

    @classmethod
    def tuned(cls, run_id: str, index: int) -> NetworkId:
        """Of a network of a tuning."""
        return cls("tuned", run_id, str(index))


def is_network_id(text: str) -> bool:
    """Whether a text has the form of a network's id."""
    return NetworkId.find(text) is not None
