"""What the environment decides: where files live, which database, how many threads.

Read anew at each call, so that a test or a class server can change the environment.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from core.errors import InvalidInput

ASSETS = Path(__file__).resolve().parent.parent / "assets"


@dataclass(frozen=True)
class Settings:
    """Settings of this process.

    Attributes:
        home: folder for the database, the files of runs and downloaded data sets.
        database_url: SQLAlchemy URL of the store.
        data_folder: folder with data sets a person put there, or None.
        threads: torch threads per process. One by default: two are slower as soon as the machine
            has anything else to do.
        allowed_hosts: names under which the web server may be asked for, besides this machine's own.
        frame_ancestors: origins whose pages may show the app in a frame, separated by spaces; "" for none.
    """

    home: Path
    database_url: str
    data_folder: Path | None
    threads: int
    allowed_hosts: tuple[str, ...] = ()
    frame_ancestors: str = ""


def settings() -> Settings:
    """The settings in force.

    Raises:
        InvalidInput: PARETOSCOPE_THREADS is not a positive whole number, or PARETOSCOPE_FRAME_ANCESTORS
            is no list of origins.
    """
    home = os.environ.get("PARETOSCOPE_HOME")
    if home:
        folder = Path(home).expanduser().resolve()
    else:
        from platformdirs import user_data_path

        folder = user_data_path("paretoscope", appauthor=False)
    data = os.environ.get("PARETOSCOPE_DATA")
    threads = os.environ.get("PARETOSCOPE_THREADS", "1")
    if not threads.isdigit() or int(threads) < 1:
        raise InvalidInput(f"PARETOSCOPE_THREADS must be a positive whole number, not {threads!r}.")
    return Settings(
        home=folder,
        database_url=os.environ.get("PARETOSCOPE_DATABASE_URL", f"sqlite:///{folder / 'paretoscope.db'}"),
        data_folder=Path(data).expanduser().resolve() if data else None,
        threads=int(threads),
        allowed_hosts=_names(os.environ.get("PARETOSCOPE_ALLOWED_HOSTS", "")),
        frame_ancestors=_origins(os.environ.get("PARETOSCOPE_FRAME_ANCESTORS", "")),
    )


def _names(text: str) -> tuple[str, ...]:
    """Host names from a list with commas or spaces, lower case and without ports."""
    return tuple(name.lower().rstrip(".") for name in text.replace(",", " ").split())


def _origins(text: str) -> str:
    parts = text.split()
    if not all(re.fullmatch(r"(https?://)?(\*\.)?[\w.-]+(:\d+)?|'self'", part) for part in parts):
        raise InvalidInput(
            f"PARETOSCOPE_FRAME_ANCESTORS must be origins such as https://class.example, not {text!r}."
        )
    return " ".join(parts)
