"""What every corruption promises, run on all that are registered."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from core.datasets import load_dataset
from core.datasets.corruptions import CORRUPTIONS, GROUPS, calibrate, corrupt, names_for
from core.datasets.corruptions.texts import _slip
from core.datasets.license_texts import license_texts
from core.datasets.tokenizing import Tokenizing
from core.errors import InvalidInput, NotFound

NAMES, TEXT_NAMES = names_for("image"), names_for("tokens")
SHAPES = [(1, 8, 8), (3, 8, 8), (1, 28, 28), (3, 28, 28), (1, 32, 32), (3, 32, 32), (3, 64, 48)]


def pictures(shape: tuple[int, int, int], n: int = 12) -> NDArray[np.float32]:
    """Blobs of light at several places, with a little texture; never flat, read-only."""
    c, h, w = shape
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:h, :w]
    centers = rng.uniform(0.3, 0.7, (n, c, 2)) * [h, w]
    squared = (rows - centers[..., 0, None, None]) ** 2 + (columns - centers[..., 1, None, None]) ** 2
    x = 0.8 * np.exp(-squared / (0.03 * h * w)) + 0.15 * rng.random((n, c, h, w))
    images = np.clip(x, 0, 1).astype(np.float32)
    images.flags.writeable = False
    return images


def test_about_fifteen_in_four_groups() -> None:
    groups = [CORRUPTIONS.get(name).group for name in CORRUPTIONS.names()]
    assert len(NAMES) >= 15
    assert set(groups) == set(GROUPS)
    assert min(groups.count(group) for group in GROUPS) >= 3
    assert sorted(NAMES + TEXT_NAMES) == CORRUPTIONS.names()


@pytest.mark.parametrize("name", CORRUPTIONS.names())
def test_describes_itself(name: str) -> None:
    kind = CORRUPTIONS.get(name)
    assert kind.label
    assert kind.source
    assert kind.meaning
    assert kind.__doc__
    assert kind.strengths[0] > 0
    assert kind.strengths[-1] <= 1
    assert all(a < b for a, b in pairwise(kind.strengths))
    assert len(kind.strengths) == 5


@pytest.mark.slow
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_any_size_any_color(name: str, shape: tuple[int, int, int]) -> None:
    x, ids = pictures(shape), np.arange(12) * 7
    previous = 0.0
    for severity in range(6):
        y = corrupt(x, name, severity, ids=ids, seed=3)
        assert y.shape == x.shape
        assert y.dtype == np.float32
        assert y.min() >= 0
        assert y.max() <= 1
        assert not np.shares_memory(x, y)
        assert np.array_equal(y, corrupt(x, name, severity, ids=ids, seed=3)), (
            "the same seed, the same images"
        )
        distance = float(np.linalg.norm(y.astype(float) - x))
        assert distance == 0 if severity == 0 else distance > previous, (severity, previous, distance)
        previous = distance


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("strength", [1e-3, 0.37, 1.0])
def test_every_strength_and_no_matter_in_which_batch(name: str, strength: float) -> None:
    x, ids = pictures((3, 9, 8)), np.arange(100, 112)
    whole = corrupt(x, name, 5, ids=ids, strength=[strength] * 5)
    order = np.array([5, 2, 9])
    some = corrupt(x[order], name, 5, ids=ids[order], strength=[strength] * 5)
    np.testing.assert_array_equal(some, whole[order])
    for flat in (np.zeros_like(x), np.ones_like(x)):
        assert np.isfinite(corrupt(flat, name, 5, ids=ids, strength=[strength] * 5)).all()


@pytest.mark.parametrize("name", NAMES)
def test_chance_is_by_seed_and_id_alone(name: str) -> None:
    x = np.repeat(pictures((1, 16, 16), 1), 2, axis=0)
    y = corrupt(x, name, 3, ids=[4, 5])
    again = corrupt(x, name, 3, ids=[4, 4])
    np.testing.assert_array_equal(again[0], again[1])
    has_chance = bool(CORRUPTIONS.get(name)().draw(np.random.default_rng(0), (1, 16, 16)))
    assert (not np.array_equal(y[0], y[1])) == has_chance
    other = corrupt(x, name, 3, ids=[4, 5], seed=1)
    assert (not np.array_equal(y, other)) == has_chance


def test_formulas() -> None:
    x = pictures((1, 16, 16))
    ids = np.arange(12)

    def at(name: str, strength: float, images: NDArray[np.float32] = x) -> NDArray[np.float32]:
        return corrupt(images, name, 5, ids=np.arange(len(images)), strength=[strength] * 5)

    np.testing.assert_allclose(at("brightness", 0.3), np.clip(x + 0.3, 0, 1), atol=1e-6)
    gray = np.full((50, 1, 32, 32), 0.5, np.float32)
    assert np.std(at("gaussian_noise", 0.1, gray)) == pytest.approx(0.1, rel=0.02)
    assert np.std(at("shot_noise", 0.1, gray)) == pytest.approx(0.1 * 0.5**0.5, rel=0.02)
    assert np.std(at("speckle_noise", 0.1, gray)) == pytest.approx(0.05, rel=0.02)
    assert np.mean(at("impulse_noise", 0.2, gray) != 0.5) == pytest.approx(0.2, rel=0.05)
    halves = at("pixelate", 1.0).reshape(12, 2, 8, 2, 8)
    np.testing.assert_allclose(
        halves, x.reshape(12, 2, 8, 2, 8).mean((2, 4), keepdims=True) + 0 * halves, atol=1e-6
    )
    black = np.zeros((12, 1, 16, 16), np.float32)
    np.testing.assert_allclose(at("occlusion", 0.5, black).sum((1, 2, 3)), 0.5 * 64, rtol=1e-4)
    point = np.zeros((1, 1, 33, 33), np.float32)
    point[0, 0, 16, 16] = 1
    for blur in ("gaussian_blur", "defocus_blur", "motion_blur"):
        assert at(blur, 0.3, point).sum() == pytest.approx(1, abs=0.02), "blur moves light, it makes none"
    np.testing.assert_array_equal(corrupt(x, "jpeg", 0, ids=ids), x)


def test_bad_requests() -> None:
    x = pictures((1, 8, 8), 2)
    with pytest.raises(NotFound, match="gaussian_blur"):
        corrupt(x, "gausian_blur", 1, ids=[0, 1])
    for severity, ids, strength in (
        (6, [0, 1], None),
        (1, [0], None),
        (1, [0, 1], [0.1]),
        (1, [0, 1], [2] * 5),
    ):
        with pytest.raises(InvalidInput):
            corrupt(x, "fog", severity, ids=ids, strength=strength)


def test_calibration_finds_the_strength_that_costs_what_was_asked() -> None:
    x = pictures((1, 8, 8), 40)
    ids = np.arange(40)

    def accuracy_of(y: NDArray[np.float32]) -> float:
        return float(1 - np.abs(y - x).mean())  # falls smoothly with brightness

    found = calibrate(accuracy_of, x, ids, "brightness", chance=0.0, points_lost=0.2, tolerance=0.002)
    assert found.reached
    assert not found.reason
    assert found.accuracy == pytest.approx(0.8, abs=0.03)
    np.testing.assert_allclose(found.strengths, np.arange(1, 6) / 5 * found.strengths[4])
    assert found == calibrate(accuracy_of, x, ids, "brightness", chance=0.0, points_lost=0.2, tolerance=0.002)
    near_chance = calibrate(accuracy_of, x, ids, "brightness", chance=0.9)
    assert near_chance.target == pytest.approx(0.925)
    immune = calibrate(lambda y: 0.9, x, ids, "fog", chance=0.1)
    assert not immune.reached
    assert immune.strengths[4] == 1
    assert immune.reason.endswith(".")
    with pytest.raises(InvalidInput):
        calibrate(accuracy_of, x[:0], ids[:0], "fog", chance=0.1)


def test_digits_keep_their_ids() -> None:
    part = load_dataset("digits").test
    whole = corrupt(part.x, "gaussian_noise", 3, ids=part.ids)
    np.testing.assert_array_equal(
        corrupt(part.x[50:60], "gaussian_noise", 3, ids=part.ids[50:60]), whole[50:60]
    )


# --- texts ---------------------------------------------------------------------------------------------------

TOKENIZER = Tokenizing.built_in()
Texts = tuple[NDArray[np.int64], NDArray[np.bool_]]


def texts(n: int = 30, length: int = 40) -> Texts:
    """Sentences of licenses of different lengths, in tokens, read-only; a few are as long as there is room."""
    words = license_texts()["GPL-3"].split()
    tokens, mask = np.zeros((n, length), np.int64), np.zeros((n, length), np.bool_)
    for row in range(n):
        ids = TOKENIZER.encode(" ".join(words[9 * row : 9 * row + 3 + row % 12]))[:length]
        tokens[row, : len(ids)], mask[row, : len(ids)] = ids, True
    tokens.flags.writeable = mask.flags.writeable = False
    return tokens, mask


def as_lists(x: Texts) -> list[list[int]]:
    return [row[mask].tolist() for row, mask in zip(*x, strict=True)]


def spoiled(x: Texts, name: str, strength: float, ids: NDArray[np.int64] | None = None, **more: Any) -> Texts:
    chosen = np.arange(len(x[0])) if ids is None else ids
    return corrupt(x, name, 5, ids=chosen, strength=[strength] * 5, **({"tokenizer": TOKENIZER} | more))


@pytest.mark.parametrize("name", TEXT_NAMES)
def test_texts_of_any_severity(name: str) -> None:
    x, ids = texts(), np.arange(30) * 7
    before = 0
    for severity in range(6):
        tokens, mask = corrupt(x, name, severity, ids=ids, seed=3, tokenizer=TOKENIZER)
        again = corrupt(x, name, severity, ids=ids, seed=3, tokenizer=TOKENIZER)
        assert tokens.shape == mask.shape == x[0].shape
        assert (tokens.dtype, mask.dtype) == (np.int64, np.bool_)
        assert (np.diff(mask.astype(int), axis=1) <= 0).all(), "padding comes last"
        assert mask.any(1).all(), "of no text nothing is left"
        assert not np.shares_memory(tokens, x[0])
        np.testing.assert_array_equal(tokens, again[0])
        np.testing.assert_array_equal(mask, again[1])
        changed = sum(a != b for a, b in zip(as_lists(x), as_lists((tokens, mask)), strict=True))
        assert changed == 0 if severity == 0 else changed >= before > -1
        before = changed
    assert before > 20


@pytest.mark.parametrize("name", TEXT_NAMES)
@pytest.mark.parametrize("strength", [1e-3, 0.37, 1.0])
def test_texts_come_out_as_alone_and_by_seed_and_id(name: str, strength: float) -> None:
    x, ids = texts(), np.arange(100, 130)
    whole, order = spoiled(x, name, strength, ids), np.array([5, 2, 29])
    some = spoiled((x[0][order], x[1][order]), name, strength, ids[order])
    assert as_lists(some) == [as_lists(whole)[i] for i in order]
    if 0.1 < strength < 1:
        twice = tuple(np.repeat(leaf[8:9], 6, axis=0) for leaf in x)
        made = as_lists(spoiled(twice, name, strength, np.array([1, 1, 2, 3, 4, 5])))
        assert made[0] == made[1]
        assert len({tuple(each) for each in made}) > 2
        assert as_lists(spoiled(x, name, strength, ids, seed=1)) != as_lists(whole)


def paired(row: list[int], start: int) -> list[int]:
    """The row with all pairs of neighbors from `start` on in the other order."""
    made = list(row)
    for at in range(start, len(row) - 1, 2):
        made[at : at + 2] = made[at : at + 2][::-1]
    return made


def test_what_happens_to_texts_is_what_is_said() -> None:
    x = texts()
    plain = as_lists(x)
    for strength in (0.2, 0.6):
        lost = as_lists(spoiled(x, "token_drop", strength))
        share = 1 - sum(map(len, lost)) / sum(map(len, plain))
        assert share == pytest.approx(strength, abs=0.06)
        for row, rest in zip(plain, lost, strict=True):
            left = iter(row)
            assert all(token in left for token in rest), "what is left stays in order"
    assert {len(row) for row in as_lists(spoiled(x, "token_drop", 1.0))} == {1}
    swapped = as_lists(spoiled(x, "token_swap", 1.0))
    for row, other in zip(plain, swapped, strict=True):
        assert sorted(row) == sorted(other)
        assert other in [paired(row, start) for start in (0, 1)]
    few = as_lists(spoiled(x, "token_swap", 0.3))
    moved = np.mean(
        [a != b for row, other in zip(plain, few, strict=True) for a, b in zip(row, other, strict=True)]
    )
    assert moved == pytest.approx(0.3, abs=0.07)


def test_a_slip_is_one_letter() -> None:
    for word in ("License", "a", "Zoo", "the", "program,", "modify", "q"):
        row = np.array([TOKENIZER.encode(word)])
        if len(row[0]) != 1 and word not in ("a", "q"):
            continue
        for sample in range(30):
            wide = np.pad(row, ((0, 0), (0, 12)))
            x = (wide, np.arange(wide.shape[1])[None] < row.shape[1])
            text = TOKENIZER.decode(as_lists(spoiled(x, "typo", 1.0, np.array([sample])))[0])
            assert text != word
            assert abs(len(text) - len(word)) <= 1
            assert sum(a != b for a, b in zip(sorted(text), sorted(word), strict=False)) <= len(word)
    numbers = TOKENIZER.encode("1 2 34, 5;")
    x = (np.array([numbers]), np.ones((1, len(numbers)), np.bool_))
    assert as_lists(spoiled(x, "typo", 1.0)) == [numbers], "nobody slips where there is no letter"


def test_what_a_tokenizer_puts_around_a_text_is_no_writer_s() -> None:
    end, pad = TOKENIZER.end, TOKENIZER.padding
    assert end is not None
    inner = TOKENIZER.encode("free software and its users")
    row = [end, *inner, end, *[pad] * 3]
    x = (np.array([row] * 9), np.array([[True] * (len(inner) + 2) + [False] * 3] * 9))
    for name in TEXT_NAMES:
        for made in as_lists(spoiled(x, name, 1.0)):
            assert made[0] == made[-1] == end
            assert made[1:-1] != inner
            assert not {end, pad} & set(made[1:-1])
    full = (x[0][:, :-3], x[1][:, :-3])
    for made in as_lists(spoiled(full, "typo", 1.0)):
        assert made[-1] == end, "where a text has grown, it is cut before its end"


def test_images_and_texts_are_told_apart_in_a_sentence() -> None:
    x = texts()
    with pytest.raises(
        InvalidInput, match="Fog-like is an accident of images, and these samples are none"
    ) as refusal:
        corrupt(x, "fog", 3, ids=np.arange(30))
    assert "lost tokens, swapped tokens, typos" in str(refusal.value)
    with pytest.raises(InvalidInput, match="accident of texts"):
        corrupt(pictures((1, 8, 8)), "token_drop", 3, ids=np.arange(12))
    with pytest.raises(InvalidInput, match="need the letters"):
        corrupt(x, "typo", 3, ids=np.arange(30))
    with pytest.raises(InvalidInput, match="of language the tokens themselves"):
        corrupt((x[0], x[0]), "token_swap", 3, ids=np.arange(30))
    with pytest.raises(InvalidInput, match="one id each"):
        corrupt(x, "token_swap", 3, ids=np.arange(3))


def test_severities_of_texts_are_calibrated_too() -> None:
    x, plain = texts(), as_lists(texts())

    def accuracy_of(y: Texts) -> float:
        return sum(map(len, as_lists(y))) / sum(map(len, plain))

    found = calibrate(accuracy_of, x, np.arange(30), "token_drop", chance=0.0, points_lost=0.3)
    assert found.reached
    assert found.accuracy == pytest.approx(0.7, abs=0.03)
    assert found.strengths[4] == pytest.approx(0.3, abs=0.06)


@example("ll", (0.0, 0.6, 0.0))  # a swap that would change nothing
@given(
    st.text("abcLlo zé", min_size=1, max_size=6).filter(lambda text: any(c.isalpha() for c in text)),
    st.tuples(*[st.floats(0, 1, exclude_max=True)] * 3),
)
def test_a_slip_always_shows_and_is_never_more_than_a_swap(
    text: str, chance: tuple[float, float, float]
) -> None:
    letters = [at for at, character in enumerate(text) if character.isalpha()]
    at = letters[int(chance[0] * len(letters))]
    made = _slip(text, at, chance[1], chance[2])
    assert made != text or (len(text.strip()) > 1 and text[at : at + 1] == text[at + 1 : at + 2])
    if chance[1] >= 0.5:
        assert made != text, "a swap of equal letters would not show"
        assert len(made) == len(text)
    assert abs(len(made) - len(text)) <= 1
    assert made[:at] == text[:at]
    assert made.endswith(text[at + 2 :])
