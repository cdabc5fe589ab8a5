"""A visitor's own data on a form: a file chosen, read once, and shown what was found in it before anything starts."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import streamlit as st

from core.datasets import DATASETS
from core.errors import Busy, CoreError
from core.text import for_markdown
from pages.ui.forms import config_form
from pages.ui.people import door
from pages.ui.supernets.data_found import show_found
from pages.ui.tables import html_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from core.datasets.found import Found


@dataclass(frozen=True)
class Looked:
    """What a kept upload holds.

    Attributes:
        found: counts, classes, what was left out.
        pictures, labels: some samples of each class.
        texts: (of which class or file, beginning of a text) of some samples, where samples are texts.
    """

    found: Found
    pictures: NDArray[Any] | None = None
    labels: Sequence[str] = ()
    texts: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True)
class OwnData:
    """One kind of data that people bring.

    Attributes:
        name: of the data set, and what its samples are called.
        types: endings of files.
        most_mb: size of a file.
        hint: what a file may be, in a tooltip.
        empty: what stands there before one is chosen.
        settings: title of the settings, which are proposed by what the file holds.
        keep: (bytes, settings) -> what was kept, with its `upload_id` and the `summary` of what it proposes.
        look: (what was kept, settings) -> what it holds.
        side: of a picture on the screen; 0 where samples are texts.
        caption: below the samples.
        proposed: (what was kept) -> settings to begin with.
        fixed: settings that a supernet decides, which no form shows.
    """

    name: str
    types: tuple[str, ...]
    most_mb: int
    hint: str
    empty: str
    settings: str
    keep: Callable[[bytes, dict[str, Any]], Any]
    look: Callable[[Any, dict[str, Any]], Looked]
    side: int
    caption: str
    proposed: Callable[[Any], dict[str, Any]] = lambda read: dict(read.summary.proposed.model_dump())
    fixed: Mapping[str, Any] = field(default_factory=dict)


def own_upload(own: OwnData) -> dict[str, Any] | None:
    """The data choice for data of one's own; None until there are some that can be used."""
    file = door.uploader(
        f"Your {own.name}",
        type=list(own.types),
        key=f"train-{own.name}",
        max_upload_size=own.most_mb,
        help=own.hint,
    )
    if file is None:
        st.caption(f"{own.empty} At most {own.most_mb} MB. What it holds is shown before anything starts.")
        return None
    # The first look proposes settings; whoever changes them gets the file read anew.
    first = _read_once(own, file, {})
    if isinstance(first, str):
        st.error(for_markdown(first, 600), icon=":material/block:")
        return None
    # A key of each file's own: what is proposed is that of the file just chosen.
    with st.expander(own.settings):
        config = config_form(
            DATASETS.get(own.name).Config,
            f"train-{own.name}-set-{file.file_id}",
            skip=("upload", "path", *own.fixed),
            start=own.proposed(first),
        ) | dict(own.fixed)
    read = _read_once(own, file, config)
    if isinstance(read, str):
        st.error(for_markdown(read, 600), icon=":material/block:")
        return None
    _show(own, read, config)
    return {"name": own.name, "seed": 0, "config": {**config, "upload": read.upload_id}}


def _read_once(own: OwnData, file: Any, config: dict[str, Any]) -> Any:
    """The file as it was read with these settings, or why it is refused; a rerun asks nobody again."""
    known: dict[str, Any] = st.session_state.setdefault(f"train-{own.name}-read", {})
    key = json.dumps([file.file_id, config], sort_keys=True)
    if key in known:
        return known[key]
    try:
        with st.spinner(f"Reading the {own.name}."):
            found = own.keep(file.getvalue(), config)
    except Busy as error:
        return str(error)
    except CoreError as error:
        found = str(error)
    if not any(name.startswith(json.dumps([file.file_id])[:-1]) for name in known):
        known.clear()
    known[key] = found
    return found


def _show(own: OwnData, read: Any, config: dict[str, Any]) -> None:
    """What the upload holds, before anything starts."""
    try:
        looked = own.look(read, config)
    except CoreError as error:
        st.error(for_markdown(error, 600), icon=":material/block:")
        return
    with st.container(border=True, key="data-found"):
        show_found(looked.found)
        if looked.pictures is not None:
            from core.plots.pictures import image_strip  # not needed before there is a file

            st.html(image_strip(looked.pictures, looked.labels, size=own.side))
        if looked.texts:
            html_table([{"begins": text, "of": of} for of, text in looked.texts], "Beginnings of some texts")
        st.caption(own.caption)
