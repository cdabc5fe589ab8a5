"""Loading a supernet from files: one place for every format, and what was understood is shown before anything starts."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from typing import TYPE_CHECKING

import streamlit as st

from core.errors import Busy, CoreError
from core.library import folders, loading
from core.people import Action
from core.supernets.folders.folder import CONFIG
from core.supernets.loaders.base import suffixes, taken
from core.supernets.loaders.understood import Understood
from core.text import display_name, for_markdown
from core.words import format_bytes
from pages.ui import checked, resources
from pages.ui.people import door
from pages.ui.supernets import fitting_images, transformer_folder, understood

if TYPE_CHECKING:
    from streamlit.runtime.uploaded_file_manager import UploadedFile

    from core.datasets.class_images import OwnImages

MOST_UPLOAD_MB = 250
_READ, _ADDED, _KIND = "supernet-read", "supernet-added", "supernet-kind"
_FILES, _FOLDER = "Files", "A folder"
_OURS = "paretoscope"


def draw() -> None:
    """Choose a file or a folder, see what it is, add it to the library."""
    with st.container(key="load-supernet"):
        kinds = taken()
        st.caption(
            f"Takes {'; '.join(kinds)}. At most {MOST_UPLOAD_MB} MB. It is read in a process with limits, and nothing in it is "
            "ever run."
        )
        files = _choose()
        if not files:
            return
        key = "+".join(file.file_id for file in files)
        name = files[0].name if len(files) == 1 else f"{len(files)} files"
        st.caption(f"{for_markdown(name)}, {format_bytes(sum(file.size for file in files))}")
        if _is_transformer(key, files):
            transformer_folder.draw(key, lambda: _as_one(files))
            return
        found = _understood(key, files)
        if isinstance(found, str):
            st.error(for_markdown(found, 600), icon=":material/block:")
            return
        understood.draw(found)
        images = _images(found) if found.needs_data and found.task == "image" else None
        _add(key, found, files[0].name, images)


def _choose() -> list[UploadedFile]:
    what = st.segmented_control(
        "Load",
        [_FILES, _FOLDER],
        default=_FILES,
        required=True,
        key="load-what",
        label_visibility="collapsed",
    )
    if what == _FOLDER:
        chosen = door.uploader(
            "A folder that holds a supernet, or a pretrained transformer",
            type=suffixes(),
            key="supernet-folder",
            accept_multiple_files="directory",
            max_upload_size=MOST_UPLOAD_MB,
        )
    else:
        chosen = door.uploader(
            "A supernet's file, or several that belong together",
            type=suffixes(),
            key="supernet-upload",
            accept_multiple_files=True,
            max_upload_size=MOST_UPLOAD_MB,
        )
    return list(chosen or [])


def _understood(key: str, files: Sequence[UploadedFile]) -> Understood | str:
    """What the files are, or why they are refused; asked once for each choice of files."""
    known = st.session_state.get(_READ)
    if known is not None and known[0] == key:
        found: Understood | str = known[1]
        return found
    try:
        with st.spinner("Reading the file…", show_time=True):
            found = loading.understand(*_as_one(files))
    except Busy as error:
        return str(error)
    except CoreError as error:
        found = str(error)
    st.session_state[_READ] = (key, found)
    return found


def _is_transformer(key: str, files: Sequence[UploadedFile]) -> bool:
    """Whether they are the folder of a transformer; looked at once for each choice of files."""
    known = st.session_state.get(_KIND)
    if known is None or known[0] != key:
        known = (key, folders.is_folder(_as_one(files)[1]))
        st.session_state[_KIND] = known
    return bool(known[1])


def _as_one(files: Sequence[UploadedFile]) -> tuple[str, bytes]:
    """Name and bytes of a file; of several those of an archive of them.

    A transformer's folder may hold folders with files of the same names, so its files keep where they lay.
    """
    if len(files) == 1:
        return files[0].name, files[0].getvalue()
    places = sorted(((file.name.replace("\\", "/"), file) for file in files), key=lambda each: each[0])
    whole = any(place.rpartition("/")[2] == CONFIG for place, _ in places)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for place, file in places:
            member = place if whole else place.rpartition("/")[2]
            archive.writestr(zipfile.ZipInfo(member), file.getvalue())
    return "folder.zip", buffer.getvalue()


def _images(found: Understood) -> OwnImages | None:
    return fitting_images.choose(
        found.file_sha256,
        input_shape=found.input_shape,
        classes=found.classes,
        otherwise="; or add it without, for its costs alone",
    )


def _add(key: str, found: Understood, file_name: str, images: OwnImages | None) -> None:
    # Whoever named one of our files has named the supernet; other files are called what their loader proposes.
    proposed = "" if found.loader == _OURS else found.title
    # A key of each file's own: the name offered is that of the file just chosen.
    with checked.form() as form:
        name = checked.name_field(
            "Name",
            value=display_name(proposed or file_name.rsplit(".", 1)[0]),
            key=f"supernet-upload-name-{key[:200]}",
        )
    label, icon = ("Add to the library", ":material/add:")
    if images is not None:
        label, icon = (f"Add it and measure {fitting_images.FIRST_SAMPLE} subnets", ":material/insights:")
    if form.start(label, key="supernet-add", type="primary", icon=icon, action=Action.UPLOAD):
        _keep(key, found, name, images)
        if images is not None and st.session_state[_ADDED][1]:
            fitting_images.measure(st.session_state[_ADDED][1])
        st.rerun()  # so that the gallery above shows it
    if st.session_state.get(_ADDED, ("",))[0] == key:
        _, supernet_id, tell, icon, sentence = st.session_state[_ADDED]
        getattr(st, tell)(sentence, icon=icon)
        if supernet_id:
            st.page_link(
                "pages/front.py",
                label="Open it on the Front page",
                icon=":material/show_chart:",
                query_params={"supernet": supernet_id},
            )


def _keep(key: str, found: Understood, name: str, images: OwnImages | None) -> None:
    """Keep it; what came of it is said below the button, also after the page was drawn anew."""
    try:
        added = loading.keep(resources.store(), found, name, images.data if images else None)
    except CoreError as error:
        told = ("", "error", ":material/block:", for_markdown(error, 600))
    else:
        title = for_markdown(added.title)
        if added.was_there:
            sentence = f"This file is in the library already, as **{title}**; nothing was added."
            told = (added.supernet_id, "info", ":material/info:", sentence)
        else:
            then = "Its front is there." if found.beside else "Measure its subnets to see its front."
            sentence = f"**{title}** is in the library. {then}"
            told = (added.supernet_id, "success", ":material/check:", sentence)
    st.session_state[_ADDED] = (key, *told)
