"""Icons that a page may show: those the pages name, and those of Streamlit's own elements. Prints them for .ci/fonts."""

from __future__ import annotations

import re
from pathlib import Path

from streamlit.file_util import get_static_dir

ROOT = Path(__file__).resolve().parents[2]
# What a page may take without cutting the font anew.
SPARE = """
archive arrow_downward arrow_drop_down arrow_drop_up arrow_upward article assignment bar_chart bolt bookmark check_circle chevron_right
co_present code content_paste description deselect drive_file_rename_outline edit flag folder folder_open fullscreen functions
group help history image insights keyboard label lightbulb menu_book picture_as_pdf present_to_all print redo refresh
restart_alt save school search select_all settings share slideshow speed star straighten summarize swap_horiz
unarchive upload_file visibility zoom_in
"""
_NAMED = re.compile(r":material/([a-z0-9_]+)")
_OF_MENU = re.compile(r'icon="([a-z0-9_]+)"')


def of_pages() -> set[str]:
    """Icons that the pages name."""
    files = [ROOT / "app.py", *(ROOT / "pages").rglob("*.py")]
    texts = [file.read_text(encoding="utf-8") for file in files]
    return {name for text in texts for name in (*_NAMED.findall(text), *_OF_MENU.findall(text))}


def of_streamlit() -> set[str]:
    """Icons that Streamlit's scripts name."""
    scripts = (Path(get_static_dir()) / "static" / "js").glob("*.js")
    # "star_filled" is a name of Streamlit's own for a star that is filled.
    return {name for file in scripts for name in _NAMED.findall(file.read_text(encoding="utf-8"))} - {
        "star_filled"
    }


if __name__ == "__main__":
    print("\n".join(sorted(of_pages() | of_streamlit() | set(SPARE.split()))))
