"""Workers killed at random moments lose nothing and end with the same result."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from core.store import RunStore
from tests.reliability.kill_harness import Campaign, KillReport, fingerprint

STEPS = {"steps": 12, "seconds_per_step": 0.02}


def campaign(kind: str, kills: int, seed: int, home: Path) -> KillReport:
    """Kills, with the toy's own list of acknowledged steps as a further witness."""
    witness = home / "acknowledged"
    witness.mkdir()
    params = {**STEPS, "acknowledged": str(witness)} if kind == "train_toy" else STEPS

    def acknowledged_is_stored(store: RunStore, run_id: str) -> None:
        if (witness / run_id).exists():
            last = int((witness / run_id).read_text().split()[-1])
            stored = json.loads((store.ledger(run_id).latest_checkpoint() or b"").split(b"\n")[0])["step"]
            # The kill may fall between the ledger's promise and its witness, never the other way round.
            assert last <= stored <= last + 1
            assert store.count_measurements(run_id) >= 4 * stored

    report = Campaign(kind, params, kills, seed, home, after_kill=acknowledged_is_stored).run()
    assert report.kills == kills
    assert report.completed >= 1
    assert report.seen > 0, "no kill fell after anything had been stored"
    return report


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "kills"), [("train_toy", 6), ("search_toy", 3)])
def test_a_few_kills(kind: str, kills: int, tmp_path: Path) -> None:
    campaign(kind, kills, seed=1, home=tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("kind", ["train_toy", "search_toy"])
def test_many_kills(kind: str, tmp_path: Path) -> None:
    report = campaign(kind, 300, seed=2, home=tmp_path)
    print(
        f"{kind}: {report.kills} kills, {report.completed} completed runs, {report.kills / report.seconds:.2f}/s"
    )


def test_the_harness_notices_a_difference(tmp_path: Path) -> None:
    """A fingerprint that ignored what differs would pass everything."""
    with RunStore(f"sqlite:///{tmp_path / 'p.db'}", tmp_path) as store:
        prints = []
        for changed in ("nothing", "checkpoint", "artifact", "metric"):
            ledger = store.ledger(store.create_run("train_toy", {}, title="t"))
            ledger.checkpoint(b"b" if changed == "checkpoint" else b"a", fraction=0.5)
            ledger.save_artifact("w", b"b" if changed == "artifact" else b"a", "text/plain")
            ledger.log_metrics(0, {"loss": 2 if changed == "metric" else 1, "epoch_seconds": id(ledger)})
            prints.append(fingerprint(ledger))
        again = store.ledger(store.create_run("train_toy", {}, title="t"))
        again.checkpoint(b"a", fraction=0.9)
        again.save_artifact("w", b"a", "text/plain")
        again.log_metrics(0, {"loss": 1, "epoch_seconds": 3})
    assert len(set(prints)) == 4
    assert fingerprint(again) == prints[0]
