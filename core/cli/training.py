"""What `train` asks for: a preset or a space that a person wrote, with data, method and settings by flags."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from core.cli import own_data, pricing, tables
from core.errors import InvalidInput
from core.supernets.written import read
from core.workflows import train_supernet
from core.workflows.train_supernet import Asked


def asked(
    preset: str,
    space: Path | None,
    arguments: Sequence[str],
    *,
    data: str | None,
    method: str | None,
    seed: int,
) -> Asked:
    """The request of a training.

    Args:
        preset: its name; empty with a space.
        space: file of a written space.
        arguments: flags that the command line did not know itself.
        data: name of a data set, or a file of one's own.
        method: training strategy.
        seed: of all chance.

    Raises:
        InvalidInput: both or neither of preset and space, or a setting out of bounds.
        NotFound: there is no such preset, file, data set or strategy.
    """
    further = list(arguments)
    if space is not None and preset.startswith("-"):
        # Without a preset the first unknown flag stands where it would.
        further, preset = [preset, *further], ""
    if (space is None) == (not preset):
        raise InvalidInput("Say either what to train (digits-cnn, ...) or --space FILE.")
    own = own_data.choice(data) if data else None
    name = own["name"] if own else None
    if space is None:
        params = train_supernet.preset_request(preset, data=name, method=method, seed=seed)
    else:
        found = read(pricing.written_text(space))
        params = train_supernet.written_request(
            str(space), found.title, found.config, data=name, method=method, seed=seed
        )
    if own and own["config"]:
        params["data"] = {"name": own["name"], "config": own["config"], "seed": 0}
    return train_supernet.with_settings(params, tables.split_training_flags(further, params))
