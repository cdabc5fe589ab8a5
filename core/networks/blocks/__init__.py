"""Plain torch blocks that networks are made of: one file each, with everything that is known of it beside it."""

from __future__ import annotations

from core.networks.blocks.base import BLOCKS, BlockKind, kind_of, known_kind

__all__ = ["BLOCKS", "BlockKind", "kind_of", "known_kind"]
