"""Bounds of what is accepted from strangers' files, so that what passes builds and runs in bounded memory."""

from __future__ import annotations

MOST_CHANNELS, MOST_SIDE, MOST_CLASSES = 64, 1024, 10_000
MOST_BANDS, MOST_LENGTH = 256, 200_000
"""Channels of a series, and its length."""
