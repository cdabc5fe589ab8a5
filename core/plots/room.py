"""Room around a chart for what stands beside its axes, known before a browser draws it.

Plotly measures labels when it has drawn them; where they need more than the margins, it draws the whole chart once more. Margins
that are large enough from the start halve that time. What is too small here is still corrected there.
"""

from __future__ import annotations

import html
import math
import re
from collections.abc import Sequence

TICK_PX = 11.66
"""Size of the numbers beside an axis, as a browser draws them."""
BELOW = 63
"""Pixels below a chart for numbers in one row and a title."""
_TITLE, _GAP = 32, 20
_STEEP = 50
_TAG = re.compile(r"<[^>]*>")
_WIDTHS = {
    0.27: "ijlI ',.:;|",
    0.35: "ftr()[]{}/\\-!",
    0.48: 'csvxyzJY?*"',
    0.52: "aegkFLVX0123456789+<=>^~#$_",
    0.56: "bdhnopquAESTZ`",
    0.59: "BCKPR",
    0.67: "DGHNOQU&",
    0.85: "mwMW@%",
}
"""Widths of Source Sans' characters, as shares of its size, rounded up; of others an average."""
_SHARE = {character: share for share, some in _WIDTHS.items() for character in some}


def width(text: str, size: float = TICK_PX) -> float:
    """Pixels of a line of a figure's text, rather too many than too few."""
    letters = html.unescape(_TAG.sub("", text))
    return size * sum(_SHARE.get(character, 0.56) for character in letters)


def left_of(labels: Sequence[str], *, title: bool = True, size: float = TICK_PX) -> int:
    """Pixels to the left of a chart whose vertical axis has these labels.

    Args:
        labels: of the axis, written across.
        title: whether a title stands beside them, written upwards.
        size: of the labels, in pixels.
    """
    widest = max((width(label, size) for label in labels), default=0.0)
    return math.ceil(widest + _GAP + (_TITLE if title else 0))


def above(labels: Sequence[str], *, size: float = TICK_PX) -> int:
    """Pixels above a chart for labels that lean at 50 degrees."""
    widest = max((width(label, size) for label in labels), default=0.0)
    steep = math.radians(_STEEP)
    return math.ceil(widest * math.sin(steep) + 1.3 * size * math.cos(steep) + _GAP + 1)
