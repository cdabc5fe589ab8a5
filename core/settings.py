"""What the environment decides: where files live, which database, how many threads.

Read anew at each call, so that a test or a class server can change the environment.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import InvalidInput

if TYPE_CHECKING:
    from ipaddress import IPv4Network, IPv6Network

ASSETS = Path(__file__).resolve().parent.parent / "assets"
DEVICES = ("auto", "cpu", "cuda", "mps")
LOG_FORMATS = ("text", "json")
PRECISIONS = ("float32", "tf32", "bf16")


@dataclass(frozen=True)
class Settings:
    """Settings of this process.

    Attributes:
        home: folder for the database, the files of runs and downloaded data sets.
        database_url: SQLAlchemy URL of the store.
        data_folder: folder with data sets a person put there, or None.
        threads: torch threads per process. One by default: two are slower as soon as the machine
            has anything else to do.
        worker_memory: bytes a worker process may use; three quarters of the machine's by default, so
            that a job which needs more ends with a sentence instead of taking the server down.
        workers: jobs of each sort (training, measuring, light) that one server runs at a time.
        allowed_hosts: names under which the web server may be asked for, besides this machine's own.
        frame_ancestors: origins whose pages may show the app in a frame, separated by spaces; "" for none.
        device: where evaluation and training compute: "auto", "cpu", "cuda" or "mps" (core.device).
        precision: how exactly: "float32", "tf32" or "bf16".
        sandbox: whose work this process does, the id of a student's sandbox; "" for the home's own.
        sandbox_bytes: what a student's sandbox may hold.
        log_format: "text", or "json" for one JSON object a line (core.logs).
        metrics_for: networks whose machines may read `/metrics`, beside this machine itself.
        ray_address: host:port of a Ray cluster's head, or "auto" for this machine's; "" for none.
        files_url: where the files of runs are kept for several servers, "" for the home's own folder.
        people: the file that says who may do what; None where people are not told apart.
        user_header: header in which a reverse proxy names who asks; "" for none.
        trusted_proxies: addresses of the proxies whose word counts.
        login_hours: how long a log-in counts.
    """

    home: Path
    database_url: str
    data_folder: Path | None
    threads: int
    worker_memory: int = 1 << 62
    workers: int = 1
    allowed_hosts: tuple[str, ...] = ()
    frame_ancestors: str = ""
    device: str = "auto"
    precision: str = "float32"
    sandbox: str = ""
    sandbox_bytes: int = 50_000_000
    log_format: str = "text"
    metrics_for: tuple[IPv4Network | IPv6Network, ...] = ()
    ray_address: str = ""
    files_url: str = ""
    people: Path | None = None
    user_header: str = ""
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = ()
    login_hours: int = 12


def settings() -> Settings:
    """The settings in force.

    Raises:
        InvalidInput: PARETOSCOPE_THREADS, PARETOSCOPE_WORKERS or PARETOSCOPE_SANDBOX_MB is not a positive whole number,
            PARETOSCOPE_WORKER_MEMORY no size, PARETOSCOPE_FRAME_ANCESTORS no list of origins, PARETOSCOPE_FILES_URL no place
            of files, PARETOSCOPE_RAY_ADDRESS no address, PARETOSCOPE_DEVICE or PARETOSCOPE_PRECISION none of those there are, PARETOSCOPE_LOG no format, PARETOSCOPE_METRICS no networks, or a
            setting of who asks cannot be meant.
    """
    home = os.environ.get("PARETOSCOPE_HOME")
    if home:
        folder = Path(home).expanduser().resolve()
    else:
        from platformdirs import user_data_path

        folder = user_data_path("paretoscope", appauthor=False)
    data = os.environ.get("PARETOSCOPE_DATA")
    people = os.environ.get("PARETOSCOPE_PEOPLE")
    header, proxies = _proxy()
    return Settings(
        home=folder,
        database_url=os.environ.get("PARETOSCOPE_DATABASE_URL", f"sqlite:///{folder / 'paretoscope.db'}"),
        data_folder=Path(data).expanduser().resolve() if data else None,
        threads=_whole("PARETOSCOPE_THREADS", "1"),
        worker_memory=_bytes(os.environ.get("PARETOSCOPE_WORKER_MEMORY", "75%")),
        workers=_whole("PARETOSCOPE_WORKERS", "1"),
        allowed_hosts=_names(os.environ.get("PARETOSCOPE_ALLOWED_HOSTS", "")),
        frame_ancestors=_origins(os.environ.get("PARETOSCOPE_FRAME_ANCESTORS", "")),
        device=_one_of("PARETOSCOPE_DEVICE", DEVICES),
        precision=_one_of("PARETOSCOPE_PRECISION", PRECISIONS),
        sandbox=os.environ.get("PARETOSCOPE_SANDBOX", ""),
        sandbox_bytes=1_000_000 * _whole("PARETOSCOPE_SANDBOX_MB", "50"),
        log_format=_one_of("PARETOSCOPE_LOG", LOG_FORMATS),
        metrics_for=_networks("PARETOSCOPE_METRICS"),
        ray_address=_ray_address(os.environ.get("PARETOSCOPE_RAY_ADDRESS", "").strip()),
        files_url=files_url(os.environ.get("PARETOSCOPE_FILES_URL", "")),
        people=Path(people).expanduser().resolve() if people else None,
        user_header=header,
        trusted_proxies=proxies,
        login_hours=_whole("PARETOSCOPE_LOGIN_HOURS", "12"),
    )


def _ray_address(text: str) -> str:
    """host:port, [host]:port or "auto"."""
    if (
        text
        and text != "auto"
        and not re.fullmatch(r"(\[[0-9a-fA-F:.%]+\]|[\w.-]{1,253}):[0-9]{1,5}", text, re.ASCII)
    ):
        raise InvalidInput(
            f"PARETOSCOPE_RAY_ADDRESS must be host:port of the cluster's head, or auto, not {text!r}."
        )
    return text


def files_url(text: str) -> str:
    """A place of files as a person writes it: an object store, an absolute folder, or "" for the home's own.

    Raises:
        InvalidInput: it is none, or holds a user, a password or a key.
    """
    url = text.strip().rstrip("/")
    if not url:
        return ""
    if re.fullmatch(r"(s3|gs|az)://[^/@?#\s]+(/[^@?#\s]*)?|file:///[^?#\s]+", url):
        return url
    if re.fullmatch(r"\w+://[^/]*@.*|\w+://.*[?#].*", url):
        raise InvalidInput(
            "PARETOSCOPE_FILES_URL names a place and no key: give the store's credentials in the environment, such as "
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
        )
    raise InvalidInput(
        f"PARETOSCOPE_FILES_URL must be s3://bucket/folder, gs://bucket/folder, az://container/folder or file:///folder, not "
        f"{url[:80]!r}."
    )


def _one_of(name: str, known: tuple[str, ...]) -> str:
    """One of several words, the first of them by default."""
    found = os.environ.get(name, "").strip().lower() or known[0]
    if found not in known:
        raise InvalidInput(f"{name} must be one of {', '.join(known)}, not {found[:80]!r}.")
    return found


def _networks(name: str) -> tuple[IPv4Network | IPv6Network, ...]:
    """Addresses and networks, separated by commas or spaces."""
    listed = os.environ.get(name, "").replace(",", " ").split()
    if not listed:
        return ()
    from ipaddress import ip_network

    try:
        return tuple(ip_network(each) for each in listed)
    except ValueError as error:
        raise InvalidInput(f"{name} must be addresses such as 10.0.0.2 or 10.1.0.0/24: {error}.") from error


def _proxy() -> tuple[str, tuple[IPv4Network | IPv6Network, ...]]:
    """The header in which a reverse proxy names who asks, and whose word counts: one is nothing without the other."""
    header = os.environ.get("PARETOSCOPE_USER_HEADER", "")
    if not header:
        return "", ()
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]{0,62}", header):
        raise InvalidInput(
            f"PARETOSCOPE_USER_HEADER must be a header's name such as X-Remote-User, not {header[:80]!r}."
        )
    trusted = _networks("PARETOSCOPE_TRUSTED_PROXIES")
    if not trusted or not os.environ.get("PARETOSCOPE_PEOPLE"):
        raise InvalidInput(
            "PARETOSCOPE_USER_HEADER needs PARETOSCOPE_TRUSTED_PROXIES, the addresses that are believed, and "
            "PARETOSCOPE_PEOPLE, the file that says who may do what."
        )
    return header, trusted


def _whole(name: str, default: str) -> int:
    text = os.environ.get(name, default)
    if not re.fullmatch(r"[0-9]{1,6}", text) or int(text) < 1:
        raise InvalidInput(f"{name} must be a positive whole number, not {text!r}.")
    return int(text)


def _bytes(text: str) -> int:
    """A size as people write it: "6G", "800M", or a share of the machine's memory, "50%"."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(%|[KMGT])B?", text.strip().upper())
    amount = float(found[1]) if found else 0.0
    if not found or amount <= 0 or (found[2] == "%" and amount > 100):
        raise InvalidInput(
            f"PARETOSCOPE_WORKER_MEMORY must be a size such as 6G or a share such as 50%, not {text!r}."
        )
    if found[2] == "%":
        return int(amount / 100 * machine_memory())
    # No more than a system can be told: a number of any length may stand there.
    return int(min(amount * 1024 ** ("KMGT".index(found[2]) + 1), 1 << 62))


@cache
def machine_memory() -> int:
    """Bytes of memory this process may have at most: the machine's, or its container's if that is less."""
    try:
        machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # no such question on this system
        return 1 << 62
    for limit in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            machine = min(machine, int(Path(limit).read_text()))
        except (OSError, ValueError):  # no container, or "max"
            continue
    return machine


def _names(text: str) -> tuple[str, ...]:
    """Host names from a list with commas or spaces, lower case and without ports."""
    return tuple(_without_port(name.lower()).rstrip(".") for name in text.replace(",", " ").split())


def _without_port(name: str) -> str:
    """The name of "name:8501" and of "[::1]:8501"; a bare address of many colons has no port."""
    if name.startswith("["):
        return name[1:].partition("]")[0]
    return name.partition(":")[0] if name.count(":") == 1 else name


def _origins(text: str) -> str:
    parts = text.split()
    if not all(re.fullmatch(r"(https?://)?(\*\.)?[\w.-]+(:\d+)?|'self'", part) for part in parts):
        raise InvalidInput(
            f"PARETOSCOPE_FRAME_ANCESTORS must be origins such as https://class.example, not {text!r}."
        )
    return " ".join(parts)
