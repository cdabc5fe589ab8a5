"""A plan against its folder: every tensor of ours has its source in the right shape, and every one of theirs a reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch

from core.config import Plugin
from core.errors import InvalidInput
from core.supernets.files import outline_of, shared_names
from core.supernets.folders.plan import Named, Plan
from core.supernets.folders.understood import FixedPart, Understood
from core.supernets.folders.weights import require_floats

if TYPE_CHECKING:
    from core.supernets.base import Supernet
    from core.supernets.folders.folder import Folder
    from core.supernets.folders.options import FolderOptions

_NAMED = 3


def checked(
    kind: Plugin,
    class_name: str,
    folder: Folder,
    plan: Plan,
    where: Mapping[str, Named],
    options: FolderOptions,
    tokenizer: str,
) -> Understood:
    """What a person is told of a plan that fits its folder; `tokenizer` is the sentence about that.

    Raises:
        InvalidInput: a tensor is missing, is left over, or has another shape or kind of numbers.
    """
    empty = outline_of(plan.family, plan.config)
    _check_sources(kind, plan, where, empty)
    skipped = _skipped(kind, plan, where)
    return Understood(
        architecture=kind.name,
        label=kind.label,
        class_name=class_name,
        title=plan.title or folder.title,
        family=plan.family,
        family_label=empty.label,
        task=empty.task.name,
        input_shape=tuple(empty.config.input_shape),
        classes=empty.classes,
        sizes=tuple(plan.sizes),
        params=sum(parameter.numel() for parameter in empty.parameters()),
        size=empty.space.size,
        choices=len(empty.space),
        elastic=tuple(plan.elastic),
        fixed=tuple(plan.fixed),
        skipped=skipped,
        fresh=tuple(plan.fresh),
        tokenizer=tokenizer,
        facts=tuple(plan.facts),
        options=options,
    )


def _check_sources(kind: Plugin, plan: Plan, where: Mapping[str, Named], empty: Supernet) -> None:
    shared = shared_names(empty)
    wanted = {name: tuple(each.shape) for name, each in empty.state_dict().items() if name not in shared}
    for ours in plan.takes:
        assert ours in wanted, f"{kind.name} fills {ours}, which {plan.family} does not have"
    if missing := [name for each in plan.takes.values() for name in each.theirs if name not in where]:
        raise InvalidInput(f"This folder lacks {_listed(missing)}, which {kind.label} of these sizes has.")
    if bare := [ours for ours in wanted if ours not in plan.takes and not _begins(ours, plan.fresh)]:
        raise InvalidInput(f"Nothing in this folder fills {_listed(bare)} of the supernet.")
    outlines = {
        name: torch.empty(where[name].stored.shape, device="meta")
        for each in plan.takes.values()
        for name in each.theirs
    }
    for ours, each in plan.takes.items():
        for name in each.theirs:
            require_floats(where[name].name, where[name].stored)
        try:
            found = tuple(each.of(outlines).shape)
        except (RuntimeError, IndexError):
            found = ()
        stored = each.stored is None or all(where[name].stored.shape == each.stored for name in each.theirs)
        if not stored or found != wanted[ours]:
            shapes = " and ".join(str(where[name].stored.shape) for name in each.theirs[:_NAMED])
            raise InvalidInput(
                f"The tensor {where[each.theirs[0]].name} has the shape {shapes}, which does not fit the sizes in "
                "config.json."
            )


def _skipped(kind: Plugin, plan: Plan, where: Mapping[str, Named]) -> tuple[FixedPart, ...]:
    """What of the folder is not used; raises where no reason is known."""
    used = {name for each in plan.takes.values() for name in each.theirs}
    reasons: dict[str, str] = {}
    left = []
    for name in where:
        if name in used:
            continue
        key = next((key for key in plan.unused if _is_under(name, key)), None)
        if key is None:
            left.append(where[name].name)
        else:
            reasons[key] = plan.unused[key]
    if left:
        raise InvalidInput(f"This folder holds {_listed(sorted(left))}, which {kind.label} does not have.")
    return tuple(FixedPart(part=part.strip("."), why=why) for part, why in reasons.items())


def _is_under(name: str, key: str) -> bool:
    """Whether a name is the key, lies under it ("pooler." holds "pooler.dense.bias"), or ends with it (".attn.bias")."""
    if key.startswith("."):
        return name.endswith(key)
    return name == key or (key.endswith(".") and name.startswith(key))


def _begins(name: str, keys: Sequence[str]) -> bool:
    return any(name == key or name.startswith(key) for key in keys)


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(name[:80] for name in names[:_NAMED]) + (
        f" and {more:,} other tensors" if more > 0 else ""
    )
