"""A latency profile: which subnets were timed on which device, by which protocol, and what came out.

`profile.json` of a measuring kit and what a run keeps are the same record. It may come from a stranger: every field is
bounded, and a file that is damaged, foreign or half is refused in a sentence. The device's description decides the
name of the objective, so that several devices are several objectives and nothing needs a store to read a name.
No torch.
"""

from __future__ import annotations

import hashlib
import json
import re
from datetime import UTC, datetime
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from core.config import JsonObject
from core.errors import InvalidInput, plain
from core.spaces.arch_ids import DIGITS

FILE = "profile.json"
OBJECTIVE = "latency_ms"
"""Registered name of the objective whose variants profiles are."""
MOST_BYTES = 64 << 20
"""Size of the largest file that is looked at."""
MOST_SUBNETS = 200_000
FEWEST_SUBNETS = 8
STALE_DRIFT = 0.1
"""Anchors that moved by more than this share say that the machine is no longer what it was."""

_Hash = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
_Milliseconds = Annotated[float, Field(gt=0, le=1e7, allow_inf_nan=False)]
_Spread = Annotated[float, Field(ge=0, le=1e7, allow_inf_nan=False)]
_ArchId = Annotated[str, StringConstraints(pattern=rf"^[{DIGITS}]{{1,400}}$")]


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("must be one line of plain text")
    return text


_Text = Annotated[str, StringConstraints(strip_whitespace=True, max_length=120), AfterValidator(_printable)]
_Name = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=60), AfterValidator(_printable)
]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class SupernetIdentity(_Part):
    """What decides how long a supernet's subnets take: their structure, never their weights.

    Attributes:
        title: what a person reads.
        family: registry name.
        layout: SHA-256 of family, configuration and space; see `layout_of`.
        space: fingerprint of the search space.
    """

    title: _Text = ""
    family: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]{1,64}$")]
    layout: _Hash
    space: _Hash


class Device(_Part):
    """What timed: together these fields are the identity of a latency objective.

    Attributes:
        name: what a person calls it; the processor's name unless they said.
        processor: as the system names it.
        threads: that one answer may use.
        runtime: what ran the networks.
        version: of the runtime.
        provider: of the runtime ("CPUExecutionProvider", "cuda").
        precision: of weights and activations.
        batch: samples of one answer.
        system: operating system and architecture.
    """

    name: _Name
    processor: _Text = ""
    threads: int = Field(1, ge=1, le=1024)
    runtime: Literal["onnxruntime", "torch"] = "onnxruntime"
    version: Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z.+_-]{1,40}$")]
    provider: _Text = "CPUExecutionProvider"
    precision: Literal["float32", "tf32", "float16", "bfloat16", "int8"] = "float32"
    batch: int = Field(1, ge=1, le=65_536)
    system: _Text = ""

    @property
    def identity(self) -> str:
        """SHA-256 of all fields."""
        return hashlib.sha256(json.dumps(self.model_dump(), sort_keys=True).encode()).hexdigest()

    @property
    def slug(self) -> str:
        """Short text that is unique to these fields and still reads: `AMD-EPYC-9R14_1-thread_3f9a1c`.

        Words are joined by "-", parts by "_"; the last part is the start of the identity.
        """
        parts = [_words(self.name), f"{self.threads}-thread{'s' * (self.threads > 1)}"]
        if self.runtime != "onnxruntime" or self.provider != "CPUExecutionProvider":
            parts.append(_words(f"{self.runtime} {self.provider.removesuffix('ExecutionProvider')}"))
        if self.precision != "float32":
            parts.append(self.precision)
        if self.batch > 1:
            parts.append(f"batch-{self.batch}")
        return "_".join([*parts, self.identity[:6]])

    @property
    def objective(self) -> str:
        """Name of the objective: `latency_ms.SLUG`."""
        return f"{OBJECTIVE}.{self.slug}"


class Protocol(_Part):
    """How it was timed; see `core.evaluation.latency.protocol`.

    Attributes:
        rounds: how often every network was visited, in a new random order each time.
        runs: timed runs of a visit, after one that is thrown away; the minimum over all counts.
        agreement: rank correlation between the two halves of the rounds.
        agreed: whether it reached what was asked for before the rounds ran out.
        seconds: the timing took.
    """

    rounds: int = Field(ge=1, le=1_000_000)
    runs: int = Field(ge=1, le=1_000_000)
    agreement: float = Field(ge=-1, le=1)
    agreed: bool = True
    seconds: float = Field(0.0, ge=0, le=1e9)


class Timings(_Part):
    """Subnets timed against each other.

    Attributes:
        arch_ids: which.
        ms: minimum over all timed runs of one answer (of `batch` samples), milliseconds.
        spread: interquartile range of the rounds' minima, milliseconds.
        peak_bytes: most memory that activations took at once, where the runtime tells; empty where it does not.
    """

    arch_ids: tuple[_ArchId, ...] = Field(min_length=FEWEST_SUBNETS, max_length=MOST_SUBNETS)
    ms: tuple[_Milliseconds, ...] = Field(max_length=MOST_SUBNETS)
    spread: tuple[_Spread, ...] = Field(max_length=MOST_SUBNETS)
    peak_bytes: tuple[Annotated[int, Field(ge=0, le=1 << 50)], ...] = Field((), max_length=MOST_SUBNETS)

    @model_validator(mode="after")
    def _complete(self) -> Self:
        n = len(self.arch_ids)
        if len(self.ms) != n or len(self.spread) != n or len(self.peak_bytes) not in (0, n):
            raise ValueError("the lists of subnets and times differ in length")
        if len(set(self.arch_ids)) != n:
            raise ValueError("a subnet is listed twice")
        return self


class Anchors(_Part):
    """The same few subnets, timed before and after everything else: how far the machine moved meanwhile.

    Attributes:
        arch_ids: which.
        start, end: milliseconds.
    """

    arch_ids: tuple[_ArchId, ...] = Field(min_length=1, max_length=1000)
    start: tuple[_Milliseconds, ...] = Field(max_length=1000)
    end: tuple[_Milliseconds, ...] = Field(max_length=1000)

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if not len(self.arch_ids) == len(self.start) == len(self.end):
            raise ValueError("the anchors were not timed again at the end")
        return self

    @property
    def drift(self) -> float:
        """Median change from start to end, as a share: 0.03 is 3 % slower at the end."""
        return drift(self.start, self.end)


class LatencyProfile(_Part):
    """A whole profile.

    Attributes:
        format: version of this record.
        supernet: whose subnets.
        device: on what.
        protocol: how.
        planned: subnets that were to be timed; a profile with fewer is unfinished.
        timings: what came out.
        anchors: how steady the machine was.
        process_peak_bytes: most memory that the measuring process took, None where the system does not tell.
        date: when it was finished, ISO 8601 in UTC.
    """

    format: Literal[1] = 1
    supernet: SupernetIdentity
    device: Device
    protocol: Protocol
    planned: int = Field(ge=FEWEST_SUBNETS, le=MOST_SUBNETS)
    timings: Timings
    anchors: Anchors
    process_peak_bytes: int | None = Field(None, ge=0, le=1 << 50)
    date: Annotated[
        str, StringConstraints(pattern=r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|\+00:00)$")
    ]

    @model_validator(mode="after")
    def _finished(self) -> Self:
        if len(self.timings.arch_ids) < self.planned:
            raise ValueError(
                f"it is unfinished: {len(self.timings.arch_ids):,} of {self.planned:,} subnets were timed"
            )
        return self

    @property
    def objective(self) -> str:
        """Name of the objective that the profile makes: `latency_ms.SLUG`."""
        return self.device.objective

    def encode(self) -> bytes:
        """The file's bytes."""
        return self.model_dump_json().encode()


def read_profile(data: bytes) -> LatencyProfile:
    """A profile from a file that may come from anybody.

    Raises:
        InvalidInput: it is no profile, damaged, unfinished or too large; the sentence says which.
    """
    if len(data) > MOST_BYTES:
        raise InvalidInput(
            f"This file is larger than {MOST_BYTES >> 20} MB, which no profile of a measuring kit is."
        )
    try:
        fields = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(
            "This is no profile of a measuring kit, or it was cut off: it is not JSON. Run the kit again."
        ) from error
    if not isinstance(fields, dict):
        raise InvalidInput("This is no profile of a measuring kit.")
    if isinstance(fields.get("format"), int) and fields["format"] > 1:
        raise InvalidInput("A newer release made this profile; update this one to read it.")
    try:
        return LatencyProfile.model_validate(fields)
    except (ValidationError, RecursionError) as error:
        raise InvalidInput(f"This profile cannot be used: {_complaint(error)}. Run the kit again.") from error


def require_same(profile: LatencyProfile, identity: SupernetIdentity) -> None:
    """Refuse a profile of another supernet.

    Raises:
        InvalidInput: it was made with another supernet than this one.
    """
    if (profile.supernet.layout, profile.supernet.space) != (identity.layout, identity.space):
        made = f" ({profile.supernet.title})" if profile.supernet.title else ""
        raise InvalidInput(
            f"This profile was measured with another supernet{made}; {identity.title or 'this one'} has other subnets."
        )


def layout_of(family: str, config: JsonObject, space: str) -> str:
    """SHA-256 of what decides how long a supernet's subnets take.

    Args:
        family: registry name.
        config: of the family, as the supernet's file holds it.
        space: fingerprint of the search space.
    """
    text = json.dumps([family, config, space], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def drift(before: tuple[float, ...], after: tuple[float, ...]) -> float:
    """Median change of the same subnets' latencies, as a share."""
    return float(np.median(np.array(after) / np.array(before)) - 1.0)


def now() -> str:
    """The date of a profile that is finished now."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _words(text: str) -> str:
    """Letters and digits of a name, in few words: `Intel(R) Core(TM) i7-8650U CPU @ 1.90GHz` -> `Intel-Core-i7-8650U`."""
    bare = re.sub(r"\((R|TM|C)\)|@.*$|\b(CPU|Processor|with .*)\b", " ", text, flags=re.IGNORECASE)
    found = "-".join(re.findall(r"[A-Za-z0-9]+", bare)) or "-".join(re.findall(r"[A-Za-z0-9]+", text))
    return found[:40].strip("-") or "device"


def _complaint(error: ValidationError | RecursionError) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"] if not isinstance(part, int))
    said = plain(first["msg"])
    return f"{where}: {said[0].lower()}{said[1:]}" if where else said
