"""Foreign tables: columns made plain, what other programs say in their files, and Optuna itself as the judge."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from core.errors import InvalidInput
from core.library.foreign_tables.base import reader_of
from core.library.foreign_tables.columns import Peek
from core.library.foreign_tables.decoding import decoded, read_foreign
from core.library.table_guessing import guessed
from core.library.table_mapping import ObjectiveColumn
from tests.helpers.foreign_tables import (
    DEEPCAVE,
    DYNAST,
    ROWS,
    WANDB,
    as_csv,
    as_parquet,
    journal,
    optuna_sqlite,
)


def frame_of(columns: bytes) -> pd.DataFrame:
    return pd.read_parquet(io.BytesIO(columns))


def objectives(found: Peek) -> dict[str, ObjectiveColumn]:
    return {each.column: each for each in guessed(found).objectives}


def test_a_file_is_read_in_a_confined_process_and_its_columns_are_plain() -> None:
    found, columns = read_foreign(as_csv())
    assert (found.reader, found.rows, found.names) == ("csv", 6, tuple(ROWS.columns))
    pd.testing.assert_frame_equal(frame_of(columns), ROWS, check_dtype=False)
    latency = found.columns[-1]
    assert (latency.zero, latency.negative, latency.missing, latency.low) == (1, 1, 0, -1.0)
    assert found.first[0] == ("net-0", "phone", "1", "0.7", "1")


def test_guesses_of_our_own_kind_of_table() -> None:
    mapping = guessed(decoded(as_parquet())[0])
    assert [(o.column, o.maximize, o.unit, o.least) for o in mapping.objectives] == [
        ("accuracy", True, "", "zero"),
        ("latency_ms", False, "ms", "positive"),
    ]
    assert (mapping.identity, mapping.group, mapping.configuration) == ("arch", "device", ("depth",))


def test_what_dynas_t_writes() -> None:
    found, columns = decoded(DYNAST.encode())
    known = objectives(found)
    assert set(known) == {"Model Parameters", "Latency (ms)", "MACs", "Top-1 Acc (%)"}
    assert known["Top-1 Acc (%)"].maximize
    assert known["Top-1 Acc (%)"].unit == "%"
    assert not known["Latency (ms)"].maximize
    assert known["Latency (ms)"].unit == "ms"
    assert guessed(found).identity == "Sub-network"
    assert frame_of(columns)["Sub-network"][0] == "{'d': [2, 3], 'ks': [3, 5]}"


def test_what_deepcave_and_wandb_write() -> None:
    found, _ = decoded(DEEPCAVE.encode())
    first, second = guessed(found).objectives[:2]
    assert (first.column, first.maximize) == ("metric:loss [0.0; 1.0] (minimize)", False)
    assert (second.maximize, guessed(found).identity) == (True, "config_id")
    assert found.columns[3].infinite == 1
    found, _ = decoded(WANDB.encode())
    known = objectives(found)
    assert known["val_accuracy"].maximize
    assert not known["Params"].maximize
    assert guessed(found).identity == "Name"
    assert "config.depth" in guessed(found).configuration


@pytest.mark.parametrize("separator", [";", "\t"])
def test_other_separators_and_encodings(separator: str) -> None:
    text = ROWS.assign(arch=[f"Größe {n}" for n in range(6)]).to_csv(index=False, sep=separator)
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        found, columns = decoded(text.encode(encoding))
        assert found.names == tuple(ROWS.columns)
        assert frame_of(columns)["arch"][3] == "Größe 3"


def test_odd_columns_are_kept_apart_and_made_plain() -> None:
    text = "a,a,,b\u202e\n1,2,3,true\n4,oops,6,false\n7,8,,\n"
    found, columns = decoded(text.encode())
    frame = frame_of(columns)
    assert found.names[0] == "a"
    assert len(set(found.names)) == 4
    assert "\u202e" not in "".join(found.names)
    second = found.columns[1]
    assert (second.kind, second.words, second.low, second.high) == ("text", 1, 2.0, 8.0)
    assert frame.shape == (3, 4)


def test_nested_json_and_huge_numbers() -> None:
    lines = (
        b'{"config": {"depth": 2, "k": [3, 5]}, "acc": 0.5, "n": 1}\n{"acc": NaN, "n": 1'
        + b"0" * 400
        + b"}\n"
    )
    found, columns = decoded(lines)
    frame = frame_of(columns)
    assert found.names == ("config.depth", "config.k", "acc", "n")
    assert frame["config.k"][0] == "[3, 5]"
    assert np.isinf(frame["n"][1])


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"a,b\n1,2,3\n", "more fields than its head"),
        (b"a,b\n1,2\n1,2,3\n", "line 3 has 3 fields where 2 were expected"),
        (b'{"a": 1}\n[2]\n', "Line 2 is no JSON object"),
        (b'{"a": 1}\n{"a"\n', "Line 2 is no valid JSON"),
        (b"[" * 200_000, "has no rows"),
        (b'{"a":' * 100_000, "no valid JSON"),
        (b"a,b\n", "has no rows"),
        (as_parquet()[:-20] + bytes(20), "damaged"),
        (journal()[:-30] + b"\nx\n", "no valid JSON"),
        (b'{"op_code": 99}\n', "Line 1 of this Optuna journal is damaged"),
        (optuna_sqlite("DROP TABLE trials"), "no Optuna storage"),
        (optuna_sqlite("DELETE FROM trials"), "holds no trial"),
        (optuna_sqlite("UPDATE trial_params SET distribution_json = 'x'"), "parameter in this Optuna storage"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_said_in_a_sentence(data: bytes, says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        decoded(data)


def test_a_view_that_calls_itself_trials_is_not_asked() -> None:
    # A stranger's would have no end.
    computed = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 9) SELECT x AS trial_id, x AS number, 1 AS study_id, 'COMPLETE' AS state FROM n"
    data = optuna_sqlite(f"DROP TABLE trials; CREATE VIEW trials AS {computed};")
    with pytest.raises(InvalidInput, match="no Optuna storage"):
        decoded(data)


def test_several_searches_in_one_storage_are_groups() -> None:
    more = "INSERT INTO studies VALUES (2, 'other'); INSERT INTO trials VALUES (9, 0, 2, 'COMPLETE'); INSERT INTO trial_values VALUES (NULL, 9, 0, 0.9, 'FINITE'), (NULL, 9, 1, 2.0, 'FINITE');"
    found, columns = decoded(optuna_sqlite(more))
    assert guessed(found).group == "study"
    assert frame_of(columns)["study"].tolist() == ["mine"] * 3 + ["other"]


def test_optuna_itself_agrees(tmp_path: Path) -> None:
    optuna = pytest.importorskip("optuna", reason="Optuna is not installed")
    from optuna.storages import JournalStorage, RDBStorage
    from optuna.storages.journal import JournalFileBackend

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    places = {
        "optuna_sqlite": (tmp_path / "s.db", lambda p: RDBStorage(f"sqlite:///{p}")),
        "optuna_journal": (tmp_path / "j.log", lambda p: JournalStorage(JournalFileBackend(str(p)))),
    }

    def goal(trial: object) -> tuple[float, float]:
        depth = trial.suggest_int("depth", 1, 4)  # type: ignore[attr-defined]
        width = trial.suggest_float("width", 0.5, 2.0)  # type: ignore[attr-defined]
        kind = trial.suggest_categorical("kind", ["a", 7, None])  # type: ignore[attr-defined]
        if trial.number == 2:  # type: ignore[attr-defined]
            raise optuna.TrialPruned
        return depth * width, depth - (kind == "a")

    for name, (path, storage) in places.items():
        study = optuna.create_study(
            storage=storage(path),
            directions=["maximize", "minimize"],
            sampler=optuna.samplers.RandomSampler(0),
        )
        with pytest.warns(optuna.exceptions.ExperimentalWarning):
            study.set_metric_names(["gain", "cost"])
        study.optimize(goal, n_trials=6, catch=())
        study.add_trial(
            optuna.trial.create_trial(
                params={"depth": 3},
                distributions={"depth": optuna.distributions.IntDistribution(1, 4)},
                values=[9.0, 1.0],
            )
        )
        reader = reader_of(path.read_bytes())
        frame = reader.read(path.read_bytes()).frame
        assert reader.name == name
        for at, trial in enumerate(study.trials):
            row = frame.iloc[at]
            assert row["state"] == trial.state.name
            assert row["number"] == trial.number
            expected = trial.values or [np.nan, np.nan]
            np.testing.assert_equal([row["gain"], row["cost"]], expected)
            for parameter, value in trial.params.items():
                assert row[parameter] == value or (value is None and row[parameter] is None)


def test_a_text_that_is_none_in_a_parquet_file_is_damage() -> None:
    data = as_parquet(ROWS.assign(arch=[f"neighbor-{n}" for n in range(6)]))
    for broken in (
        data.replace(b"neighbor-3", b"neighbo\xff-3"),
        data.replace(b"neighbor-0", b"\xc3eighbor-0"),
    ):
        if broken != data:
            with pytest.raises(InvalidInput, match="damaged"):
                decoded(broken)


def test_a_search_that_this_project_exports_as_a_study_imports() -> None:
    pytest.importorskip("optuna", reason="Optuna is not installed")
    from optuna.distributions import IntDistribution
    from optuna.trial import create_trial

    from core.library.studies import study_file
    from core.objectives.base import objectives as described

    trials = [
        create_trial(
            params={"depth": n}, distributions={"depth": IntDistribution(0, 9)}, values=[n / 10, 100.0 * n]
        )
        for n in range(1, 5)
    ]
    for form in ("sqlite", "journal"):
        found, columns = decoded(study_file("mine", described(["accuracy", "macs"]), trials, {}, form))  # type: ignore[arg-type]
        known = objectives(found)
        assert (known["accuracy"].maximize, known["macs"].maximize) == (True, False)
        assert frame_of(columns)["macs"].tolist() == [100.0, 200.0, 300.0, 400.0]
        assert frame_of(columns)["depth"].tolist() == [1, 2, 3, 4]
