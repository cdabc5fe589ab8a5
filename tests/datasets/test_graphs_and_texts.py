"""Graphs and texts as data: relabeling written out, the grammar read backwards, communities as they were asked for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.datasets import load_dataset
from core.datasets.base import DATASETS
from core.datasets.commands import CLASSES, WORDS
from core.datasets.graphs import RawGraph, with_first
from core.datasets.tokens import PADDING, RawTokens

MEANS = {
    **dict.fromkeys(("open", "unlock", "unfold"), "open"),
    **dict.fromkeys(("close", "shut", "lock"), "close"),
    **dict.fromkeys(("start", "launch", "begin"), "start"),
    **dict.fromkeys(("stop", "end", "halt"), "stop"),
    **dict.fromkeys(("raise", "lift", "increase"), "raise"),
    **dict.fromkeys(("lower", "drop", "reduce"), "lower"),
    **{"on": "start", "off": "stop", "up": "raise", "down": "lower"},
}


@st.composite
def graphs(draw: st.DrawFn) -> RawGraph:
    """A small graph whose node i has the feature i, the first of them with classes."""
    n = draw(st.integers(2, 9))
    labeled = draw(st.integers(2, n))
    ends = draw(st.lists(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)), max_size=12))
    edges = np.array(ends, np.int64).reshape(-1, 2).T
    x = np.arange(n, dtype=np.float32)[:, None]
    return RawGraph(x, edges, np.arange(labeled) % 2, ("even", "odd"))


def links(x: np.ndarray, edges: np.ndarray) -> list[tuple[int, int]]:
    """Edges by what their nodes are, in the order of the file."""
    return [(int(x[a, 0]), int(x[b, 0])) for a, b in edges.T]


@settings(max_examples=80, deadline=None)
@given(graph=graphs(), data=st.data())
def test_nodes_that_come_first_take_their_edges_along(graph: RawGraph, data: st.DataObject) -> None:
    ids = np.array(data.draw(st.permutations(range(len(graph.x)))), np.int64)
    ids = ids[: data.draw(st.integers(0, len(ids)))]
    x, edges = with_first((graph.x, graph.edges), ids)
    rest = [i for i in range(len(graph.x)) if i not in ids.tolist()]
    assert x[:, 0].tolist() == [*ids.tolist(), *rest]
    assert links(x, edges) == links(graph.x, graph.edges)
    assert edges.dtype == np.int64


@settings(max_examples=80, deadline=None)
@given(graph=graphs(), data=st.data())
def test_a_part_of_a_split_is_what_would_have_been_taken_at_once(
    graph: RawGraph, data: st.DataObject
) -> None:
    ids = np.array(data.draw(st.permutations(range(len(graph.y)))), np.int64)
    some = np.array(data.draw(st.permutations(range(len(ids)))), np.int64)
    some = some[: data.draw(st.integers(0, len(some)))]
    split = graph.take(ids)
    part, at_once = split.rows(some), graph.take(ids[some])
    for found, wanted in zip(
        (*part.arrays(), part.y, part.ids), (*at_once.arrays(), at_once.y, ids[some]), strict=True
    ):
        np.testing.assert_array_equal(found, wanted)
    first = split.first(len(some))
    assert (first.ids.tolist(), len(first.x[0])) == (ids[: len(some)].tolist(), len(graph.x))
    assert part.order()[part.places()].tolist() == list(range(len(graph.x)))
    assert part.places()[part.ids].tolist() == list(range(len(part)))
    assert graph.y[part.ids].tolist() == part.y.tolist()


def test_a_graph_says_what_a_supernet_must_know() -> None:
    dataset = load_dataset("generated_graph", nodes=200, neighbors=3)
    features, edges = dataset.train.x
    assert dataset.inputs == {"input_shape": (16,), "nodes": 200, "edges": edges.shape[1]}
    assert features.shape == (200, 16)


# --- communities ------------------------------------------------------------------------------------


def generated(**config: object) -> RawGraph:
    return DATASETS.create("generated_graph", config).read(lambda fraction, message: None)


@pytest.mark.parametrize(
    ("nodes", "communities", "neighbors"), [(300, 6, 4.0), (121, 2, 1.0), (400, 20, 9.5)]
)
def test_edges_have_both_directions_no_loops_and_no_copies(
    nodes: int, communities: int, neighbors: float
) -> None:
    graph = generated(nodes=nodes, communities=communities, neighbors=neighbors)
    pairs = list(map(tuple, graph.edges.T.tolist()))
    assert len(set(pairs)) == len(pairs)
    assert all(a != b and (b, a) in set(pairs) for a, b in pairs[:200])
    assert {(b, a) for a, b in pairs} == set(pairs)
    # Loops and copies are dropped, so the mean comes out a little below what was asked for.
    assert 0.75 * neighbors <= len(pairs) / nodes <= neighbors
    sizes = np.bincount(graph.y, minlength=communities)
    assert sizes.max() - sizes.min() <= 1
    assert len(graph.classes) == communities


def test_links_stay_inside_as_often_as_asked() -> None:
    def inside(within: float) -> float:
        graph = generated(nodes=1200, within=within, neighbors=8)
        return float((graph.y[graph.edges[0]] == graph.y[graph.edges[1]]).mean())

    assert inside(1.0) == 1.0
    assert inside(0.0) == pytest.approx(1 / 6, abs=0.03), "at random"
    assert inside(0.5) == pytest.approx(0.5 + 0.5 / 6, abs=0.04)


def test_signal_is_how_far_apart_communities_are() -> None:
    def spread(signal: float) -> float:
        graph = generated(nodes=6000, communities=20, signal=signal)
        centers = np.stack([graph.x[graph.y == c].mean(0) for c in range(20)])
        gaps = [np.linalg.norm(a - b) for i, a in enumerate(centers) for b in centers[:i]]
        return float(np.mean(gaps)) / np.sqrt(16)

    assert spread(0.0) < 0.1
    assert spread(4.0) == pytest.approx(4.0, rel=0.15)
    assert spread(8.0) == pytest.approx(2 * spread(4.0), rel=0.05)


def test_few_nodes_train_and_all_others_are_held_out() -> None:
    dataset = load_dataset("generated_graph", nodes=500, communities=4, labels=7, validation_fraction=0.3)
    assert (len(dataset.train), len(dataset.validation), len(dataset.test)) == (28, 150, 322)
    assert np.bincount(dataset.train.y).tolist() == [7, 7, 7, 7]
    crowded = load_dataset("generated_graph", nodes=120, labels=1000)
    assert (len(crowded.train), len(crowded.validation), len(crowded.test)) == (95, 24, 1)


# --- commands ---------------------------------------------------------------------------------------------


def texts(n: int) -> RawTokens:
    return DATASETS.create("commands", {"texts": n}).read(lambda fraction, message: None)


def words_of(row: np.ndarray) -> list[str]:
    return [WORDS[token - 1] for token in row if token != PADDING]


def asked(words: list[str]) -> list[str]:
    """What the clauses without a negation ask for, read word by word."""
    clauses: list[list[str]] = [[]]
    for word in words:
        if word in ("but", "and"):
            clauses.append([])
        elif word != "please":
            clauses[-1].append(word)
    said = []
    for clause in clauses:
        if clause[0] in ("never", "not"):
            continue
        verb, the, _, *particle = clause
        assert the == "the"
        word = particle[0] if verb in ("turn", "put", "get") else verb
        assert not particle or verb in ("turn", "put", "get")
        said.append(MEANS[word])
    return said


def test_the_class_of_a_command_is_what_its_only_plain_clause_asks_for() -> None:
    raw = texts(1500)
    lengths = set()
    for row, label in zip(raw.x, raw.y, strict=True):
        words = words_of(row)
        assert asked(words) == [CLASSES[label]]
        assert PADDING not in row[: len(words)].tolist(), "padding comes last"
        lengths.add(words.count("but") + words.count("and"))
    assert lengths == {0, 1, 2}, "one to three clauses"
    assert np.bincount(raw.y, minlength=6).min() > 1500 / 6 * 0.8


def test_a_word_alone_does_not_give_the_class_away() -> None:
    """The verbs of a negated clause are those of the plain ones."""
    raw = texts(1500)
    misled = sum("not" in words_of(row) or "never" in words_of(row) for row in raw.x)
    assert 0.5 < misled / len(raw.x) < 0.8


def test_fewer_texts_are_the_first_of_more() -> None:
    few, many = texts(200), texts(450)
    np.testing.assert_array_equal(few.x, many.x[:200])
    np.testing.assert_array_equal(few.y, many.y[:200])


def test_the_mask_is_true_where_a_text_has_not_ended() -> None:
    raw = texts(200)
    split = raw.take(np.array([7, 3]))
    tokens, mask = split.x
    assert tokens.dtype == np.int64
    assert mask.sum(1).tolist() == [len(words_of(raw.x[7])), len(words_of(raw.x[3]))]
    assert tokens.max() < raw.vocabulary == len(WORDS) + 1
