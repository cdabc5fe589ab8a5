"""What a command is given: architectures as text, in a file or as once-for-all's folder; a space that a person wrote."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.cli.tables import architecture
from core.errors import InvalidInput, NotFound
from core.spaces import Arch
from core.supernets.base import Supernet

if TYPE_CHECKING:
    from core.supernets.written import Written

_MOST_BYTES = 64 << 20


def architectures(net: Supernet, given: str) -> list[Arch]:
    """Architectures of a supernet, at least one.

    Args:
        net: its weights are not read.
        given: a JSON object or a short id; a file of either, or of a JSON list of them; a folder with `net.config` and
            `run.config`.

    Raises:
        InvalidInput: it is none of these, or not of this space.
    """
    path = Path(given)
    if not given.lstrip().startswith(("{", "[")) and _exists(path):
        if path.is_dir():
            return [_published(net, path)]
        given = _text(path)
    if not given.lstrip().startswith("["):
        return [architecture(net.space, given.strip())]
    try:
        listed = json.loads(given)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"The list of architectures is not valid JSON: {error}.") from error
    if not listed:
        raise InvalidInput("The list of architectures is empty.")
    return [_one(net, each) for each in listed]


def written_space(file: Path) -> Written:
    """A search space that a person wrote; see `core.supernets.written`.

    Raises:
        NotFound: there is no such file.
        InvalidInput: it cannot be read, or is no space.
    """
    from core.supernets.written import MOST_BYTES, read

    if not file.is_file():
        raise NotFound(f"There is no file {file}.")
    try:
        with file.open("rb") as opened:
            return read(opened.read(MOST_BYTES + 1))
    except OSError as error:
        raise InvalidInput(f"{file} cannot be read: {error.strerror}.") from error


def _one(net: Supernet, given: Any) -> Arch:
    if isinstance(given, str):
        return net.space.from_id(given)
    if not isinstance(given, dict):
        raise InvalidInput("Each architecture is a JSON object of choice names and options, or a short id.")
    return net.space.from_dict(given)


def _published(net: Supernet, folder: Path) -> Arch:
    from core.supernets.mobile import MobileSupernet
    from core.supernets.ofa_net_configs import architecture_of, read_folder

    if not isinstance(net, MobileSupernet):
        raise InvalidInput("A folder with a net.config is read for once-for-all's mobile spaces only.")
    return architecture_of(net, *read_folder(folder))


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a text too long for a name
        return False


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise InvalidInput(f"{path.name} is too large to be a list of architectures.")
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path.name} cannot be read as text.") from error
