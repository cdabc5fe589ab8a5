"""Sub-spaces by size: what each holds, that none overlaps another, and whose weights a subnet has."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from core.errors import InvalidInput
from core.evaluation.costs import CostTable
from core.supernets import FAMILIES
from core.supernets.elastic_encoder import ElasticEncoder, ElasticEncoderConfig
from core.supernets.sub_spaces import CHOICE, _apart, by_size, divided, tied
from tests.helpers.nets import disturb, small_cnn
from tests.training.small import fresh_elastic_vit


def encoder(**changes: object) -> ElasticEncoder:
    torch.manual_seed(0)
    settings = {"input_shape": (7,), "vocabulary": 11, "classes": 3, "head_size": 4}
    settings |= {"widths": (4, 6, 8, 12), "depths": (1, 2, 3), "heads": (1, 2, 3), "mlp_ratios": (1, 2)}
    return disturb(ElasticEncoder(ElasticEncoderConfig.model_validate(settings | changes)))  # type: ignore[return-value]


@pytest.mark.parametrize("n", [1, 2, 3, 4])
@pytest.mark.parametrize("make", [encoder, fresh_elastic_vit])
def test_sub_spaces_do_not_overlap_in_parameters(make, n: int) -> None:
    net = make()
    if n > 3 and make is fresh_elastic_vit:
        with pytest.raises(InvalidInput, match="at least 4 widths"):
            divided(net, n)
        return
    made = divided(net, n)
    rows = made.space.array()
    params = CostTable.of(made).total("params", rows)
    ranges = [(int(p.min()), int(p.max())) for p in (params[rows[:, 0] == part] for part in range(n))]
    assert all(below[1] < above[0] for below, above in pairwise(ranges))
    assert len(rows) == made.space.size >= 2 * n
    # As many options as that leaves: one more of any choice, and two overlap.
    groups = tied(net.space)
    lengths = {each.label: len(by_size(net, n)[0].options[each.label]) for each in groups}
    for each in groups:
        if each.choice.kind != "width" and lengths[each.label] < len(each.choice.options):
            assert not _apart(net, groups, n, {**lengths, each.label: lengths[each.label] + 1})


def test_the_largest_of_the_last_is_the_given_network_and_layers_are_alike() -> None:
    net = encoder()
    made = divided(net, 3)
    inputs = net.task.random_inputs(net.config, 9, torch.Generator().manual_seed(1))
    with torch.no_grad():
        assert torch.equal(made(inputs, made.largest), net(inputs, net.largest))
        for row in made.space.sample_array(20, np.random.default_rng(0)).tolist():
            base = made.division.in_base(row)
            assert len({base[net.space.position[f"heads{i}"]] for i in (1, 2, 3)}) == 1
            assert torch.equal(made(inputs, tuple(row)), net(inputs, base))
    assert made.largest[0] == 2
    assert made.smallest[0] == 0


def test_each_sub_space_has_weights_of_its_own() -> None:
    made = divided(encoder(), 3).requires_grad_(True)
    inputs = made.task.random_inputs(made.config, 9, torch.Generator().manual_seed(1))
    for part in range(3):
        made.zero_grad()
        arch = made.space.canonical([part, *(0 for _ in made.space.names[1:])])
        made(inputs, arch).sum().backward()
        reached = {name.split(".")[3] for name, p in made.named_parameters() if p.grad is not None}
        assert reached == {str(part)}


def test_a_sub_space_that_says_too_little_or_too_much_is_refused() -> None:
    family = FAMILIES.get("text_sub_spaces")
    good = family.examples()[0].model_dump()
    for change in ({"width": (0,)}, {**good["parts"][0]["options"], "width": (7,)}):
        config = family.Config.model_validate({**good, "parts": ({"options": change},)})
        with pytest.raises(InvalidInput, match=r"^(A sub-space says|Options of width)"):
            family(config)
    for wrong in ({"base": "elastic_cnn"}, {"base": "text_sub_spaces"}, {"config": {"classes": 4}}):
        with pytest.raises(ValidationError, match=r"data, not tokens|not divided again|classes is the same"):
            family.Config.model_validate({**good, **wrong})


def test_what_cannot_be_divided_is_refused_in_a_sentence() -> None:
    with pytest.raises(InvalidInput, match=r"at least 5 widths each"):
        divided(encoder(), 5)
    with pytest.raises(InvalidInput, match=r"1 to 8 sub-spaces"):
        by_size(encoder(), 0)
    graphs = FAMILIES.get("elastic_gcn")
    net = graphs(graphs.examples()[0])
    with pytest.raises(InvalidInput, match=r"for texts and for images"):
        divided(net, 2)


def test_choices_of_one_kind_with_the_same_options_are_one() -> None:
    found = tied(small_cnn().space)
    assert len({each.label for each in found}) == len(found)
    assert sorted(name for each in found for name in each.names) == sorted(small_cnn().space.names)
    assert divided(encoder(), 2).space.choices[0].kind == CHOICE
