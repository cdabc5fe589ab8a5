"""The menu, and the server behind it; everything else is in the pages, so that each also works alone."""

from __future__ import annotations

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from core.errors import NotAllowed
from core.text import for_markdown
from pages.ui import menu, server

if get_script_run_ctx(suppress_warning=True) is None:
    # `streamlit run app.py` reads this file, finds the server and starts it; it runs the rest for each visitor.
    app = st.App(__file__, lifespan=server.lifespan, middleware=server.middleware())
else:
    st.set_page_config(
        page_title="Paretoscope", page_icon=server.ICON, layout="wide", initial_sidebar_state=230
    )

    (first, landing), *others = menu.pages().items()
    home = st.Page(
        menu.path_of(first), title=landing.title, icon=menu.icon(landing), default=True, url_path="home"
    )
    listed = [st.Page(menu.path_of(name), title=p.title, icon=menu.icon(p)) for name, p in others]

    def landing_by_name() -> None:
        """The landing page lives at "/"; whoever writes its name means it too."""
        st.switch_page(home, query_params=st.query_params.to_dict())

    st.session_state["came-through-app"] = True
    chosen = st.navigation([home, *listed, st.Page(landing_by_name, url_path=first, visibility="hidden")])
    try:
        chosen.run()
    except NotAllowed as error:
        st.error(for_markdown(error, 600), icon=":material/lock:")
