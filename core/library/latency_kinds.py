"""Which workflows keep latencies: known without importing what reads them, which a first visit need not wait for."""

from __future__ import annotations

TIMED_HERE, ADDED = "measure_latency", "add_profile"
KINDS = (TIMED_HERE, ADDED)
"""Workflows whose runs keep a `core.library.latency.LatencyRecord`."""
CHECKS = "check_latency"
"""Workflow whose runs keep a `core.library.latency.LatencyCheck`."""
