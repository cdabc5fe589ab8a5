"""One door to every format: write, read back, compare, hand out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from core.config import JsonObject
from core.datasets import Dataset
from core.errors import wrong_setting
from core.export.base import EXPORTERS
from core.export.checks import verify
from core.export.subnet import ExtractedSubnet, extract_subnet
from core.spaces.choice import Option
from core.supernets.base import Supernet


@dataclass(frozen=True)
class Exported:
    """A file ready for download."""

    data: bytes
    file_name: str
    media_type: str


def export_subnet(subnet: ExtractedSubnet, format: str = "bundle", **config: Any) -> Exported:
    """Write a subnet in one format; the bytes have been read back and compute the same.

    Args:
        subnet: from `extract_subnet`.
        format: name of an exporter.
        config: fields of the exporter's `Config`.

    Raises:
        NotFound: there is no such format.
        InvalidInput: a field is unknown or out of bounds.
        CoreError: the subnet cannot be written so, or the check failed.
    """
    cls = EXPORTERS.get(format)
    try:
        exporter = cls(cls.Config(**config))
    except ValidationError as error:
        raise wrong_setting(f"Format {format!r}", error) from error
    data = exporter.export(subnet)
    verify(subnet, data, format)
    return Exported(data, subnet.file_name(cls.suffix), cls.media_type)


def build_bundle(
    supernet: Supernet,
    arch: Sequence[int] | Mapping[str, Option],
    dataset: Dataset,
    *,
    card: JsonObject | None = None,
) -> bytes:
    """The bundle of one subnet, from its supernet: `extract_subnet`, then `export_subnet`.

    Args:
        card: the supernet's card; its "title" names the supernet.
    """
    title = str((card or {}).get("title", ""))
    return export_subnet(extract_subnet(supernet, arch, dataset, title=title)).data
