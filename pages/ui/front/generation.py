"""Text from the picked subnet and from the largest, side by side: same prompt, same seed, while it is written."""

from __future__ import annotations

import html
import time
from collections.abc import Sequence
from typing import Any

import streamlit as st

from core.errors import CoreError
from core.library.supernets import SupernetEntry
from core.library.writing import Ask, Written, require_quick, write
from core.people import Action
from core.settings import settings
from core.spaces import Arch
from core.text import for_markdown
from core.views import writing as view
from pages.ui.checked import form as open_form
from pages.ui.forms import bounds, field_number
from pages.ui.setup import note

_KEPT = "written-texts"
_EVERY_SECONDS = 0.06


def draw(entry: SupernetEntry, arch: Arch) -> None:
    """Prompt and settings, the button, and both texts."""
    with st.container(key="generation"):
        try:
            require_quick(entry)
        except CoreError as error:
            st.info(for_markdown(error, 600), icon=":material/info:")
            return
        with open_form() as form:
            ask = _ask(entry)
            with st.container(horizontal=True, vertical_alignment="center"):
                pressed = form.start(
                    "Write",
                    key="generation-start",
                    type="primary",
                    icon=":material/edit:",
                    disabled=ask is None,
                    action=Action.LOOK,
                )
                # Any press ends the run that writes; what is there by then stays.
                st.button(
                    "Stop",
                    key="generation-stop",
                    icon=":material/stop:",
                    help="Ends the writing; what was written stays.",
                )
        archs, place = _archs(entry, arch), st.empty()
        asked = (entry.sha256, tuple(arch))
        if pressed and ask is not None:
            _write(entry, archs, ask, place)
        known = st.session_state.get(_KEPT)
        if known is None or known["of"] != asked:
            _show(place, [Written("") for _ in archs])
            return
        _show(place, known["texts"] or [Written("") for _ in archs])
        _told(known["texts"], known["ask"])


def _ask(entry: SupernetEntry) -> Ask | None:
    key = entry.supernet_id
    prompt = st.text_area(
        "Prompt",
        value=Ask().prompt,
        key=f"generation-prompt-{key}",
        height=68,
        help="Both subnets go on with this text. They have read nothing but what they were trained on.",
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        low, high = bounds(Ask, "temperature")
        temperature = st.slider(
            "Temperature",
            float(low),
            float(high),
            Ask().temperature,
            0.1,
            key=f"generation-temperature-{key}",
            width=230,
            help=Ask.model_fields["temperature"].description,
        )
        tokens = field_number(Ask, "tokens", "Tokens", key=f"generation-tokens-{key}", step=16, width=130)
        top_k = field_number(Ask, "top_k", "Likeliest", key=f"generation-top-{key}", width=130)
        seed = field_number(Ask, "seed", "Seed", key=f"generation-seed-{key}", width=130)
    longest = next(m.max_length for m in Ask.model_fields["prompt"].metadata if hasattr(m, "max_length"))
    if not prompt.strip():
        st.caption("Write a few words that the subnets shall go on with.")
        return None
    if len(prompt) > longest:
        st.error(
            f"The prompt has {len(prompt):,} characters; at most {longest:,} are read.",
            icon=":material/error:",
        )
        return None
    return Ask(prompt=prompt, tokens=tokens, temperature=temperature, top_k=top_k, seed=seed)


def _archs(entry: SupernetEntry, arch: Arch) -> list[Arch]:
    """The picked subnet and the largest, which has no other one beside it."""
    if tuple(arch) == tuple(entry.reference):
        st.caption("This is the largest subnet: there is no other to compare it with.")
        return [arch]
    return [arch, entry.reference]


def _write(entry: SupernetEntry, archs: Sequence[Arch], ask: Ask, place: Any) -> None:
    """Write and show it while it comes; what is there when a person stops it is kept."""
    texts: list[Written] = []
    st.session_state[_KEPT] = {"of": (entry.sha256, tuple(archs[0])), "ask": ask, "texts": texts}
    drawn = 0.0
    try:
        for found in write(entry, archs, ask):
            texts[:] = found
            if time.monotonic() - drawn > _EVERY_SECONDS:
                _show(place, found)
                drawn = time.monotonic()
    except CoreError as error:
        st.error(for_markdown(error, 600), icon=":material/block:")


def _show(place: Any, texts: Sequence[Written]) -> None:
    figures = []
    for whose, written in zip(view.WHOSE, texts, strict=False):
        head = html.escape(view.heading(whose, written) if written.params else whose)
        body = (
            f"<span>{html.escape(written.prompt)}</span>{html.escape(written.text)}"
            if written.tokens
            else "&nbsp;"
        )
        figures.append(
            f'<figure class="ps-written"><figcaption>{head}</figcaption><p dir="auto">{body}</p>'
            f"<small>{html.escape(view.speed(written)) or '&nbsp;'}</small></figure>"
        )
    place.html(f'<div class="ps-written-pair">{"".join(figures)}</div>')


def _told(texts: Sequence[Written], ask: Ask) -> None:
    if not texts:
        return
    if sentence := view.ended(texts, ask):
        st.caption(sentence)
    if len(texts) > 1 and (sentence := view.compared(texts)):
        st.markdown(sentence)
    note(view.how_measured(ask, settings().threads))
