"""Names of ImageNet's 1,000 classes, and whose folder of images is which class.

The list is a file of `assets`: WordNet's id and a short name each, in the order in which networks answer (by id).
Source: Deng et al., ImageNet, CVPR 2009; Russakovsky et al., ILSVRC, IJCV 2015.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from core.errors import InvalidInput
from core.settings import ASSETS
from core.text import display_name

CLASSES = 1000
_SHOWN = 4
"""Names of folders in one sentence."""


@cache
def imagenet_classes() -> tuple[tuple[str, str], ...]:
    """(WordNet id, short name) of every class."""
    with (ASSETS / "imagenet_classes.csv").open(encoding="utf-8", newline="") as file:
        return tuple((row["wnid"], row["name"]) for row in csv.DictReader(file))


def class_names(classes: int) -> tuple[str, ...]:
    """What a supernet's classes are called that came without names: ImageNet's for 1,000, else numbers."""
    if classes != CLASSES:
        return tuple(f"class {number}" for number in range(classes))
    known = imagenet_classes()
    often = Counter(name for _, name in known)
    return tuple(f"{name} ({wnid})" if often[name] > 1 else name for wnid, name in known)


@dataclass(frozen=True)
class Matched:
    """Which class of a supernet each folder of images is.

    Attributes:
        numbers: class of each folder, in the folders' order.
        sentence: how they were matched, for a person to judge.
    """

    numbers: tuple[int, ...]
    sentence: str


def match_folders(folders: Sequence[str], classes: int) -> Matched:
    """Find the classes that folders of images stand for.

    A folder may be called by a class's name, by its WordNet id or by its number. Where none of it fits and there
    are as many folders as classes, their order is taken.

    Args:
        folders: names, sorted.
        classes: of the supernet.

    Raises:
        InvalidInput: some folders are no class, or two are the same; the sentence names them.
    """
    known = _known(classes)
    found = [known.get(_plain(folder)) for folder in folders]
    strange = [folder for folder, number in zip(folders, found, strict=True) if number is None]
    if len(strange) == len(folders) == classes:
        return Matched(
            tuple(range(classes)),
            f"None of the {classes:,} folders is called by a class, and there are as many: they are taken in sorted order, so "
            f"{display_name(folders[0])} is the first class. Check that this is the order the supernet was trained with.",
        )
    if strange:
        named = ", ".join(display_name(folder) for folder in strange[:_SHOWN])
        more = f" and {len(strange) - _SHOWN:,} more" if len(strange) > _SHOWN else ""
        how = (
            "by name (tench), WordNet id (n01440764) or number (0)"
            if classes == CLASSES
            else "by number (0, 1, ...)"
        )
        raise InvalidInput(
            f"{len(strange):,} of {len(folders):,} folders are no class of this supernet ({named}{more}): call each folder by "
            f"its class, {how}."
        )
    numbers = [number for number in found if number is not None]
    if twice := [
        folder for folder, number in zip(folders, numbers, strict=True) if numbers.count(number) > 1
    ]:
        raise InvalidInput(
            f"The folders {' and '.join(display_name(folder) for folder in twice[:2])} are the same class of this supernet: "
            "put their images into one."
        )
    some = ", ".join(
        f"{display_name(folder)} is class {number}"
        for folder, number in list(zip(folders, numbers, strict=True))[:_SHOWN]
    )
    return Matched(
        tuple(numbers), f"{len(folders):,} of {classes:,} classes, told by the folders' names: {some}."
    )


def _known(classes: int) -> dict[str, int]:
    """Everything a folder may be called -> its class; a name that two classes have means none."""
    known = {str(number): number for number in range(classes)} | {
        f"class {number}": number for number in range(classes)
    }
    if classes != CLASSES:
        return known
    listed = imagenet_classes()
    often = Counter(_plain(name) for _, name in listed)
    for number, (wnid, name) in enumerate(listed):
        known |= {wnid: number, f"{wnid} {_plain(name)}": number}
        if often[_plain(name)] == 1:
            known[_plain(name)] = number
    return known


def _plain(name: str) -> str:
    """A name without case, accents, underscores and leading zeros of a number."""
    text = unicodedata.normalize("NFKD", name)
    text = re.sub(r"[\s_\-.']+", " ", "".join(c for c in text if not unicodedata.combining(c)))
    text = text.strip().casefold()
    return str(int(text)) if re.fullmatch(r"[0-9]{1,9}", text) else text
