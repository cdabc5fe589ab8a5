"""The loss contract, held by every registered loss; then each loss against its definition."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from core.errors import InvalidInput
from core.supernets.attention import Attention
from core.tasks import TASKS
from core.tasks.base import Mixed
from core.training.losses import LOSSES
from core.training.losses.attention_relations import relations
from core.training.losses.base import Loss, LossContext

every_loss = pytest.mark.parametrize("name", LOSSES.names())
LABELS = torch.arange(8) % 5


def outputs(seed: int, *, gradient: bool = False) -> Tensor:
    found = torch.randn(8, 5, generator=torch.Generator().manual_seed(seed))
    return found.requires_grad_(gradient)


def activations(seed: int, *, widths: tuple[int, ...] = (3, 4), gradient: bool = False) -> list[Tensor]:
    """Of two stages, maps of 2x2."""
    generator = torch.Generator().manual_seed(seed)
    found = [torch.randn(8, width, 2, 2, generator=generator) for width in widths]
    return [x.requires_grad_(gradient) for x in found]


def attention(seed: int, *, size: int, gradient: bool = False) -> Attention:
    """Of texts of up to five tokens, with so many entries of all heads together."""
    generator = torch.Generator().manual_seed(seed)
    found = [torch.randn(8, 5, size, generator=generator).requires_grad_(gradient) for _ in range(3)]
    mask = torch.arange(5)[None] < torch.tensor([5, 4, 3, 2, 1, 5, 5, 4])[:, None]
    return Attention(*found, mask)


def context(
    loss: Loss, *, smoothing: float = 0.0, gradient: bool = False, mixed: Mixed | None = None, other: int = 9
) -> LossContext:
    """What a session hands over; the others are wider than the learner."""
    others = {name: outputs(other, gradient=gradient) for name in loss.needs}
    if loss.looks_at_attention:
        attentions = {name: attention(other, size=12, gradient=gradient) for name in loss.needs}
        task = TASKS.create("image")
        mine = attention(0, size=8, gradient=True)
        return LossContext(task, smoothing, others, mixed, attention=mine, attentions=attentions)
    if not loss.looks_inside:
        return LossContext(TASKS.create("image"), smoothing, others, mixed)
    insides = {name: activations(other, widths=(5, 6), gradient=gradient) for name in loss.needs}
    inside = activations(0, gradient=True)
    return LossContext(TASKS.create("image"), smoothing, others, mixed, inside, insides)


def learner(given: Tensor, seen: LossContext) -> list[Tensor]:
    """What belongs to the subnet that learns."""
    return [given, *seen.inside, *(seen.attention[:3] if seen.attention else ())]


def soft(given: Tensor, teacher: Tensor, temperature: float) -> Tensor:
    """Cross-entropy of softened answers, as Hinton et al. write it."""
    wanted = (teacher / temperature).softmax(1)
    return -(wanted * (given / temperature).log_softmax(1)).sum(1).mean() * temperature**2


@every_loss
def test_says_what_it_is_and_where_it_comes_from(name: str) -> None:
    info = LOSSES.info(name)
    assert info.label
    assert info.source
    assert info.summary
    for field in LOSSES.get(name).Config.model_fields.values():
        assert field.description
        assert not field.is_required()
    with pytest.raises(InvalidInput, match="no_such_setting"):
        LOSSES.create(name, {"no_such_setting": 1})


@every_loss
def test_is_a_finite_scalar_whose_gradient_reaches_the_learner_and_no_teacher(name: str) -> None:
    loss = LOSSES.create(name)
    given, seen = outputs(0, gradient=True), context(loss, gradient=True)
    value = loss(given, LABELS, seen)
    assert value.shape == ()
    assert bool(torch.isfinite(value))
    value.backward()
    reached = [x.grad for x in learner(given, seen) if x.grad is not None]
    assert reached
    assert all(float(gradient.abs().max()) > 0 for gradient in reached)
    others = [*seen.outputs.values(), *(x for inside in seen.insides.values() for x in inside)]
    others += [x for made in seen.attentions.values() for x in made[:3]]
    more = 2 if loss.looks_inside else 3 if loss.looks_at_attention else 0
    assert len(others) == len(loss.needs) + more
    assert all(other.grad is None for other in others)


@every_loss
def test_a_step_against_the_gradient_makes_it_smaller(name: str) -> None:
    loss = LOSSES.create(name)
    given, seen = outputs(0, gradient=True), context(loss)
    value = loss(given, LABELS, seen)
    value.backward()
    with torch.no_grad():
        for x in learner(given, seen):
            if x.grad is not None:
                x -= 0.1 * x.grad
        assert float(loss(given, LABELS, seen)) < float(value)


@every_loss
def test_depends_on_labels_or_on_the_outputs_it_names(name: str) -> None:
    loss = LOSSES.create(name)
    given, seen = outputs(0), context(loss)
    value = float(loss(given, LABELS, seen).detach())
    moved = abs(float(loss(given, LABELS, context(loss, other=4)).detach()) - value) > 1e-4
    by_labels = abs(float(loss(given, LABELS.roll(1), seen).detach()) - value) > 1e-4
    assert (moved, by_labels) == ((True, False) if loss.needs else (False, True))


@every_loss
def test_mixed_samples_change_what_labels_say_and_nothing_else(name: str) -> None:
    loss, partners = LOSSES.create(name), Mixed(LABELS.roll(3), 0.7)
    own, other = (loss(outputs(0), labels, context(loss)) for labels in (LABELS, partners.targets))
    found = loss(outputs(0), LABELS, context(loss, mixed=partners))
    torch.testing.assert_close(found, 0.7 * own + 0.3 * other)


def rows_of(seen: LossContext, rows: slice) -> LossContext:
    """What a process with some of the samples sees."""
    return replace(
        seen,
        outputs={name: each[rows] for name, each in seen.outputs.items()},
        inside=[x[rows] for x in seen.inside],
        insides={name: [x[rows] for x in each] for name, each in seen.insides.items()},
        attention=seen.attention and Attention(*(x[rows] for x in seen.attention if x is not None)),
        attentions={
            name: Attention(*(x[rows] for x in each if x is not None))
            for name, each in seen.attentions.items()
        },
    )


@every_loss
def test_shares_of_a_batch_add_up_to_it_where_the_loss_says_so(name: str) -> None:
    loss = LOSSES.create(name)
    given, seen = outputs(0), context(loss)
    parts = (slice(0, 3), slice(3, 8))
    shares = [loss(given[rows], LABELS[rows], rows_of(seen, rows)) * len(LABELS[rows]) / 8 for rows in parts]
    apart = abs(float((sum(shares) - loss(given, LABELS, seen)).detach()))
    assert (apart < 1e-6) is loss.shareable, "refused without need, or not refused"


def test_labels_are_smoothed_as_defined() -> None:
    target = torch.full((8, 5), 0.1 / 5)
    target[torch.arange(8), LABELS] += 0.9
    expected = -(target * outputs(0).log_softmax(1)).sum(1).mean()
    loss, own = LOSSES.create("labels"), LOSSES.create("labels", {"smoothing": 0.1})
    torch.testing.assert_close(loss(outputs(0), LABELS, context(loss, smoothing=0.1)), expected)
    torch.testing.assert_close(own(outputs(0), LABELS, context(own, smoothing=0.4)), expected)
    assert abs(float(loss(outputs(0), LABELS, context(loss))) - float(expected)) > 1e-3


@pytest.mark.parametrize("temperature", [1.0, 2.0, 4.0])
@pytest.mark.parametrize("name", ["distill_largest", "distill_teacher", "soft_labels"])
def test_distillation_softens_both_answers(name: str, temperature: float) -> None:
    loss = LOSSES.create(name, {"temperature": temperature})
    torch.testing.assert_close(
        loss(outputs(0), LABELS, context(loss)), soft(outputs(0), outputs(9), temperature)
    )


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_divergence_is_distillation_less_the_entropy_and_zero_at_agreement(temperature: float) -> None:
    loss = LOSSES.create("kl", {"teacher": "teacher", "temperature": temperature})
    assert loss.needs == ("teacher",)
    found = loss(outputs(0), LABELS, context(loss))
    entropy = soft(outputs(9), outputs(9), temperature)
    torch.testing.assert_close(found, soft(outputs(0), outputs(9), temperature) - entropy)
    assert abs(float(loss(outputs(9), LABELS, context(loss)))) < 1e-6


# --- alpha-divergence (Wang et al., AlphaNet) -------------------------------------------------------------------


def divergence(p: Tensor, q: Tensor, alpha: float) -> Tensor:
    """Of every row of q from that of p, as the paper writes it."""
    if alpha == 1:
        return (p * (p / q).log()).sum(1)
    return ((q * (p / q) ** alpha).sum(1) - 1) / (alpha * (alpha - 1))


@pytest.mark.parametrize(("low", "high"), [(-1.0, 1.0), (-0.5, 2.0)])
def test_alpha_divergence_is_the_larger_of_both_and_so_is_its_gradient(low: float, high: float) -> None:
    loss = LOSSES.create("alpha_divergence", {"low": low, "high": high, "clip": 1e6})
    given, plain = outputs(0, gradient=True), outputs(0, gradient=True)
    p, q = outputs(9).softmax(1), plain.softmax(1)
    both = torch.stack([divergence(p, q, low), divergence(p, q, high)])
    assert set(both.argmax(0).tolist()) == {0, 1}, "each is the larger one of some sample"
    found, wanted = loss(given, LABELS, context(loss)), both.amax(0).mean()
    torch.testing.assert_close(found, wanted)
    found.backward()
    wanted.backward()
    torch.testing.assert_close(given.grad, plain.grad)
    assert abs(float(loss(outputs(9), LABELS, context(loss)))) < 1e-6


def test_ratios_are_clipped_so_that_one_sure_answer_cannot_take_over() -> None:
    """Where the learner is sure of what the teacher holds for impossible, the negative alpha has a huge gradient."""
    sure, teacher = torch.tensor([[9.0, -9.0, 8.0]]), torch.tensor([[-9.0, 9.0, 0.0]])

    def size(clip: float) -> float:
        loss = LOSSES.create("alpha_divergence", {"clip": clip})
        given = sure.clone().requires_grad_(True)
        loss(given, LABELS[:1], LossContext(TASKS.create("image"), 0.0, {"largest": teacher})).backward()
        return float(given.grad.norm())

    assert size(1e6) > 1e4
    assert size(5.0) < 10


# --- features and relations ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("relative", [True, False])
@pytest.mark.parametrize("stages", ["last", "all"])
def test_features_are_compared_by_the_channels_both_have(stages: str, relative: bool) -> None:
    loss = LOSSES.create("feature", {"stages": stages, "relative": relative, "teacher": "teacher"})
    seen, apart = context(loss), []
    for mine, wide in zip(seen.inside, seen.insides["teacher"], strict=True):
        wanted = wide[:, : mine.shape[1]]
        apart.append((mine - wanted).square().mean() / (wanted.square().mean() if relative else 1))
    expected = apart[-1] if stages == "last" else sum(apart) / 2
    torch.testing.assert_close(loss(outputs(0), LABELS, seen), expected)


def test_maps_of_two_sizes_are_refused_in_a_sentence() -> None:
    loss = LOSSES.create("feature")
    small = [torch.randn(8, 4, 1, 1)]
    seen = LossContext(TASKS.create("image"), 0.0, {}, None, small, {"largest": [torch.randn(8, 4, 2, 2)]})
    with pytest.raises(InvalidInput, match=r"^Activations can be compared .* Choose another loss\.$"):
        loss(outputs(0), LABELS, seen)


def flat(x: Tensor) -> list[Tensor]:
    return list(x.flatten(1))


def test_distances_of_pairs_are_compared_relative_to_their_mean() -> None:
    loss = LOSSES.create("relation", {"relation": "distance"})
    seen = context(loss)

    def apart(x: Tensor) -> Tensor:
        rows = flat(x)
        found = torch.stack([(rows[i] - rows[j]).norm() for i in range(8) for j in range(i + 1, 8)])
        return found / found.mean()

    gap = (apart(seen.inside[-1]) - apart(seen.insides["largest"][-1])).abs()
    huber = torch.where(gap < 1, gap**2 / 2, gap - 0.5).mean()
    torch.testing.assert_close(loss(outputs(0), LABELS, seen), huber)


def test_angles_of_triples_are_compared() -> None:
    loss = LOSSES.create("relation", {"relation": "angle"})
    seen = context(loss)

    def cosine(a: Tensor, b: Tensor) -> Tensor:
        return (a @ b) / (a.norm() * b.norm()).clamp_min(1e-9)

    def angles(x: Tensor) -> Tensor:
        r, every = flat(x), range(8)
        return torch.stack([cosine(r[i] - r[j], r[k] - r[j]) for j in every for i in every for k in every])

    gap = (angles(seen.inside[-1]) - angles(seen.insides["largest"][-1])).abs()
    huber = torch.where(gap < 1, gap**2 / 2, gap - 0.5).mean()
    torch.testing.assert_close(loss(outputs(0), LABELS, seen), huber, atol=1e-5, rtol=1e-4)


def test_similarities_are_rows_of_the_normalized_gram_matrix() -> None:
    loss = LOSSES.create("relation", {"relation": "similarity"})
    seen = context(loss)

    def rows(x: Tensor) -> Tensor:
        gram = x.flatten(1) @ x.flatten(1).T
        return torch.stack([row / row.norm() for row in gram])

    apart = rows(seen.inside[-1]) - rows(seen.insides["largest"][-1])
    torch.testing.assert_close(loss(outputs(0), LABELS, seen), apart.norm() ** 2 / 8**2)


@pytest.mark.parametrize("relation", ["distance", "angle", "similarity"])
def test_relations_stay_when_activations_are_turned_and_have_gradients_where_samples_are_equal(
    relation: str,
) -> None:
    loss = LOSSES.create("relation", {"relation": relation})
    wide = torch.randn(8, 12, generator=torch.Generator().manual_seed(1))
    turn = torch.linalg.qr(torch.randn(12, 12, generator=torch.Generator().manual_seed(2)))[0]
    task = TASKS.create("image")
    turned = LossContext(task, 0.0, {}, None, [wide @ turn], {"largest": [wide]})
    assert abs(float(loss(outputs(0), LABELS, turned))) < 1e-8
    equal = wide[:1].repeat(8, 1).requires_grad_(True)
    loss(outputs(0), LABELS, LossContext(task, 0.0, {}, None, [equal], {"largest": [wide]})).backward()
    assert bool(torch.isfinite(equal.grad).all())


# --- relations of attentions (Xu et al., AutoDistil) ---------------------------------------------------------------


def test_relations_are_products_of_tokens_in_each_relation_head_without_padding() -> None:
    """Written out pair by pair, for a learner with 8 and a teacher with 12 entries in 4 relation heads each."""
    loss = LOSSES.create("attention_relations", {"heads": 4})
    seen = context(loss)
    mine, theirs = seen.attention, seen.attentions["teacher"]
    total = 0.0
    for learned, imitated in zip(mine[:3], theirs[:3], strict=True):
        a, b = learned.detach(), imitated.detach()
        apart = [
            float(x[n, i, h * d : h * d + d] @ x[n, j, h * d : h * d + d]) / d**0.5
            - float(y[n, i, h * e : h * e + e] @ y[n, j, h * e : h * e + e]) / e**0.5
            for x, y, d, e in [(a, b, 2, 3)]
            for n in range(8)
            for h in range(4)
            for i in range(5)
            for j in range(5)
            if mine.mask[n, i] and mine.mask[n, j]
        ]
        total += sum(each**2 for each in apart) / len(apart)
    torch.testing.assert_close(
        loss(outputs(0), LABELS, seen).detach(), torch.tensor(total), rtol=1e-5, atol=1e-5
    )


@pytest.mark.parametrize("size", [4, 6, 8, 9, 12, 40])
def test_relation_matrices_have_the_teachers_shape_for_every_width(size: int) -> None:
    assert relations(torch.randn(3, 5, size), 4).shape == (3, 4, 5, 5)


def test_entries_that_fill_no_relation_head_are_left_out_and_too_few_are_refused() -> None:
    entries = torch.randn(3, 5, 11)
    torch.testing.assert_close(relations(entries, 4), relations(entries[:, :, :8], 4))
    with pytest.raises(
        InvalidInput, match=r"^A subnet's heads have 3 entries .* Set fewer relation heads\.$"
    ):
        relations(entries[:, :, :3], 4)


def test_relations_look_at_no_label_and_at_no_answer() -> None:
    loss = LOSSES.create("attention_relations")
    seen = context(loss)
    value = float(loss(outputs(0), LABELS, seen).detach())
    assert float(loss(outputs(5), LABELS.flip(0), seen).detach()) == value


@pytest.mark.parametrize("name", ["kl", "soft_labels", "alpha_divergence"])
def test_answers_at_several_positions_count_one_by_one(name: str) -> None:
    loss, task = LOSSES.create(name, {"teacher": "teacher"}), TASKS.create("image")
    several, flat_ones = torch.randn(4, 3, 5), torch.randn(4, 3, 5)

    def value(given: Tensor, wanted: Tensor) -> float:
        return float(loss(given, LABELS, LossContext(task, 0.0, {"teacher": wanted})))

    assert value(several, flat_ones) == pytest.approx(
        value(several.reshape(12, 5), flat_ones.reshape(12, 5)), rel=1e-6
    )
