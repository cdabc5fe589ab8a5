"""Baskets: named lists of networks, kept for everybody who uses this home.

A network is one row, so that two people who add to one basket at the same moment both succeed. What a network
was called is kept beside its id: where it no longer exists the list can still say what is missing. A deleted
basket is kept a while, so that deleting can be undone.
"""

from __future__ import annotations

import math
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection, delete, func, insert, select, update

from core.errors import InvalidInput, NotFound
from core.store.database import Database
from core.store.schema import BasketItemRow, BasketRow, row_hash

LONGEST_NAME = 80
MOST_NETWORKS = 200
"""Networks in one basket: a report of more is not read."""
MOST_BASKETS = 500
KEPT_SECONDS = 30 * 86_400.0
"""How long a deleted basket can be brought back."""

_LONGEST_TITLE = 200
_LATELY_SECONDS = 1.0


@dataclass(frozen=True)
class BasketItem:
    """A network in a basket.

    Attributes:
        network_id: see `core.library.network_id`.
        title: what it was called when it was put in.
        place: its order in the basket.
    """

    network_id: str
    title: str
    place: int


@dataclass(frozen=True)
class BasketName:
    """A basket in a list.

    Attributes:
        basket_id: 128-bit random id, hexadecimal.
        name: what a person calls it.
        size: networks in it.
    """

    basket_id: str
    name: str
    size: int


@dataclass(frozen=True)
class Basket:
    """A basket with what is in it.

    Attributes:
        basket_id: 128-bit random id, hexadecimal.
        name: what a person calls it.
        created: seconds since the epoch, for display only.
        items: in the order they were put in.
    """

    basket_id: str
    name: str
    created: float
    items: tuple[BasketItem, ...]

    @property
    def network_ids(self) -> tuple[str, ...]:
        return tuple(item.network_id for item in self.items)


class Baskets:
    """The baskets of this home."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._changes = 0
        self._seen: dict[str, tuple[float, Basket | None]] = {}

    def create(self, name: str) -> str:
        """Make an empty basket and return its id.

        Raises:
            InvalidInput: the name has no letters, or there are too many baskets.
        """
        basket_id, shown = uuid.uuid4().hex, checked_name(name)
        with self._change("saving a basket") as connection:
            there = select(func.count()).select_from(BasketRow).where(BasketRow.deleted.is_(None))
            if (connection.execute(there).scalar() or 0) >= MOST_BASKETS:
                raise InvalidInput("There are too many baskets; delete one that is no longer needed.")
            values = {"basket_id": basket_id, "name": shown, "row_hash": row_hash(basket_id, shown)}
            counted = insert(BasketRow).values(**values, changed=_next(connection))
            connection.execute(counted.values(created=time.time(), deleted=None))
        return basket_id

    def list(self) -> list[BasketName]:
        """All baskets, the last one changed first."""
        row = BasketRow
        sizes = select(BasketItemRow.basket_id, func.count().label("size")).group_by(BasketItemRow.basket_id)
        counted = sizes.subquery()
        query = select(row.basket_id, row.name, func.coalesce(counted.c.size, 0))
        query = query.outerjoin(counted, counted.c.basket_id == row.basket_id).where(row.deleted.is_(None))
        with self._database.read(tolerant=True) as connection:
            found = connection.execute(query.order_by(row.changed.desc(), row.basket_id))
            return [BasketName(*each) for each in found]

    def get(self, basket_id: str) -> Basket:
        """A basket with its networks.

        Raises:
            NotFound: there is none, or it was deleted.
        """
        row, item = BasketRow, BasketItemRow
        query = select(row.name, row.created).where(row.basket_id == basket_id, row.deleted.is_(None))
        items = select(item.network_id, item.title, item.place).where(item.basket_id == basket_id)
        with self._database.read(tolerant=True) as connection:
            found = connection.execute(query).one_or_none()
            if found is None:
                raise NotFound("This basket does not exist any more; choose another one, or make a new one.")
            inside = connection.execute(items.order_by(item.place, item.network_id))
            return Basket(basket_id, *found, tuple(BasketItem(*each) for each in inside))

    def lately(self, basket_id: str | None) -> Basket | None:
        """A basket, or the one changed last, as it was at most a second ago; None where there is none.

        A change made through this object is seen at once. For pages that draw it at every click.
        """
        changes, now = self._changes, time.monotonic()
        when, known = self._seen.get(basket_id or "", (-math.inf, None))
        if now - when < _LATELY_SECONDS:
            return known
        found = self._now(basket_id)
        if changes == self._changes:
            self._seen[basket_id or ""] = now, found
        return found

    def _now(self, basket_id: str | None) -> Basket | None:
        which = basket_id or next((each.basket_id for each in self.list()), None)
        try:
            return self.get(which) if which else None
        except NotFound:
            return None

    @contextmanager
    def _change(self, doing: str) -> Iterator[Connection]:
        try:
            with self._database.write(doing) as connection:
                yield connection
        finally:
            self._changes += 1
            self._seen = {}

    def find(self, name_or_id: str) -> Basket:
        """The basket with this id, or the one with this name that was changed last.

        Raises:
            NotFound: there is none.
        """
        for each in self.list():
            if name_or_id in (each.basket_id, each.name):
                return self.get(each.basket_id)
        raise NotFound(f"There is no basket called {name_or_id[:60]!r}; `python -m core baskets` lists them.")

    def add(self, basket_id: str, network_id: str, title: str, *, place: int | None = None) -> bool:
        """Put a network into a basket; False if it is in it already.

        Args:
            basket_id: of the basket.
            network_id: of the network.
            title: what it is called now.
            place: where it stood, to undo a removal; the end if left out.

        Raises:
            NotFound: the basket was deleted.
            InvalidInput: the basket is full.
        """
        item, shown = BasketItemRow, _one_line(title, _LONGEST_TITLE)
        with self._change("adding to a basket") as connection:
            self._touch(connection, basket_id)
            mine = item.basket_id == basket_id
            count, last = connection.execute(select(func.count(), func.max(item.place)).where(mine)).one()
            if connection.execute(select(item.place).where(mine, item.network_id == network_id)).first():
                return False
            if count >= MOST_NETWORKS:
                raise InvalidInput(f"A basket holds at most {MOST_NETWORKS} networks; remove one first.")
            values = {"basket_id": basket_id, "network_id": network_id, "title": shown}
            values["row_hash"] = row_hash(*values.values())
            at = (0 if last is None else last + 1) if place is None else int(place)
            connection.execute(insert(item).values(**values, place=at))
        return True

    def add_all(self, basket_id: str, networks: Sequence[tuple[str, str]]) -> int:
        """Put several networks, (id, title) each, into a basket: all of them or none. Returns how many are new.

        Raises:
            NotFound: the basket was deleted.
            InvalidInput: they do not all fit.
        """
        item, titles = BasketItemRow, dict(networks)
        with self._change("adding to a basket") as connection:
            self._touch(connection, basket_id)
            mine = item.basket_id == basket_id
            there = set(connection.execute(select(item.network_id).where(mine)).scalars())
            last = connection.execute(select(func.max(item.place)).where(mine)).scalar()
            new = [each for each in titles if each not in there]
            if len(there) + len(new) > MOST_NETWORKS:
                raise InvalidInput(
                    f"A basket holds at most {MOST_NETWORKS} networks: {len(there)} are in it and {len(new)} would come. "
                    "Select fewer, or begin another basket."
                )
            first = 0 if last is None else last + 1
            for place, network_id in enumerate(new, start=first):
                values = {"basket_id": basket_id, "network_id": network_id}
                values["title"] = _one_line(titles[network_id], _LONGEST_TITLE)
                values["row_hash"] = row_hash(*values.values())
                connection.execute(insert(item).values(**values, place=place))
        return len(new)

    def remove(self, basket_id: str, network_id: str) -> BasketItem | None:
        """Take a network out of a basket and return what was there; None if it was not in it.

        Raises:
            NotFound: the basket was deleted.
        """
        item = BasketItemRow
        this = (item.basket_id == basket_id) & (item.network_id == network_id)
        with self._change("removing from a basket") as connection:
            self._touch(connection, basket_id)
            found = connection.execute(
                select(item.network_id, item.title, item.place).where(this)
            ).one_or_none()
            connection.execute(delete(item).where(this))
        return BasketItem(*found) if found else None

    def rename(self, basket_id: str, name: str) -> None:
        """Give a basket another name.

        Raises:
            InvalidInput: the name has no letters.
            NotFound: the basket was deleted.
        """
        shown = checked_name(name)
        with self._change("renaming a basket") as connection:
            self._touch(connection, basket_id, name=shown, row_hash=row_hash(basket_id, shown))

    def delete(self, basket_id: str) -> None:
        """Delete a basket; `restore` brings it back for 30 days.

        Raises:
            NotFound: it was deleted already.
        """
        now = time.time()
        with self._change("deleting a basket") as connection:
            self._touch(connection, basket_id, deleted=now)
            connection.execute(delete(BasketRow).where(BasketRow.deleted < now - KEPT_SECONDS))

    def restore(self, basket_id: str) -> None:
        """Bring a deleted basket back, with everything in it.

        Raises:
            NotFound: it is gone for good.
        """
        this = BasketRow.basket_id == basket_id
        with self._change("bringing a basket back") as connection:
            if connection.execute(update(BasketRow).where(this).values(deleted=None)).rowcount != 1:
                raise NotFound("This basket is gone for good.")

    def _touch(self, connection: Connection, basket_id: str, **values: str | float) -> None:
        this = (BasketRow.basket_id == basket_id) & BasketRow.deleted.is_(None)
        changed = update(BasketRow).where(this).values(**values, changed=_next(connection))
        if connection.execute(changed).rowcount != 1:
            raise NotFound("This basket does not exist any more; choose another one, or make a new one.")


def checked_name(name: str) -> str:
    """A basket's name as it is kept: one line of at most 80 characters.

    Raises:
        InvalidInput: nothing is left of it, or it is longer.
    """
    shown = _one_line(name, 10 * LONGEST_NAME)
    if not shown:
        raise InvalidInput("Give the basket a name.")
    if len(shown) > LONGEST_NAME:
        raise InvalidInput(
            f"A basket's name has at most {LONGEST_NAME} characters; this one has {len(shown)}."
        )
    return shown


def _one_line(text: str, longest: int) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:longest].strip()


def _next(connection: Connection) -> int:
    """Order comes from counters, because clocks jump."""
    return (connection.execute(select(func.max(BasketRow.changed))).scalar() or 0) + 1
