"""The theme's parts come from memory with the bytes they had, and the configuration is asked once."""

from __future__ import annotations

import pytest
from streamlit.proto.NewSession_pb2 import CustomThemeConfig, NewSession
from streamlit.runtime import app_session

from pages.ui import theme_once

PARTS = {
    "theme": lambda theme: theme,
    "theme.light": lambda theme: theme.light,
    "theme.dark": lambda theme: theme.dark,
    "theme.sidebar": lambda theme: theme.sidebar,
    "theme.light.sidebar": lambda theme: theme.light.sidebar,
    "theme.dark.sidebar": lambda theme: theme.dark.sidebar,
}


def whole_theme() -> bytes:
    message = NewSession()
    for section, part in PARTS.items():
        app_session._populate_theme_msg(part(message.custom_theme), section)
    return message.SerializeToString(deterministic=True)


def test_the_same_bytes_without_asking_again(monkeypatch: pytest.MonkeyPatch) -> None:
    plain, asked = app_session._populate_theme_msg, []

    def counted(message: CustomThemeConfig, section: str = "theme") -> None:
        asked.append(section)
        message.primary_color = f"#0000{len(section):02d}"
        message.chart_categorical_colors.append(section)

    monkeypatch.setattr(app_session, "_populate_theme_msg", counted)
    expected = whole_theme()
    asked.clear()
    theme_once.remember()
    theme_once.remember()
    assert [whole_theme(), whole_theme(), whole_theme()] == [expected] * 3
    assert asked == list(PARTS)
    monkeypatch.setattr(app_session, "_populate_theme_msg", plain)
    empty = whole_theme()
    theme_once.remember()
    whole_theme()
    assert whole_theme() == empty, "a part that says nothing stays away"
