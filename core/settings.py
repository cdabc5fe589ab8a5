"""What the environment decides: where files live, which database, how many threads.

Read anew at each call, so that a test or a class server can change the environment.
"""

from __future__ import annotations

import os
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
    """

    home: Path
    database_url: str
    data_folder: Path | None
    threads: int


def settings() -> Settings:
    """The settings in force.

    Raises:
        InvalidInput: PARETOSCOPE_THREADS is not a positive whole number.
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
    )
