"""A prefix of an object store, asked with patience: whole objects by name, through `obstore`.

Whatever the store answers becomes one sentence of ours; its own words stay out of messages and logs, for they may hold addresses
that are signed. Credentials come from the environment alone (`AWS_ACCESS_KEY_ID`, `GOOGLE_APPLICATION_CREDENTIALS`,
`AZURE_STORAGE_ACCOUNT_KEY`, ... as the store's own tools read them).
"""

from __future__ import annotations

import os
import random
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol, TypeVar, cast

from core.errors import CoreError, DataUnavailable, InvalidInput, StorageFailed

R = TypeVar("R")
PAUSES = (0.2, 1.0)
"""Seconds before the second and the third attempt, about."""
_SILENCE = 5.0
"""Seconds for which a store that did not answer is not asked again for something to read, so that no page waits twice."""
_DENIED = re.compile(r"status code: 40[13]\b")
_CLIENT = {"connect_timeout": "4s", "read_timeout": "20s", "timeout": "15min"}
_RETRIES = {
    "max_retries": 3,
    "retry_timeout": timedelta(seconds=20),
    "backoff": {
        "init_backoff": timedelta(milliseconds=200),
        "max_backoff": timedelta(seconds=4),
        "base": 2,
    },
}


@dataclass(frozen=True)
class Stored:
    """An object in a list.

    Attributes:
        name: below the prefix.
        size: in bytes.
        modified: when it was written, by the store's clock.
    """

    name: str
    size: int
    modified: datetime


class ObjectStore(Protocol):
    """What is asked of a store of `obstore`."""

    def put(self, path: str, file: bytes, **options: Any) -> Any: ...
    def get(self, path: str) -> Any: ...
    def head(self, path: str) -> Any: ...
    def list(self, prefix: str | None = None) -> Any: ...
    def list_with_delimiter(self, prefix: str | None = None) -> Any: ...
    def copy(self, from_: str, to: str) -> None: ...
    def delete(self, paths: str) -> None: ...


def opened(url: str) -> ObjectStore:
    """The store that a URL names; it is not asked anything yet.

    Raises:
        InvalidInput: `obstore` is not installed, or the URL or what the environment says of the store cannot be used.
    """
    try:
        from obstore.store import from_url
    except ImportError as error:
        raise InvalidInput(
            "PARETOSCOPE_FILES_URL names an object store, and the package that speaks to it is missing: "
            "`pip install obstore`, or leave the setting empty to keep files in the home."
        ) from error
    # What is given here stands in the place of what the environment says of the connection.
    plain = any(
        os.environ.get(f"{who}_ALLOW_HTTP", "").lower() == "true" for who in ("AWS", "AZURE", "GOOGLE")
    )
    options: dict[str, Any] = {"client_options": _CLIENT | {"allow_http": plain}, "retry_config": _RETRIES}
    try:
        return cast(ObjectStore, from_url(url, **options))
    except Exception as error:
        raise InvalidInput(
            f"The object store {url} cannot be opened ({type(error).__name__}). Check PARETOSCOPE_FILES_URL, which reads like "
            "s3://bucket/folder, and the settings of the store in the environment, such as AWS_REGION."
        ) from None


class Objects:
    """Whole objects below one prefix."""

    def __init__(self, store: ObjectStore, place: str, pauses: tuple[float, ...] = PAUSES) -> None:
        """Nothing is asked yet.

        Args:
            store: of `obstore`.
            place: its URL, as a person is shown it.
            pauses: seconds before further attempts; each is made a little longer or shorter by chance.
        """
        self.place = place
        self._store, self._pauses = store, pauses
        self._silent_until = 0.0

    def get(self, name: str) -> bytes | None:
        """The content of an object; None if there is none.

        Raises:
            DataUnavailable: the store cannot be reached, or refuses.
        """
        return self._read(lambda: bytes(self._store.get(name).bytes()))

    def size(self, name: str) -> int | None:
        """Bytes of an object; None if there is none. Raises as `get`."""
        return self._read(lambda: int(self._store.head(name)["size"]))

    def below(self, prefix: str) -> list[Stored]:
        """Every object below a prefix, which ends with a slash. Raises as `get`."""

        def listed() -> list[Stored]:
            found = (each for part in self._store.list(prefix) for each in part)
            return [Stored(each["path"], int(each["size"]), each["last_modified"]) for each in found]

        return self._read(listed) or []

    def folders(self, prefix: str) -> list[str]:
        """The last parts of the prefixes right below one, which ends with a slash or is empty. Raises as `get`."""

        def listed() -> list[str]:
            found = self._store.list_with_delimiter(prefix or None)["common_prefixes"]
            return sorted(each.rstrip("/").rpartition("/")[2] for each in found)

        return self._read(listed) or []

    def put(self, name: str, data: bytes) -> None:
        """Write an object whole, over what may be there; it is durable when this returns.

        Raises:
            StorageFailed: the store cannot be reached, or refuses; what was there before is intact.
        """
        if self._write("saving a file", lambda: self._store.put(name, data)) is None:
            raise StorageFailed(self._sentence("saving a file", "has no bucket of that name"))

    def claim(self, name: str, data: bytes) -> bool:
        """Write an object unless there is one; False if there was. Raises as `put`."""

        def made() -> bool:
            try:
                self._store.put(name, data, mode="create")
            except Exception as error:
                if type(error).__name__ in ("AlreadyExistsError", "PreconditionError"):
                    return False
                raise
            return True

        answer = self._write("opening the files of this database", made)
        if answer is None:
            raise StorageFailed(
                self._sentence("opening the files of this database", "has no bucket of that name")
            )
        return answer

    def copy(self, name: str, target: str) -> bool:
        """Copy an object within the store; False if there is none. Raises as `put`."""

        def copied() -> bool:
            self._store.copy(name, target)
            return True

        return bool(self._write("moving a file", copied))

    def move(self, name: str, target: str) -> bool:
        """Copy an object, and delete it where it was once the copy is durable; False if there is none. Raises as `put`."""
        if not self.copy(name, target):
            return False
        if self.size(target) is None:
            raise StorageFailed(
                self._sentence("moving a file", "said that it copied a file and does not have it")
            )
        self.delete(name)
        return True

    def delete(self, name: str) -> None:
        """Delete an object if it is there. Raises as `put`."""
        self._write("removing a file", lambda: self._store.delete(name))

    def _read(self, call: Callable[[], R]) -> R | None:
        if time.monotonic() < self._silent_until:
            raise DataUnavailable(self._sentence("reading a file", "does not answer"))
        return self._patiently("reading a file", call, DataUnavailable)

    def _write(self, doing: str, call: Callable[[], R]) -> R | None:
        return self._patiently(doing, call, StorageFailed)

    def _patiently(self, doing: str, call: Callable[[], R], kind: type[CoreError]) -> R | None:
        """Try a few times; None where the store says that there is no such object."""
        for pause in (*self._pauses, None):
            try:
                answer = call()
            except FileNotFoundError:
                return None
            except Exception as error:
                if not _expected(error):
                    raise
                said = _refusal(error)
                if said or pause is None:
                    if kind is DataUnavailable and not said:
                        self._silent_until = time.monotonic() + _SILENCE
                    raise kind(self._sentence(doing, said or "does not answer")) from None
                time.sleep(pause * random.uniform(0.7, 1.3))
            else:
                self._silent_until = 0.0
                return answer
        raise AssertionError("the last attempt returns or raises")

    def _sentence(self, doing: str, what: str) -> str:
        return (
            f"The object store {self.place} {what}, so {doing} failed. Everything saved before is intact: check the network "
            "and the store's credentials in the environment, then try again."
        )


def _expected(error: Exception) -> bool:
    """Whether a store says this of itself; anything else is a fault of ours."""
    return type(error).__module__.startswith("obstore") or isinstance(error, (OSError, ValueError))


def _refusal(error: Exception) -> str:
    """What a store refuses, which trying again does not change; "" for what may pass."""
    name = type(error).__name__
    if name in ("PermissionDeniedError", "UnauthenticatedError") or _DENIED.search(str(error)):
        return "refuses these credentials"
    return (
        "cannot do what is asked of it"
        if name in ("NotSupportedError", "InvalidPathError", "UnknownConfigurationKeyError")
        else ""
    )


def age(stored: Stored, now: datetime | None = None) -> float:
    """Seconds since an object was written."""
    return ((now or datetime.now(UTC)) - stored.modified).total_seconds()


def each_name(listed: list[Stored], prefix: str) -> Iterator[tuple[str, Stored]]:
    """(what follows the prefix, object) of a list."""
    yield from ((stored.name.removeprefix(prefix), stored) for stored in listed)
