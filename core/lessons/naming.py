"""What a lesson calls a subnet: its widths, depths and kernels, in as few letters as a figure has room for."""

from __future__ import annotations

from core.spaces import SearchSpace

_LONGEST = 28
_LETTERS = {"width": "w", "depth": "d", "kernel": "k"}


def short_name(space: SearchSpace, arch_id: str) -> str:
    """The options of a subnet by kind, those that all subnets share left out: `w4-8-16 k3-5-3`; its id if that is long."""
    chosen = space.to_dict(space.from_id(arch_id))
    by_kind: dict[str, list[str]] = {}
    for choice in space.choices:
        if len(choice.options) > 1 and choice.name in chosen:
            by_kind.setdefault(choice.kind, []).append(str(chosen[choice.name]))
    if not by_kind or not set(by_kind) <= set(_LETTERS):
        return arch_id
    name = " ".join(f"{_LETTERS[kind]}{'-'.join(options)}" for kind, options in by_kind.items())
    return name if len(name) <= _LONGEST else arch_id
