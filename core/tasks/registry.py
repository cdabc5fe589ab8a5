"""The registry of tasks, free of torch, so that they can be listed."""

from __future__ import annotations

from typing import Any

from core.registry import Registry

TASKS: Registry[Any] = Registry("task", "core.tasks", "TASKS")
