"""The theme is read from the configuration once: Streamlit works out its six parts anew at every click, a tenth of its time."""

from __future__ import annotations

from collections.abc import Callable

from streamlit.proto.NewSession_pb2 import CustomThemeConfig
from streamlit.runtime import app_session

Populate = Callable[..., None]


def remember() -> None:
    """From now on each part of the theme is copied from the first answer; the configuration does not change while the server runs."""
    # Where another release of Streamlit has no such function there is nothing to save.
    populate = getattr(app_session, "_populate_theme_msg", None)
    if populate is not None and not hasattr(populate, "kept"):
        app_session._populate_theme_msg = _once(populate)  # type: ignore[assignment]


def _once(populate: Populate) -> Populate:
    kept: dict[str, CustomThemeConfig] = {}

    def from_memory(msg: CustomThemeConfig, section: str = "theme") -> None:
        if section not in kept:
            made = CustomThemeConfig()
            populate(made, section)
            kept[section] = made
        if kept[section].ByteSize():
            # Parts lie within parts: what another one wrote stays.
            msg.MergeFrom(kept[section])

    from_memory.kept = kept  # type: ignore[attr-defined]
    return from_memory
