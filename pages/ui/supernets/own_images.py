"""A visitor's own images on the training form: chosen, read once, and told what was found in them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import streamlit as st

from core.datasets import DATASETS
from core.errors import Busy, CoreError
from core.text import for_markdown
from pages.ui.forms import config_form

if TYPE_CHECKING:
    from streamlit.runtime.uploaded_file_manager import UploadedFile

    from core.datasets.decoding import Summary
    from core.datasets.uploads import Upload

NAME = "images"
MOST_IMAGES_MB = 16
_READ = "train-images-read"
_MOST_NAMED = 12


def own_images() -> dict[str, Any] | None:
    """The data choice for images of one's own; None until there are some that can be used."""
    file = st.file_uploader(
        "Your images",
        type=["zip", "npz"],
        key="train-images",
        max_upload_size=MOST_IMAGES_MB,
        help="A zip with one folder per class, or a .npz with arrays x (n, h, w[, c]) and y.",
    )
    config = config_form(DATASETS.get(NAME).Config, "train-images-set", skip=("upload", "path"))
    if file is None:
        return None
    found = _read_once(file, config)
    if isinstance(found, str):
        st.error(for_markdown(found, 600), icon=":material/block:")
        return None
    for line in told(found.summary):
        st.caption(line)
    return {"name": NAME, "seed": 0, "config": {**config, "upload": found.upload_id}}


def _read_once(file: UploadedFile, config: dict[str, Any]) -> Upload | str:
    """What was found in the file, or why it is refused; a rerun of the page asks nobody again."""
    key = (file.file_id, json.dumps(config, sort_keys=True))
    read: tuple[tuple[str, str], Upload | str] | None = st.session_state.get(_READ)
    if read is not None and read[0] == key:
        return read[1]
    from core.datasets.images import keep_upload

    found: Upload | str
    try:
        with st.spinner("Reading the images."):
            found = keep_upload(file.getvalue(), **config)
    except Busy as error:
        return str(error)
    except CoreError as error:
        found = str(error)
    st.session_state[_READ] = (key, found)
    return found


def told(summary: Summary) -> list[str]:
    """What was found, as sentences in Markdown: how many of which class, which sizes, what was left out."""
    counts = [f"{for_markdown(name)} {count:,}" for name, count in summary.counts.items()]
    more = len(counts) - _MOST_NAMED
    classes = ", ".join(counts[:_MOST_NAMED]) + (f" and {more:,} more" if more > 0 else "")
    lines = [f"{summary.n_images:,} images in {len(counts):,} classes: {classes}."]
    sizes = " to ".join(dict.fromkeys(f"{w}x{h}" for w, h in (summary.smallest, summary.largest)))
    channels, height, width = summary.shape
    lines.append(
        f"They came {'grey' if summary.grey else 'in color'}, {sizes} pixels; networks will get {width}x{height} "
        f"{'grey' if channels == 1 else 'RGB'}. Size and channels can be set above."
    )
    if summary.n_test:
        lines.append(f"{summary.n_test:,} of them came as a test set and stay one.")
    if summary.skipped:
        lines.append(f"{summary.skipped:,} files that a desktop had added were left out.")
    return lines
