"""A decoder's front as rows of slices that mistral.rs reads (`--matformer-config-path`, `--matformer-slice-name`).

A slice names the layers that are skipped, counted from 0, and the hidden units of each layer that stays, in order. That
program cuts Gemma 3n by such rows and no other architecture, and reads neither heads nor widths: a subnet with fewer of
them has no row. Its column of accuracies is not looked at and stays empty, since MMLU was not measured here; what was
measured stands in columns behind, which it passes over.

Source: EricLBuehler/mistral.rs (MIT), matformer.rs; Devvrit et al., MatFormer, NeurIPS 2024 (Mix'n'Match).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from core.errors import InvalidInput
from core.library import supernets
from core.library.csv_tables import csv_bytes
from core.library.supernets import SupernetEntry
from core.spaces import Arch

if TYPE_CHECKING:
    import pandas as pd

FAMILY = "elastic_decoder"
COLUMNS = (
    "name",
    "# Layers",
    "# Effective Params (B)",
    "MMLU PT accuracy",
    "FFN Hidden Dims",
    "Layers Skipped",
)
_BILLION = 1e9


@dataclass(frozen=True)
class MatformerRows:
    """A file of slices.

    Attributes:
        data: the CSV.
        rows: how many slices it holds.
        left_out: subnets of the front that no slice can say.
    """

    data: bytes
    rows: int
    left_out: int

    @property
    def told(self) -> str:
        """What the file fits, in sentences."""
        out = ""
        if self.left_out:
            out = f" {self.left_out} of the front have fewer heads, a smaller width or no layer at all, which no slice says: they are left out."
        return (
            f"{self.rows} slices of MatFormer as mistral.rs reads them.{out} It cuts Gemma 3n by such rows, and no other "
            "architecture: they fit a Gemma 3n of as many layers and hidden units, not this decoder's own download."
        )


def matformer_rows(entry: SupernetEntry, table: pd.DataFrame) -> MatformerRows:
    """The rows `on_front` of a table of subnets.

    Args:
        entry: a supernet of decoders.
        table: as `core.library.csv_tables.front_rows` makes it.

    Raises:
        InvalidInput: it is no decoder, or no subnet of the front can be said.
    """
    if entry.family != FAMILY:
        raise InvalidInput("mistral.rs reads slices of language models alone; this supernet is none.")
    front = table.loc[table["on_front"].to_numpy(bool)]
    space = entry.space
    archs = [space.from_dict(json.loads(text)) for text in front["architecture"]]
    params = supernets.counted(entry, np.array(archs, np.int64).reshape(len(archs), -1), "params")
    measured = [str(name) for name in front if name not in ("architecture", "on_front", "source", "network")]
    rows: list[Mapping[str, Any]] = []
    for arch, count, (_, numbers) in zip(archs, params, front.iterrows(), strict=True):
        sizes = hidden_units(entry, arch)
        kept = [units for units in sizes or () if units]
        if not kept:
            continue
        skipped = [index for index, units in enumerate(sizes or ()) if not units]
        told = (f"Subnet {space.arch_id(arch)}", len(kept), float(count) / _BILLION, "", _listed(kept))
        row = dict(zip(COLUMNS, (*told, _listed(skipped) if skipped else ""), strict=True))
        rows.append(row | {name: numbers[name] for name in measured})
    if not rows:
        raise InvalidInput(
            "No subnet of this front can be said as a slice: mistral.rs knows hidden units and skipped layers alone."
        )
    return MatformerRows(csv_bytes(rows), len(rows), len(archs) - len(rows))


def hidden_units(entry: SupernetEntry, arch: Arch) -> list[int] | None:
    """Hidden units of every layer of a decoder, 0 where it is skipped; None where heads or width are smaller too."""
    from core.supernets.decoder_space import ElasticDecoderConfig

    config = ElasticDecoderConfig.model_validate(entry.header["config"])
    chosen = entry.space.to_dict(arch)
    # Choices of one option are left out of the space, and those of a skipped layer out of the dictionary.
    sizes = [int(chosen.get(f"hidden{layer}", config.hidden[-1])) for layer in range(1, config.layers + 1)]
    heads = [int(chosen.get(f"heads{layer}", config.heads[-1])) for layer in range(1, config.layers + 1)]
    whole = int(chosen.get("width", config.widths[-1])) == config.widths[-1]
    return sizes if whole and all(each == config.heads[-1] for each in heads) else None


def _listed(numbers: list[int]) -> str:
    return f"[{', '.join(map(str, numbers))}]"
