"""Zip files from strangers: judged by their directory before anything is unpacked.

An upload is bytes, never a path. First the end record is read by hand (how many entries, how long
the directory is), then the directory (names, kinds, sizes), and only then single members are read as
streams with a byte budget. Nothing is ever extracted to the disk. Every refusal is an `InvalidInput`
with one plain sentence.
"""

from __future__ import annotations

import io
import re
import stat
import struct
import unicodedata
import zipfile
import zlib
from dataclasses import dataclass

from core.errors import InvalidInput

_END = struct.Struct("<4s4H2LH")
_END_SIGNATURE = b"PK\x05\x06"
_ZIP64_LOCATOR = b"PK\x06\x07"
_ENCRYPTED = 0x1
_FREE_RATIO_BYTES = 2**20

READ_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    OSError,
    ValueError,
    OverflowError,
    struct.error,
)
"""What reading a damaged archive may raise."""


@dataclass(frozen=True)
class ZipLimits:
    """What an uploaded archive may be.

    Attributes:
        upload_bytes: size of the archive itself.
        entries: number of members.
        member_bytes, total_bytes: unpacked size of one member and of all together.
        ratio: unpacked : packed size above which a member of more than 1 MB is a bomb.
    """

    upload_bytes: int = 256 * 2**20
    entries: int = 60_000
    member_bytes: int = 256 * 2**20
    total_bytes: int = 512 * 2**20
    ratio: int = 100


def shown(name: str) -> str:
    """A member's name as it may stand in a sentence: short, and nothing but harmless characters."""
    return re.sub(r"[^\w.\- /]", "?", name)[:60]


def open_zip(data: bytes, limits: ZipLimits) -> tuple[zipfile.ZipFile, list[zipfile.ZipInfo]]:
    """The archive and its checked file entries (folders left out), nothing unpacked yet.

    Raises:
        InvalidInput: not a zip, too large, or with a name, kind, size or overlap no honest archive has.
    """
    if len(data) > limits.upload_bytes:
        raise InvalidInput(f"The file has {len(data):,} bytes; at most {limits.upload_bytes:,} are accepted.")
    _check_end(data, limits)
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
        infos = archive.infolist()
    except READ_ERRORS as error:
        raise InvalidInput("The archive is damaged: its list of files cannot be read.") from error
    if len(infos) > limits.entries:
        raise InvalidInput(f"The archive lists more than {limits.entries:,} files.")
    for info in infos:
        _check_entry(info, limits)
    _check_together(infos, limits)
    return archive, [info for info in infos if not info.is_dir()]


def read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """One member's bytes, at most as many as the checked directory promised.

    Raises:
        InvalidInput: damaged, or longer or shorter than the directory says.
    """
    try:
        with archive.open(info) as stream:
            data = stream.read(info.file_size)
            surplus = stream.read(1)
    except READ_ERRORS as error:
        raise InvalidInput(f"{shown(info.filename)} in the archive is damaged.") from error
    if len(data) != info.file_size or surplus:
        raise InvalidInput(f"{shown(info.filename)} in the archive does not have the size it claims.")
    return data


def _check_end(data: bytes, limits: ZipLimits) -> None:
    """Read the end record by hand: listing a million entries must cost nothing."""
    at = data.rfind(_END_SIGNATURE, max(0, len(data) - 65_557))
    if not data.startswith(b"PK") or at < 0 or len(data) - at < _END.size:
        raise InvalidInput("The file is not a zip archive.")
    _, disk, start_disk, here, total, size, offset, _ = _END.unpack_from(data, at)
    if disk or start_disk or here != total:
        raise InvalidInput("The archive is split over several files, which is not accepted.")
    if (
        _ZIP64_LOCATOR in data[max(0, at - 20) : at]
        or 0xFFFF in (here, total)
        or 0xFFFFFFFF in (size, offset)
    ):
        raise InvalidInput("The archive uses the Zip64 format, which is not accepted.")
    if total > limits.entries:
        raise InvalidInput(f"The archive lists {total:,} files; at most {limits.entries:,} are accepted.")
    # zipfile reads the list from wherever it ends, not from where it is said to start.
    if offset + size != at or _count_entries(data, offset, at, total) != total:
        raise InvalidInput("The archive is damaged: its list of files is not what its end says.")


def _count_entries(data: bytes, start: int, end: int, most: int) -> int:
    """Entries in the directory at data[start:end], or -1 if there are more than `most` or it is damaged."""
    count, at = 0, start
    while at < end:
        if count == most or data[at : at + 4] != b"PK\x01\x02" or at + 46 > end:
            return -1
        at += 46 + sum(struct.unpack_from("<3H", data, at + 28))
        count += 1
    return count if at == end else -1


def _check_entry(info: zipfile.ZipInfo, limits: ZipLimits) -> None:
    # zipfile cuts a name at a NUL byte; the name as it was written is in orig_filename.
    name = info.orig_filename
    if "\0" in name or "\\" in name or any(unicodedata.category(c).startswith("C") for c in name):
        raise InvalidInput("The archive holds a file name with characters that are not accepted.")
    parts = name.split("/")
    if len(name) > 400:
        raise InvalidInput("The archive holds a file name of more than 400 characters.")
    if not name or name.startswith("/") or ".." in parts or re.match(r"[A-Za-z]:", name):
        raise InvalidInput(f"The archive holds a file name that points outside it: {shown(name)}.")
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise InvalidInput(f"The archive holds a link or a device instead of a file: {shown(name)}.")
    if info.flag_bits & _ENCRYPTED:
        raise InvalidInput("The archive is encrypted; save it without a password.")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise InvalidInput(f"{shown(name)} is packed with a method that is not accepted; use ordinary zip.")
    if info.file_size > limits.member_bytes:
        raise InvalidInput(f"{shown(name)} unpacks to more than {limits.member_bytes:,} bytes.")
    if info.file_size > _FREE_RATIO_BYTES and info.file_size > limits.ratio * max(info.compress_size, 1):
        raise InvalidInput(f"{shown(name)} unpacks to more than {limits.ratio} times its size.")
    if info.compress_type == zipfile.ZIP_STORED and info.file_size != info.compress_size:
        raise InvalidInput(f"{shown(name)} in the archive does not have the size it claims.")


def _check_together(infos: list[zipfile.ZipInfo], limits: ZipLimits) -> None:
    if sum(info.file_size for info in infos) > limits.total_bytes:
        raise InvalidInput(f"The archive unpacks to more than {limits.total_bytes:,} bytes.")
    names: set[str] = set()
    for info in infos:
        # On another system "A.png" and "a.png" are one file; whoever unpacks them loses one.
        folded = unicodedata.normalize("NFC", info.filename).casefold().rstrip("/")
        if folded in names:
            raise InvalidInput(f"The archive holds two files with one name: {shown(info.filename)}.")
        names.add(folded)
    end = 0
    for info in sorted(infos, key=lambda one: one.header_offset):
        if info.header_offset < end:
            raise InvalidInput("The archive is damaged: its files overlap.")
        end = info.header_offset + 30 + info.compress_size
