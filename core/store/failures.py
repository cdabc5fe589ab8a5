"""Turns what the disk and the database say into one plain sentence.

The same full disk arrives as ENOSPC, EDQUOT, EFBIG, SQLITE_FULL or SQLITE_IOERR_WRITE, depending on who
noticed first; a person needs to read only what was kept and what to do.
"""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import SQLAlchemyError

from core.errors import CoreError, DamagedArtifact, DatabaseAway, StorageFailed

_FULL = (errno.ENOSPC, errno.EDQUOT)
_DENIED = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST)
_KEPT = "Everything saved before is intact"
_AWAY_STATES = ("08", "57P", "25P03", "53300")
"""How codes of Postgres begin that say: no connection, ended by its operator, ended for standing still, no more room."""


@contextmanager
def plain_failures(doing: str) -> Iterator[None]:
    """Raise `StorageFailed` or `DamagedArtifact` for whatever the disk or the database raises inside.

    Args:
        doing: what was attempted, as the subject of a sentence ("saving a checkpoint").
    """
    try:
        yield
    except CoreError:
        raise
    except (OSError, SQLAlchemyError, sqlite3.Error, UnicodeError) as error:
        raise explain(error, doing) from error


@contextmanager
def readable_rows() -> Iterator[None]:
    """Raise `DamagedArtifact` if a stored row cannot be decoded inside, as after a flipped bit."""
    try:
        yield
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        raise _unreadable() from error


def explain(error: Exception, doing: str) -> CoreError:
    """The exception to show instead of `error`."""
    if isinstance(error, OSError):
        return _explain_os(error, doing)
    if isinstance(error, UnicodeError):  # SQLite's own words about a damaged file, or a damaged text
        return _damaged(doing)
    cause = getattr(error, "orig", None) or error
    text = str(cause).lower()
    state = getattr(cause, "sqlstate", None) or ""
    if type(cause).__module__.startswith("psycopg"):
        if (
            "authentication failed" in text
            or "pg_hba.conf" in text
            or ("does not exist" in text and not state)
        ):
            return StorageFailed(
                f"The database refused the connection, so {doing} failed. Check PARETOSCOPE_DATABASE_URL: its user, "
                "password and name."
            )
        if getattr(error, "connection_invalidated", False) or state.startswith(_AWAY_STATES) or not state:
            return DatabaseAway(
                f"The database does not answer, so {doing} failed. {_KEPT}: check that it runs and can be reached; work "
                "goes on by itself when it is back."
            )
        if state in ("55P03", "57014"):  # waited too long for a lock, or worked too long
            return StorageFailed(
                f"Another program is using the database, so {doing} failed. {_KEPT}: try again."
            )
    if "could not decode" in text:
        return _unreadable()
    if "malformed" in text or "not a database" in text:
        return _damaged(doing)
    if "full" in text:
        return StorageFailed(f"The disk is full, so {doing} failed. {_KEPT}: free some space and resume.")
    if "disk i/o" in text:
        return StorageFailed(
            f"The disk refused a write (it may be full), so {doing} failed. {_KEPT}: make room and resume."
        )
    if "readonly" in text or "read-only" in text or "unable to open" in text:
        return StorageFailed(_denied(doing))
    if "locked" in text or "busy" in text:
        return StorageFailed(f"Another program is using the database, so {doing} failed. {_KEPT}: try again.")
    return StorageFailed(f"The database refused {doing} ({type(cause).__name__}). {_KEPT}: try again.")


def _explain_os(error: OSError, doing: str) -> StorageFailed:
    if error.errno in _FULL:
        return StorageFailed(f"The disk is full, so {doing} failed. {_KEPT}: free some space and resume.")
    if error.errno == errno.EFBIG:
        return StorageFailed(f"The system allows no larger files, so {doing} failed. {_KEPT}.")
    if error.errno in _DENIED:
        return StorageFailed(_denied(doing))
    reason = error.strerror or type(error).__name__
    return StorageFailed(f"The disk refused {doing} ({reason}). {_KEPT}: try again.")


def _damaged(doing: str) -> DamagedArtifact:
    return DamagedArtifact(
        f"The database is damaged, so {doing} failed. Run the check command, and restore a backup of the "
        "database file if it confirms this."
    )


def _unreadable() -> DamagedArtifact:
    return DamagedArtifact(
        "The database holds a row that cannot be read, for its bytes have changed on the disk. `python -m "
        "core check` says which; everything else can be used."
    )


def _denied(doing: str) -> str:
    return (
        f"The data folder cannot be written to, so {doing} failed. {_KEPT}: allow writing there, or choose "
        "another folder with PARETOSCOPE_HOME."
    )
