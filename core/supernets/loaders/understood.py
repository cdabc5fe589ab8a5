"""What was understood of a file, for a person to look at before anything starts. No torch."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from core.config import Settings
from core.supernets.stage_cost import StageCost


class FixedPart(BaseModel):
    """A part that every subnet has as it is."""

    model_config = ConfigDict(frozen=True)

    part: str
    why: str


class End(BaseModel):
    """The smallest or the largest subnet.

    Attributes:
        arch_id: its short text.
        stages: what each of its stages costs, as `StageCost.to_json` writes it.
    """

    model_config = ConfigDict(frozen=True)

    arch_id: str
    stages: list[Settings]

    def costs(self) -> list[StageCost]:
        """Its stages, for a diagram."""
        return [StageCost.from_json(stage) for stage in self.stages]

    def total(self, quantity: str) -> int:
        """A counted quantity over all stages ("macs", "params", "bytes")."""
        return sum(stage.counted[quantity] for stage in self.costs())


class Understood(BaseModel):
    """What a confined process found in a file.

    Attributes:
        loader, label: registry name and label of the loader that knew it.
        title: a name to propose.
        family, family_label: of the supernet.
        task: registry name of the kind of data.
        input_shape, classes: of what it takes and answers.
        data: registry name of the data set the file names; "" where it names none.
        needs_data: whether data must be brought before a subnet can be measured.
        choices, size: of its space.
        params: of the supernet as a whole.
        smallest, largest: None where the space has no ends.
        facts: a sentence each.
        fixed: what stays as it is.
        beside: names of further files that came with it.
        sha256: of the file that was given.
        package: under what name what was made of it is kept; the file's SHA-256 if left out.
        file_sha256: of the supernet's own file that was made of it.
    """

    model_config = ConfigDict(frozen=True)

    loader: str
    label: str
    title: str = ""
    family: str
    family_label: str
    task: str
    input_shape: tuple[int, ...]
    classes: int
    data: str = ""
    needs_data: bool = True
    choices: int
    size: int
    params: int
    smallest: End | None = None
    largest: End | None = None
    facts: tuple[str, ...] = ()
    fixed: tuple[FixedPart, ...] = ()
    beside: tuple[str, ...] = ()
    sha256: str = Field("", description="Filled in by whoever asked.")
    package: str = ""
    file_sha256: str = ""
