"""The loss contract, held by every registered loss; then each loss against its definition."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from core.errors import InvalidInput
from core.tasks import TASKS
from core.training.losses import LOSSES
from core.training.losses.base import Loss, LossContext

every_loss = pytest.mark.parametrize("name", LOSSES.names())
LABELS = torch.arange(8) % 5


def outputs(seed: int, *, gradient: bool = False) -> Tensor:
    found = torch.randn(8, 5, generator=torch.Generator().manual_seed(seed))
    return found.requires_grad_(gradient)


def context(loss: Loss, *, smoothing: float = 0.0, gradient: bool = False) -> LossContext:
    others = {name: outputs(9, gradient=gradient) for name in loss.needs}
    return LossContext(TASKS.create("image"), smoothing, others)


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
    assert given.grad is not None
    assert float(given.grad.abs().max()) > 0
    assert all(other.grad is None for other in seen.outputs.values())


@every_loss
def test_a_step_against_the_gradient_makes_it_smaller(name: str) -> None:
    loss = LOSSES.create(name)
    given, seen = outputs(0, gradient=True), context(loss)
    value = loss(given, LABELS, seen)
    value.backward()
    with torch.no_grad():
        assert float(loss(given - 0.1 * given.grad, LABELS, seen)) < float(value)


@every_loss
def test_depends_on_labels_or_on_the_outputs_it_names(name: str) -> None:
    loss = LOSSES.create(name)
    given, seen = outputs(0), context(loss)
    value = float(loss(given, LABELS, seen))
    other = LossContext(seen.task, 0.0, {n: outputs(4) for n in seen.outputs})
    moved = abs(float(loss(given, LABELS, other)) - value) > 1e-4
    by_labels = abs(float(loss(given, LABELS.roll(1), seen)) - value) > 1e-4
    assert (moved, by_labels) == ((True, False) if loss.needs else (False, True))


def test_labels_are_smoothed_as_defined() -> None:
    target = torch.full((8, 5), 0.1 / 5)
    target[torch.arange(8), LABELS] += 0.9
    expected = -(target * outputs(0).log_softmax(1)).sum(1).mean()
    loss, own = LOSSES.create("labels"), LOSSES.create("labels", {"smoothing": 0.1})
    torch.testing.assert_close(loss(outputs(0), LABELS, context(loss, smoothing=0.1)), expected)
    torch.testing.assert_close(own(outputs(0), LABELS, context(own, smoothing=0.4)), expected)
    assert abs(float(loss(outputs(0), LABELS, context(loss))) - float(expected)) > 1e-3


@pytest.mark.parametrize("temperature", [1.0, 2.0, 4.0])
@pytest.mark.parametrize("name", ["distill_largest", "distill_teacher"])
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
