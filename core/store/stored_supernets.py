"""Supernet files that people brought, as a part of the store."""

from __future__ import annotations

import time
import uuid
from contextlib import suppress
from pathlib import Path

from sqlalchemy import delete, insert, select

from core.config import JsonObject
from core.errors import DamagedArtifact, NotFound
from core.store.database import Database
from core.store.files import Files
from core.store.ledger import plain_json, require_name
from core.store.permits import require_upload
from core.store.places import Blobs
from core.store.rows import StoredSupernet, read_supernet, supernets_query
from core.store.schema import SupernetRow, row_hash
from core.store.shared_uploads import SharedUploads


class SupernetsPart:
    """What `RunStore` does for them."""

    _database: Database
    _blobs: Blobs
    _files: Files
    _shared: SharedUploads | None

    def add_supernet(self, name: str, data: bytes, card: JsonObject) -> str:
        """Keep a supernet file and return its id.

        Args:
            name: what a person calls it.
            data: the .safetensors file.
            card: JSON-able; "family" and "data" are shown in lists.
        """
        require_upload(self._database)
        require_name(name)
        text = plain_json(card)
        self._share_uploads(text)
        supernet_id, sha256 = uuid.uuid4().hex, self._blobs.put(data)
        values = {"supernet_id": supernet_id, "sha256": sha256, "card": text}
        shown = {key: str(card.get(key) or "")[:100] for key in ("family", "data")}
        hashed = row_hash(supernet_id, sha256, text)
        with self._database.write("saving a supernet", supernet_id) as connection:
            self._files.secure(sha256, data)
            values |= {"name": name, "row_hash": hashed, **shown}
            connection.execute(insert(SupernetRow).values(**values, size=len(data), created=time.time()))
        return supernet_id

    def list_supernets(self) -> list[StoredSupernet]:
        """All stored supernets, newest first; damaged rows are left out (see `damaged`)."""
        found = []
        with self._database.read(tolerant=True) as connection:
            for row in connection.execute(supernets_query()).mappings():
                with suppress(DamagedArtifact):
                    found.append(read_supernet(dict(row)))
        return found

    def get_supernet(self, supernet_id: str) -> StoredSupernet:
        """One stored supernet.

        Raises:
            NotFound: there is none with this id.
            DamagedArtifact: its row has changed on the disk.
        """
        with self._database.read(tolerant=True) as connection:
            query = supernets_query(SupernetRow.supernet_id == supernet_id)
            row = connection.execute(query).mappings().one_or_none()
            if row is None:
                raise NotFound(f"There is no stored supernet {supernet_id[:32]!r}.")
            return read_supernet(dict(row))

    def supernet_path(self, supernet_id: str) -> Path:
        """The verified file of a stored supernet, to read and not to change.

        Raises:
            NotFound: there is none with this id.
            DamagedArtifact: its file is missing or has changed.
        """
        return self._blobs.locate(self.get_supernet(supernet_id).sha256)

    def delete_supernet(self, supernet_id: str) -> None:
        """Remove a stored supernet and its file.

        Raises:
            NotFound: there is none with this id.
        """
        this = SupernetRow.supernet_id == supernet_id
        with self._database.write("deleting a supernet", supernet_id) as connection:
            sha256 = connection.execute(select(SupernetRow.sha256).where(this)).scalar()
            if sha256 is None:
                raise NotFound(f"There is no stored supernet {supernet_id[:32]!r}.")
            connection.execute(delete(SupernetRow).where(this))
        self._files.forget([sha256])

    def _share_uploads(self, text: str) -> None:
        """Put where other servers find it what a request or a card names and this machine has."""
        if self._shared is not None:
            self._shared.share(text)
