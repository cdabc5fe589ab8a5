"""What searches and samples measured, as one table."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import InvalidInput
from core.library import gathered, supernets
from core.library.coverage import Coverage, can_be_whole, require_whole
from core.library.evaluations import as_table, obtained_at
from core.records import Measurement, Obtained, Source
from core.store import RunStore
from core.words import format_count
from tests.helpers.huge import SIZE, huge_file
from tests.helpers.planted import large_space, small_space

PREDICTED, COUNTED = Obtained(Source.PREDICTED), Obtained(Source.COUNTED)


def test_the_first_that_measured_a_value_counts_and_a_guess_never_beats_one() -> None:
    space = small_space()
    a, b, c = (tuple(row) for row in space.array()[:3].tolist())
    first = as_table(
        space,
        [
            (0, Measurement(a, {"accuracy": 0.5})),
            (0, Measurement(b, {"accuracy": 0.9}, {"accuracy": PREDICTED})),
        ],
    )
    other = as_table(
        space,
        [
            (0, Measurement(b, {"accuracy": 0.6, "macs": 7.0})),
            (0, Measurement(a, {"accuracy": 0.4, "macs": 3.0})),
            (0, Measurement(c, {"accuracy": 0.1, "macs": 1.0})),
        ],
    )
    found = gathered.together([first, other]).set_index("arch_id")
    assert len(found) == 3
    assert found.loc[space.arch_id(a), ["accuracy", "macs"]].tolist() == [0.5, 3.0]
    assert found.loc[space.arch_id(b), ["accuracy", "accuracy_source"]].tolist() == [0.6, "measured"]
    assert gathered.together([first]) is first


def test_what_one_search_did_not_look_at_is_counted_or_not_told() -> None:
    entry = supernets.find(None, "digits-cnn")
    space = entry.space
    a, b = (space.smallest, space.largest)
    one = as_table(space, [(0, Measurement(a, {"accuracy": 0.5, "macs": 1.0}, {"macs": COUNTED}))])
    other = as_table(space, [(0, Measurement(b, {"loss": 0.9}))])
    found = gathered.counted_everywhere(entry, gathered.together([one, other]))
    assert found["macs"].tolist() == [3240.0, 639808.0]
    row = found["arch_id"].tolist().index(space.arch_id(b))
    told = obtained_at(found, row, ("accuracy", "loss", "macs"), Obtained(Source.MEASURED))
    assert told == {"accuracy": Obtained(Source.MEASURED), "loss": Obtained(Source.MEASURED), "macs": COUNTED}
    assert gathered.counted_everywhere(entry, one) is one


def test_runs_on_other_data_are_left_out(tmp_path: Path) -> None:
    with RunStore("sqlite://", tmp_path) as store:
        supernet_id = store.add_supernet("Huge", huge_file(), {"family": "elastic_cnn"})
        entry = supernets.find(store, supernet_id)
        assert gathered.everything(store, entry) == (entry.revision, None)
        for n, (kind, more) in enumerate(
            [("search_front", {}), ("measure_sample", {}), ("search_front", {"data": {"name": "digits"}})]
        ):
            run_id = store.create_run(kind, {"supernet": supernet_id, **more}, title="x")
            arch = entry.space.neighbors(entry.space.smallest)[n]
            store.ledger(run_id).add_measurements(0, [Measurement(arch, {"accuracy": 0.1 * n})])
        revision, table = gathered.everything(store, entry)
        assert table is not None
        assert sorted(table["accuracy"]) == [0.0, 0.1]
        assert revision != entry.revision
        assert set(store.titles.measured(gathered.MEASURING).values()) == {1}


def test_how_much_of_a_space_was_measured_is_said_readably() -> None:
    assert Coverage(312, SIZE).sentence == (
        "The best of 312 measured subnets of 2.2 × 10¹⁰, not the exact front."
    )
    assert Coverage(576, 576).complete
    assert Coverage(576, 576).sentence == ""
    assert not can_be_whole(large_space())
    with pytest.raises(InvalidInput, match="measure a sample"):
        require_whole(large_space(), "This", 1000)
    assert [format_count(n) for n in (8100, 9_999_999_999, 10**10, 99_999_999_999, 21 * 10**18)] == [
        "8,100",
        "9,999,999,999",
        "1.0 × 10¹⁰",
        "1.0 × 10¹¹",
        "2.1 × 10¹⁹",
    ]
