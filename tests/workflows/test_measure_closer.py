"""A front's neighborhood on more samples: the first of them are those it was chosen by, and none is made up."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from core.chance.bits import parse_bits
from core.errors import InvalidInput
from core.library import closer, supernets
from core.library.chance import FrontChance
from core.library.closer import Closer, CloserRecord
from core.library.evaluate_subnet import evaluate_subnet
from core.library.supernets import BITS_FILE
from core.store import MemoryLedger
from core.views.closer_measured import closer_view
from core.workflows import measure_closer
from core.workflows.measure_closer import Request
from tests.helpers.small_entry import small_entry

LIMIT = 120


class OneSupernet:
    """A library of one supernet."""

    def __init__(self, entry: supernets.SupernetEntry) -> None:
        self.entry = entry

    def supernet(self, name: str) -> supernets.SupernetEntry:
        return self.entry


@pytest.fixture(scope="module")
def limited() -> supernets.SupernetEntry:
    return small_entry(LIMIT)


def measured(
    entry: supernets.SupernetEntry, archs: list[str], samples: int = 300
) -> tuple[CloserRecord, Any]:
    ledger = MemoryLedger()
    request = Request(supernet="small", archs=archs, samples=samples)
    for _ in measure_closer.run(request, ledger, OneSupernet(entry)):  # type: ignore[arg-type]
        pass
    record = CloserRecord.decode(ledger.artifact(CloserRecord.FILE))
    bits = parse_bits(ledger.artifact(BITS_FILE), n_subnets=len(record.correct), table_sha256="")
    return record, bits["validation"]


def test_more_samples_continue_those_that_were_used(limited: supernets.SupernetEntry) -> None:
    ids = supernets.table(limited)["arch_id"].tolist()[::5]  # type: ignore[index]
    record, bits = measured(limited, [*ids, ids[0]])
    assert (record.before, record.n, list(record.correct)) == (LIMIT, 300, ids)
    assert record.correct == dict(zip(ids, bits.correct().tolist(), strict=True))
    for row in (0, 3):
        before = evaluate_subnet(limited, limited.space.from_id(ids[row]), ["accuracy"])
        first = np.unpackbits(np.frombuffer(before.right["accuracy"], np.uint8), count=LIMIT)
        np.testing.assert_array_equal(bits.row(row)[:LIMIT], first)
    # All there are, where more are asked for.
    assert measured(limited, ids[:1], 10_000)[0].n == 359


def test_it_is_not_offered_and_refused_where_there_are_no_more(
    limited: supernets.SupernetEntry, digits_entry: Any
) -> None:
    assert closer.may_have_more(limited)
    assert not closer.may_have_more(digits_entry)
    ids = supernets.table(digits_entry)["arch_id"].tolist()  # type: ignore[index]
    with pytest.raises(InvalidInput, match="no more than the 359"):
        measured(digits_entry, ids[:2])
    with pytest.raises(InvalidInput, match="no more than the 120"):
        measured(limited, ids[:2], 60)


def test_what_came_out_in_words_and_rows(limited: supernets.SupernetEntry) -> None:
    table = supernets.table(limited)
    assert table is not None
    ids = table.sort_values("macs")["arch_id"].tolist()[:12]
    record, bits = measured(limited, ids)
    blank: dict[str, Any] = {key: {} for key in ("share", "stays", "cheaper", "knees", "promises")}
    chance = FrontChance(
        table_sha256="",
        quality="accuracy",
        cost="macs",
        n_samples=LIMIT,
        resamples=2000,
        n_new=LIMIT,
        members=tuple(ids[:4]),
        steps=(ids[0],),
        **blank,
    )
    view = closer_view(limited, Closer("run", record, bits), chance, "images")
    assert view.rows[0]["subnet"] == ids[0], "nothing is cheaper"
    assert view.rows[0]["before"] == "on the front"
    best = max(record.correct.values())
    assert max(record.correct[i] for i in view.members) == best
    accuracies = [record.correct[i] for i in view.members]
    assert accuracies == sorted(set(accuracies))
    stayed = len(set(view.members) & set(ids[:4]))
    assert f"{stayed} of the 4 members from before are among them" in view.sentence
    assert view.sentence.startswith("On 300 images instead of 120, of these 12 subnets")
