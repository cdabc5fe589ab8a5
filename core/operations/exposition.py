"""Numbers as Prometheus reads them: its text format, version 0.0.4.

Source: Prometheus documentation, 'Exposition formats' (text-based format).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass
class Family:
    """Numbers of one name.

    Attributes:
        name: snake_case, with its unit; a counter's ends with _total.
        kind: of number.
        help: one sentence.
        samples: labels -> number.
    """

    name: str
    kind: Literal["counter", "gauge"]
    help: str
    samples: dict[tuple[tuple[str, str], ...], float] = field(default_factory=dict)

    def add(self, value: float, labels: Mapping[str, str] | None = None) -> None:
        """Add to the number with these labels, from 0."""
        key = tuple(sorted((labels or {}).items()))
        self.samples[key] = self.samples.get(key, 0.0) + value


def text(families: Iterable[Family]) -> str:
    """The families one after the other; those without numbers are left out."""
    lines = []
    for family in families:
        if family.samples:
            lines += [
                f"# HELP {family.name} {_escaped(family.help)}",
                f"# TYPE {family.name} {family.kind}",
            ]
        for labels, value in family.samples.items():
            inside = ",".join(f'{name}="{_quoted(said)}"' for name, said in labels)
            lines.append(
                f"{family.name}{{{inside}}} {_number(value)}" if inside else f"{family.name} {_number(value)}"
            )
    return "\n".join(lines) + "\n"


def _escaped(said: str) -> str:
    return said.replace("\\", "\\\\").replace("\n", "\\n")


def _quoted(said: str) -> str:
    return _escaped(said).replace('"', '\\"')


def _number(value: float) -> str:
    if math.isfinite(value):
        return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(float(value))
    return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"
