"""Who can see what in a class, in a few plain lines."""

from __future__ import annotations

import streamlit as st

_LINES = """\
- **A student** sees the own runs and files, the predictions of the class as bars once they are revealed, the shared
  experiment, and the contest's leaderboard. Nobody sees another's runs, and nobody another's answers.
- **The teacher** sees nicknames, who is where, the predictions as bars, and how many answers are right. Files to take home
  hold every step by nickname, or by number where the class is anonymous.
- **Whoever runs this server** can read what lies on its disk. Nothing is sent anywhere else.
- A nickname need not be a name. This browser keeps one cookie, which only says who you are in the class.
- **The teacher's link is a secret**: whoever has it leads the class. If it is lost, or in wrong hands,
  `python -m core class new-secret CODE` at the server makes another one, and the old one ends.
"""


def draw() -> None:
    """The lines, behind a click."""
    with st.expander("Who can see what", key="class-who-sees"):
        st.markdown(_LINES)
