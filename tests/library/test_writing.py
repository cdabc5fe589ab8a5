"""Text that subnets write: the same as their networks alone, by the same seed, within bounds, each token timed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.datasets.tokenizing import Tokenizing
from core.errors import InvalidInput
from core.library import correct, supernets, writing
from core.library.supernets import SupernetEntry
from core.library.writing import Ask, Written, write
from core.networks.generating import generate
from core.store import RunStore
from tests.helpers.small_decoder import add_decoder

PROMPT = "You may copy and distribute"


@pytest.fixture(scope="module")
def entry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SupernetEntry]:
    home: Path = tmp_path_factory.mktemp("home")
    with RunStore(f"sqlite:///{home / 'paretoscope.db'}", home) as store:
        yield supernets.find(store, add_decoder(store))


def last(entry: SupernetEntry, ask: Ask) -> list[Written]:
    smallest, largest = entry.space.smallest, entry.space.largest
    *_, found = write(entry, [smallest, largest], ask)
    return found


def test_each_writes_what_its_network_alone_writes(entry: SupernetEntry) -> None:
    ask = Ask(prompt=PROMPT, tokens=20, temperature=0.9, top_k=30, seed=5)
    net = supernets.load(entry)
    tokenizer = Tokenizing.read(net.tokenizer)
    for arch, written in zip((net.smallest, net.largest), last(entry, ask), strict=True):
        alone = generate(net.extract(arch), tokenizer.encode(PROMPT), 20, 0.9, 30, 5)
        assert written.text == tokenizer.decode(alone)
        assert written.tokens == 20
        assert written.params == sum(p.numel() for p in net.extract(arch).parameters())
        assert tokenizer.decode(tokenizer.encode(PROMPT)) == written.prompt


def test_another_seed_writes_something_else(entry: SupernetEntry) -> None:
    texts = {
        last(entry, Ask(prompt=PROMPT, tokens=16, temperature=1.5, seed=seed))[1].text for seed in (1, 2, 1)
    }
    assert len(texts) == 2


def test_every_token_but_the_first_is_timed_by_itself(entry: SupernetEntry) -> None:
    for written in last(entry, Ask(prompt=PROMPT, tokens=12)):
        assert len(written.step_ms) == 11
        assert min(written.step_ms) > 0
        assert written.prefill_ms > 0
        assert written.token_ms == sorted(written.step_ms[2:])[4]
    assert Written("", tokens=2, step_ms=[1.0]).token_ms is None


def test_it_ends_when_its_time_is_over(entry: SupernetEntry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "MOST_SECONDS", 0.0)
    assert [written.tokens for written in last(entry, Ask(prompt=PROMPT, tokens=40))] == [1, 1]


def test_what_cannot_write_is_refused_in_a_sentence(
    entry: SupernetEntry, digits_entry: SupernetEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InvalidInput, match="Only a language model"):
        next(write(digits_entry, [digits_entry.space.smallest], Ask()))
    monkeypatch.setattr(writing, "MOST_PARAMS", 10)
    with pytest.raises(InvalidInput, match="too large to write inside the server"):
        next(write(entry, [entry.space.smallest], Ask()))


def test_what_is_kept_of_a_whole_table_is_right_by_position(entry: SupernetEntry) -> None:
    """Every scored position has a bit: accuracies are the shares of the bits that are kept beside them."""
    table = supernets.table(entry)
    assert table is not None
    bits = correct.known_bits(entry).by_split["validation"]
    assert bits.n_samples == 64 * 4
    shares = bits.correct() / bits.n_samples
    assert shares.tolist() == pytest.approx(table["accuracy"].tolist(), abs=1e-6)
