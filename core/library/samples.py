"""Subnets that were measured to know a space that is too large to measure whole: what `measure_sample` keeps."""

from __future__ import annotations

from typing import ClassVar

from core.library.results import Record

KIND = "measure_sample"


class SampleRecord(Record):
    """The end of a sample.

    Attributes:
        evaluations: different architectures measured.
        front_size: of them on the front of the usual two objectives; 0 where there are none.
        least, most: MACs of the smallest and the largest of them; 0 where the family does not count them.
    """

    FILE: ClassVar[str] = "sample.json"
    evaluations: int
    front_size: int
    least: int
    most: int
