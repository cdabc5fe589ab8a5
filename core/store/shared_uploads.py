"""Uploads for all servers, where these share no folder.

What a person hands over is first kept in the home of the server that got it. It goes to where the others find it when a row
names it, and is brought to a machine when something there wants it.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable
from pathlib import Path

from core import elsewhere
from core.errors import DamagedArtifact
from core.store.places import Blobs

_ID = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(r"([0-9a-f]{64})\.bin")


class SharedUploads:
    """A folder of uploads on this machine, and a place of uploads that all servers reach."""

    def __init__(self, folder: Path, blobs: Blobs, *, ask: bool = True) -> None:
        """From now on, until `close`, what the folder lacks is asked of `blobs`, unless told otherwise by `ask`."""
        self.folder, self.blobs = folder, blobs
        self._shared: set[str] = set()
        if ask:
            elsewhere.ask(folder, self.bring)

    def close(self) -> None:
        elsewhere.ask_no_more(self.folder, self.bring)

    def share(self, text: str) -> None:
        """Put where the others find it what a text names and this machine has.

        Raises:
            StorageFailed: it was refused.
        """
        self._share(_ID.findall(text))

    def share_all(self) -> None:
        """As `share`, of everything that lies here."""
        found = self.folder.iterdir() if self.folder.is_dir() else ()
        self._share(name[1] for path in found if (name := _NAME.fullmatch(path.name)))

    def _share(self, upload_ids: Iterable[str]) -> None:
        for upload_id in set(upload_ids) - self._shared:
            path = self.folder / f"{upload_id}.bin"
            if path.is_file():
                self.blobs.put(path.read_bytes())
                self._shared.add(upload_id)

    def bring(self, upload_id: str) -> bytes | None:
        """The verified bytes of an upload; None if there is none.

        Raises:
            DataUnavailable: the place cannot be reached.
        """
        try:
            return self.blobs.get(upload_id)
        except DamagedArtifact:
            return None

    def bring_all(self, upload_ids: Iterable[str]) -> None:
        """Bring those here that are to be had and are not here yet."""
        for upload_id in upload_ids:
            path = self.folder / f"{upload_id}.bin"
            data = None if path.exists() else self.bring(upload_id)
            if data is not None:
                self.folder.mkdir(parents=True, exist_ok=True)
                part = path.with_name(f".{path.name}.{uuid.uuid4().hex}.tmp")
                part.touch(0o600)
                part.write_bytes(data)
                part.replace(path)
