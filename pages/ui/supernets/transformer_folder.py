"""A pretrained transformer from a folder: what it is and what would become elastic, before anything is built."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import streamlit as st

from core.errors import Busy, CoreError
from core.library import folders, loading
from core.objectives.base import objective
from core.people import Action
from core.supernets.folders.options import FolderOptions
from core.supernets.folders.understood import FixedPart, Understood
from core.text import display_name, for_markdown
from core.words import count_of, format_count, format_value
from pages.ui import checked, resources, terms
from pages.ui.forms import config_form
from pages.ui.supernets import state as page_state
from pages.ui.tables import html_table

_READ = "folder-read"
_MOST_ROWS = 40
_MOST_FRESH = 6
Files = Callable[[], tuple[str, bytes]]


def draw(key: str, files: Files) -> None:
    """Options, what follows from them, and the button that adds it.

    Args:
        key: of what was uploaded.
        files: its name and bytes; asked for once for each choice of options.
    """
    with checked.form() as form:
        with st.expander("What becomes elastic", icon=":material/tune:"):
            terms.caption(
                "Shares of what the network has: subnets keep so much of it. What is here is only proposed, and said again below."
            )
            options = config_form(FolderOptions, f"folder-set-{key[:80]}", columns=3)
        found = None if form.complaints else _understood(key, files, options)
        if isinstance(found, str):
            st.error(for_markdown(found, 600), icon=":material/block:")
            return
        if found is not None:
            told(found)
        name = checked.name_field(
            "Name",
            value=display_name(found.title if found else "") or "my transformer",
            key=f"folder-name-{key[:80]}",
        )
        pressed = form.start(
            "Make it a supernet",
            key="folder-add",
            type="primary",
            icon=":material/add:",
            action=Action.UPLOAD,
            disabled=found is None,
            help="Its weights are taken as they are: the largest subnet is this network. Tune it on data of your own afterwards.",
        )
    if pressed and found is not None:
        _add(files, options, name)


def _understood(key: str, files: Files, options: dict[str, Any]) -> Understood | str:
    """What the folder is with these options, or why it is refused; a rerun asks nobody again."""
    asked = json.dumps([key, options], sort_keys=True)
    known = st.session_state.get(_READ)
    if known is not None and known[0] == asked:
        found: Understood | str = known[1]
        return found
    try:
        with st.spinner("Reading the folder…", show_time=True):
            found = folders.understood(*files(), options)
    except Busy as error:
        return str(error)
    except CoreError as error:
        found = str(error)
    st.session_state[_READ] = (asked, found)
    return found


def told(found: Understood) -> None:
    """What it is, what becomes elastic, what stays as it is and why, what is left out."""
    with st.container(border=True, key="folder-understood"):
        st.markdown(
            f"**{for_markdown(found.label)}** ({for_markdown(found.class_name)}), as {for_markdown(found.family_label)}: "
            f"**{count_of(found.size, 'subnet')}** from {found.choices} choices, "
            f"{format_value(found.params, objective('params'))} parameters in all. It takes {_takes(found)}."
        )
        sizes, elastic = st.columns([2, 3], gap="medium")
        with sizes:
            html_table([{"part": what, "size": much} for what, much in found.sizes], "Its sizes")
        with elastic:
            _elastic(found)
        if found.fresh:
            st.warning(
                f"Not in the folder, and drawn anew: {_listed(found.fresh)}. Until it is trained, the network answers by chance.",
                icon=":material/warning:",
            )
        facts = [*([found.tokenizer] if found.tokenizer else []), *found.facts]
        st.markdown("\n".join(f"- {for_markdown(fact, 400)}" for fact in facts))
        _parts(found.fixed, "stays as it is", "stay as they are")
        _parts(found.skipped, "of the folder is not used", "of the folder are not used")


def _takes(found: Understood) -> str:
    """What goes in, in half a sentence."""
    shape = " x ".join(map(format_count, found.input_shape))
    classes = f" and tells {format_count(found.classes)} classes apart"
    if found.task == "image":
        return f"images of {shape}{classes}"
    if found.task == "tokens":
        return f"texts of up to {shape} tokens{classes}"
    return f"{shape} tokens at a time and tells what comes next among {format_count(found.classes)}"


def _elastic(found: Understood) -> None:
    if not found.elastic:
        st.info("Nothing becomes elastic with these options: choose more shares.", icon=":material/info:")
        return
    html_table(
        [
            {
                "elastic": each.part,
                "options": ", ".join(format_count(option) for option in each.options),
                "chosen": "once" if each.choices == 1 else f"in each of {each.choices} layers",
            }
            for each in found.elastic
        ],
        "What becomes elastic",
    )


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _MOST_FRESH
    shown = ", ".join(for_markdown(name.strip(".")) for name in names[:_MOST_FRESH])
    return f"{shown} and {more} more" if more > 0 else shown


def _parts(parts: Sequence[FixedPart], one: str, several: str) -> None:
    if not parts:
        return
    with st.expander(f"{count_of(len(parts), 'part')} {several if len(parts) > 1 else one}"):
        html_table(
            [{"part": each.part, "why": each.why} for each in parts[:_MOST_ROWS]], f"What {several}, and why"
        )
        if len(parts) > _MOST_ROWS:
            st.caption(f"and {len(parts) - _MOST_ROWS} more.")


def _add(files: Files, options: dict[str, Any], name: str) -> None:
    """Make the supernet, keep it, and open its page, where it is tuned."""
    try:
        with st.spinner("Making the supernet…", show_time=True):
            made = folders.load(*files(), options)
            added = loading.keep(resources.store(), made, name)
    except CoreError as error:
        st.error(for_markdown(error, 600), icon=":material/block:")
        return
    if added.was_there:
        st.toast(f"It is in the library already, as {display_name(added.title)}.", icon=":material/info:")
    page_state.show(added.supernet_id)
    st.rerun()
