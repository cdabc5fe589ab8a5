"""Who the visitor of this session is: asked anew at every deed, so that a tab left open keeps no right it has lost."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from core.people import NOBODY, Person
from core.people.asking import expect_log_in
from core.people.person import known_by
from core.settings import settings
from pages.ui.people.header import OWN_HEADER, who_said

SHORTEST_SECRET = 32
"""Letters of the secret that signs log-ins: with a guessed one anybody can be anybody."""

_AHEAD_SECONDS = 300.0


def visitor() -> Person:
    """Whom the proxy or the log-in of this session names; nobody where neither does."""
    configured = settings()
    if configured.user_header:
        identity = who_said(st.context.headers.get(OWN_HEADER, ""))
        return known_by("proxy", identity, email=identity if "@" in identity else "")
    context = get_script_run_ctx(suppress_warning=True)
    claims = dict(context.user_info) if context is not None else {}
    return by_claims(claims, time.time(), 3600.0 * configured.login_hours)


def by_claims(claims: Mapping[str, Any], now: float, longest: float) -> Person:
    """Whom the claims of a log-in name; nobody where it is none, or older than `longest` seconds.

    Args:
        claims: of the identity token, as the signed cookie holds them.
        now: seconds since the epoch.
        longest: how long a log-in counts. The cookie itself lasts a month, and a tab as long as it is open.
    """
    issuer, subject, issued = (claims.get(name) for name in ("iss", "sub", "iat"))
    if claims.get("is_logged_in") is not True or not all(isinstance(x, str) and x for x in (issuer, subject)):
        return NOBODY
    if not isinstance(issued, int | float) or not now - longest < issued <= now + _AHEAD_SECONDS:
        return NOBODY
    email = claims.get("email")
    vouched = isinstance(email, str) and claims.get("email_verified") is True
    groups = claims.get("groups")
    return known_by(
        "openid",
        f"{issuer}#{subject}",
        next((str(claims[each]) for each in ("name", "preferred_username") if claims.get(each)), ""),
        email=str(email) if vouched else "",
        groups=tuple(each for each in groups if isinstance(each, str)) if isinstance(groups, list) else (),
    )


def log_ins() -> tuple[str, ...]:
    """Names of the log-ins that Streamlit's secrets describe; "" is the one that has no name."""
    section = _section()
    named = [name for name, value in section.items() if isinstance(value, Mapping) and "client_id" in value]
    return ("",) if "client_id" in section else tuple(named)


def expect() -> None:
    """At the start of a server: see whether a log-in is configured, and whether its secret can be guessed."""
    try:
        section = _section()
    except Exception as error:  # Streamlit's own words about a file it cannot read
        said = " ".join(str(error).split())[:200]
        expect_log_in(
            True,
            f"The secrets of the log-in cannot be read ({said}). Until they can, nobody may do anything.",
        )
        return
    expect_log_in(bool(section))
    secret = section.get("cookie_secret")
    if section and (not isinstance(secret, str) or len(secret) < SHORTEST_SECRET):
        expect_log_in(
            True,
            f"The cookie_secret of the log-in is shorter than {SHORTEST_SECRET} letters, so it can be guessed: make one with "
            '`python -c "import secrets; print(secrets.token_hex(32))"`. Until then nobody may do anything.',
        )


def _section() -> Mapping[str, Any]:
    from streamlit.auth_util import get_secrets_auth_section

    return dict(get_secrets_auth_section())
