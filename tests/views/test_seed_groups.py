"""Runs of equal settings are one thing, whatever their seed and name, and whoever spelled out a default."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from core.records import Run, RunState
from core.search import ALGORITHMS
from core.store import RunStore
from core.views.seed_groups import differing, seed_groups, seeds_of
from core.workflows import prune_models, search_front, train_alone, train_supernet

SEARCH = {"supernet": "digits-cnn", "algorithm": "nsga2", "budget": 40}
TRAINING = {
    "title": "mine",
    "family": "elastic_cnn",
    "data": {"name": "digits"},
    "training": {"seed": 0},
    "command": "train --seed 0",
}


def run(
    run_id: str, kind: str, params: dict[str, Any], state: RunState = RunState.DONE, title: str = ""
) -> Run:
    return Run(run_id, kind, title or run_id, params, 0, state)


def search(run_id: str, seed: int, **changes: Any) -> Run:
    return run(run_id, "search_front", SEARCH | {"seed": seed} | changes, title=f"NSGA-II, seed {seed}")


def test_only_the_seed_is_left_out() -> None:
    runs = [search("c", 2), search("b", 1), search("a", 0), search("d", 0, budget=41)]
    first, second = seed_groups(runs)
    assert (first.seeds, [r.run_id for r in first.runs], first.title) == (
        (0, 1, 2),
        ["a", "b", "c"],
        "NSGA-II",
    )
    assert (second.n, second.runs[0].run_id) == (1, "d")
    assert differing([first, second]) == [{"budget": 40}, {"budget": 41}]


def test_a_default_may_be_spelled_out_or_left_away() -> None:
    short = search("a", 0)
    full = search_front.Request.model_validate(SEARCH | {"seed": 1}).model_dump(mode="json")
    default = ALGORITHMS.get("nsga2").Config().model_dump(mode="json")
    spelled = search("c", 2, config=default)
    [group] = seed_groups([short, run("b", "search_front", full), spelled])
    assert group.seeds == (0, 1, 2)
    changed = search("d", 3, config=default | {"population": 7})
    assert len(seed_groups([short, changed])) == 2


@pytest.mark.parametrize("field", sorted(set(search_front.Request.model_fields) - {*search_front.APART}))
def test_every_other_field_of_a_search_parts_runs(field: str) -> None:
    other: dict[str, Any] = {
        "supernet": "fashion-cnn",
        "algorithm": "random",
        "config": {"population": 7},
        "objectives": ["accuracy", "params"],
        "constraints": [{"objective": "macs", "upper": 1e6}],
        "budget": 7,
        "seconds": 9.0,
        "from_runs": ["a"],
        "keep_mb": 5,
        "data": {"name": "digits"},
        "reference": {"macs": 1.0},
        "use_table": False,
        "in_flight": 8,
    }
    assert len(seed_groups([search("a", 0), search("b", 1, processes=2)])) == 1
    assert len(seed_groups([search("a", 0), search("b", 1, **{field: other[field]})])) == 2


def test_trainings_have_their_seed_inside_and_names_do_not_part_them() -> None:
    other = TRAINING | {"title": "yours", "training": {"seed": 4}, "command": "train --seed 4"}
    data = other | {"data": {"name": "digits", "seed": 1}}
    kind = "train_supernet"
    groups = seed_groups([run("a", kind, TRAINING), run("b", kind, other), run("c", kind, data)])
    assert [g.seeds for g in groups] == [(0, 4), (4,)]
    assert train_supernet.Request.model_validate(TRAINING).training.seed == 0


def test_a_training_alone_has_several_seeds() -> None:
    params = {"supernet": "digits-cnn", "arch": "000000000000", "seeds": 3, "seed": 1}
    more = params | {"seed": 3, "seeds": 2}
    kind = "train_alone"
    [group] = seed_groups([run("a", kind, params), run("b", kind, more)])
    assert (group.seeds, group.n) == ((1, 2, 3, 4), 4)
    assert set(train_alone.APART) <= set(train_alone.Request.model_fields)


def test_a_prunings_methods_part_runs() -> None:
    method = {"name": "magnitude", "sparsities": [0.5]}
    params = {"model": "subnet:digits-cnn:000000000000", "methods": [method]}
    runs = [run("a", "prune_models", params | {"seed": s}) for s in (3, 1)]
    runs.append(run("x", "prune_models", params | {"methods": [method | {"sparsities": [0.6]}]}))
    assert [g.seeds for g in seed_groups(runs)] == [(1, 3), (0,)]
    assert "seed" in prune_models.Request.model_fields


def test_a_repeated_seed_is_no_further_seed_and_the_one_that_is_done_counts() -> None:
    failed = replace(search("new", 0), state=RunState.FAILED)
    [group] = seed_groups([failed, search("done", 0), search("older", 0)])
    assert (group.n, group.runs[0].run_id) == (1, "done")
    assert [r.run_id for r in group.again] == ["new", "older"]
    assert group.done == group.runs


def test_what_cannot_be_read_is_compared_as_it_is() -> None:
    strange = [run("a", "gone_workflow", {"x": 1, "seed": 3}), run("b", "gone_workflow", {"x": 1, "seed": 4})]
    old = [
        run("c", "search_front", SEARCH | {"of_old": 1, "seed": 1}),
        run("d", "search_front", {"seed": "x"}),
    ]
    assert [g.seeds for g in seed_groups([*strange, *old])] == [(3, 4), (1,), (0,)]
    assert seeds_of(old[1]) == (0,)


def test_reads_do_not_grow_with_the_runs(tmp_path: Path) -> None:
    with RunStore(f"sqlite:///{tmp_path / 'test.db'}", tmp_path) as store:
        counts = []
        for n in (2, 30):
            for seed in range(n):
                store.create_run("search_front", SEARCH | {"seed": seed}, title="t", seed=seed)
            asked: list[str] = []
            note = lambda *given, asked=asked: asked.append(given[2])  # noqa: E731
            event.listen(store._database.engine, "before_cursor_execute", note)
            groups = seed_groups(store.list_runs())
            event.remove(store._database.engine, "before_cursor_execute", note)
            counts.append(len([a for a in asked if a.lstrip().upper().startswith("SELECT")]))
            assert groups[0].n == n
        assert counts[0] == counts[1]
