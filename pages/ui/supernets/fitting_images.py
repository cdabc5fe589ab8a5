"""Images of a person's own for a supernet that came without data: chosen, matched to its classes, and shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from core.errors import Busy, CoreError
from core.library import loading
from core.people import Action
from core.text import for_markdown
from pages.ui import resources
from pages.ui.front import state as front_state
from pages.ui.people import door
from pages.ui.supernets import measuring
from pages.ui.supernets.data_found import show_found

if TYPE_CHECKING:
    from collections.abc import Sequence

    from streamlit.runtime.uploaded_file_manager import UploadedFile

    from core.datasets.class_images import OwnImages
    from core.library.supernets import SupernetEntry

MOST_IMAGES_MB = 200
FIRST_SAMPLE = 24
"""Subnets that are measured first: a forward pass of a network for photographs takes seconds."""
_READ = "fitting-images-read"
_MOST_PICTURES, _SIDE = 24, 40


def choose(key: str, *, input_shape: Sequence[int], classes: int, otherwise: str = "") -> OwnImages | None:
    """Images that fit a supernet; None until there are some.

    Args:
        key: of the supernet, for the widget.
        input_shape: of what it takes.
        classes: that it tells apart.
        otherwise: what can be done without them, in words that follow "measured on them".
    """
    file = door.uploader(
        "Images to measure it on",
        type=["zip", "npz"],
        key=f"fitting-images-{key[:80]}",
        max_upload_size=MOST_IMAGES_MB,
        help="A zip with one folder per class, each called by its class: by name, by WordNet id or by number. The folders may "
        "be some of the supernet's classes.",
    )
    if file is None:
        st.caption(
            f"It names no data. Bring a zip with a folder of pictures for some of its {classes:,} classes, and its subnets are "
            f"measured on them{otherwise}."
        )
        return None
    read = _read_once(file, key, input_shape, classes)
    if isinstance(read, str):
        st.error(for_markdown(read, 600), icon=":material/block:")
        return None
    _show(read)
    return read


def panel(entry: SupernetEntry) -> None:
    """On the page of a supernet that names no data: bring images, and measure a first sample on them."""
    config = entry.header["config"]
    with st.container(border=True, key="details-images"):
        read = choose(
            entry.sha256,
            input_shape=config.get("input_shape", ()),  # type: ignore[arg-type]
            classes=int(config.get("classes", 0)),  # type: ignore[arg-type]
        )
        if read is None:
            return
        label = f"Measure {FIRST_SAMPLE} subnets on them"
        if st.button(
            label,
            key="details-images-start",
            type="primary",
            icon=":material/insights:",
            **door.lock(Action.UPLOAD),
        ):
            _start(entry, read)


def _start(entry: SupernetEntry, read: OwnImages) -> None:
    try:
        added = loading.keep_with_data(resources.store(), entry, read.data)
    except CoreError as error:
        st.error(for_markdown(error, 600), icon=":material/block:")
        return
    measure(added.supernet_id)


def measure(supernet_id: str) -> None:
    """Start the first sample of a supernet, and show its front."""
    entry = next((each for each in resources.entries() if each.supernet_id == supernet_id), None)
    if entry is not None:
        measuring.sample(entry, min(FIRST_SAMPLE, entry.space.size))
        front_state.show_supernet(entry.supernet_id)
        st.switch_page("pages/front.py")


def _read_once(file: UploadedFile, key: str, input_shape: Sequence[int], classes: int) -> OwnImages | str:
    """The images as they were read, or why they are refused; a rerun asks nobody again."""
    known = st.session_state.get(_READ)
    asked = (file.file_id, key)
    if known is not None and known[0] == asked:
        found: OwnImages | str = known[1]
        return found
    from core.datasets.class_images import fitting_images

    try:
        with st.spinner("Reading the images."):
            found = fitting_images(file.getvalue(), input_shape=input_shape, classes=classes)
    except Busy as error:
        return str(error)
    except CoreError as error:
        found = str(error)
    st.session_state[_READ] = (asked, found)
    return found


def _show(read: OwnImages) -> None:
    """What they hold and which classes they are, before anything starts."""
    from core.datasets import uploads
    from core.plots.pictures import image_strip

    with st.container(border=True, key="fitting-found"):
        st.markdown("\n".join(f"- {for_markdown(sentence, 600)}" for sentence in read.sentences))
        show_found(read.found)
        try:
            _, sheet = uploads.beside(read.upload)
        except CoreError:
            return
        each = max(1, _MOST_PICTURES // len(set(sheet.labels)))
        rows = [at for at, label in enumerate(sheet.labels) if sheet.labels[:at].count(label) < each]
        rows = rows[:_MOST_PICTURES]
        st.html(image_strip(sheet.images[rows], [sheet.labels[at] for at in rows], size=_SIDE))
