"""What a file from elsewhere may ask of the data on this machine.

The card of an uploaded supernet names a data set and its settings. Numbers and choices from a list are
harmless; a piece of text could be a path, and its answers ("no such file", "not a zip") would tell a
stranger what lies on the server. So text is refused unread, unless the field says that it is the
SHA-256 of something kept here, which only somebody who has the content can know.
"""

from __future__ import annotations

from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from core.config import JsonObject, Settings
from core.datasets.base import DATASETS
from core.errors import InvalidInput

BY_CONTENT = {"by_content": True}
"""Marks a `Config` field (in its `json_schema_extra`) that holds the SHA-256 of data kept here."""


def foreign_settings(name: str, config: JsonObject) -> Settings:
    """The settings of a data set as an uploaded card gives them, judged before anything is read.

    Raises:
        NotFound: there is no such data set.
        InvalidInput: a setting could name a file or folder, is unknown, or does not fit. The sentence
            is the same whether such a file exists or not.
    """
    plugin = DATASETS.get(name)
    for field, info in plugin.Config.model_fields.items():
        if config.get(field, info.default) != info.default and not _harmless(info):
            raise InvalidInput(
                f"The card of this uploaded supernet takes its data from a file or folder ({field}), which an "
                "upload may not choose; use it on the command line by its file name, or train one here on "
                "images that you upload."
            )
    return own_settings(name, config)


def own_settings(name: str, config: JsonObject) -> Settings:
    """The settings of a data set as a file of our own gives them; it may name files of this machine.

    Raises:
        NotFound: there is no such data set.
        InvalidInput: a setting is unknown or does not fit.
    """
    DATASETS.create(name, dict(config))
    return dict(config)


def _harmless(info: FieldInfo) -> bool:
    extra = info.json_schema_extra
    if isinstance(extra, dict) and extra.get("by_content") is True:
        return True
    return _no_text(info.annotation)


def _no_text(annotation: Any) -> bool:
    if get_origin(annotation) in (Union, UnionType):
        return all(_no_text(part) for part in get_args(annotation))
    if get_origin(annotation) is tuple:
        return all(part is Ellipsis or _no_text(part) for part in get_args(annotation))
    return annotation in (int, float, bool, NoneType) or get_origin(annotation) is Literal
