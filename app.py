"""The list of pages, and the server that shows them; everything else is in the pages, so that each also works alone."""

from __future__ import annotations

import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx

from pages.ui import server

if get_script_run_ctx(suppress_warning=True) is None:
    # `streamlit run app.py` reads this file, finds the server and starts it; it runs the rest for each visitor.
    app = st.App(__file__, lifespan=server.lifespan, middleware=server.middleware())
else:
    st.set_page_config(
        page_title="Paretoscope", page_icon=server.ICON, layout="wide", initial_sidebar_state=230
    )

    PAGES = [
        st.Page("pages/front.py", title="Front", icon=":material/show_chart:", default=True, url_path="home"),
        st.Page("pages/supernets.py", title="Supernets", icon=":material/hub:"),
        st.Page("pages/search.py", title="Search", icon=":material/travel_explore:"),
        st.Page("pages/similarity.py", title="Similarity", icon=":material/compare:"),
        st.Page("pages/pruning.py", title="Pruning", icon=":material/content_cut:"),
        st.Page("pages/basket.py", title="Basket", icon=":material/shopping_basket:"),
        st.Page("pages/runs.py", title="Runs", icon=":material/list_alt:"),
    ]

    def front_by_name() -> None:
        """The default page lives at "/"; whoever writes /front means it too."""
        st.switch_page(PAGES[0], query_params=st.query_params.to_dict())

    st.session_state["came-through-app"] = True
    st.navigation([*PAGES, st.Page(front_by_name, url_path="front", visibility="hidden")]).run()
