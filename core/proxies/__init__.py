"""Zero-cost proxies: what a network's own numbers say before it is trained. Importing this loads none."""

from __future__ import annotations

from core.proxies.base import PROXIES, LayerProxy, Proxy

__all__ = ["PROXIES", "LayerProxy", "Proxy"]
