"""The extracted subnet and its card: every number checked against another way to get it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from core.datasets import Dataset, Split
from core.errors import InvalidInput
from core.export.card import card_text, manifest
from core.export.exporting import build_bundle, export_subnet
from core.export.subnet import extract_subnet
from core.networks.trees import as_tensors
from core.records import Source
from core.seeding import stream
from core.supernets import FAMILIES
from tests.export.subnets import TITLE, architectures, data_of, digits, subnet, supernet

families = pytest.mark.parametrize("family", FAMILIES.names())


@pytest.mark.slow
@families
@pytest.mark.parametrize("split", ["test", "validation"])
def test_the_accuracy_is_that_of_the_supernet_with_this_architecture(family: str, split: str) -> None:
    made, net, data = subnet(family), supernet(family), data_of(family)
    arch = architectures(family, 1)[0]
    part = data.split(split)
    statistics = net.calibrate_on(arch, data)
    # All samples at once, through the shared weights, where the card took batches of the extracted ones.
    answers = net(as_tensors(part.x), arch, statistics)[: len(part)]
    right = (answers.argmax(-1).numpy() == part.y).sum()
    entry = made.card["accuracy" if split == "validation" else "test_accuracy"]
    # Every position that is scored counts where a sample has several.
    assert (entry.correct, entry.n, entry.how) == (right, part.y.size, Source.MEASURED)
    assert entry.value == right / part.y.size


@families
def test_counts_are_those_of_the_supernet(family: str) -> None:
    made, net = subnet(family), supernet(family)
    costs = net.costs(architectures(family, 1)[0])
    assert made.card["macs"].value == sum(stage.macs for stage in costs)
    assert made.card["params"].value == sum(stage.params for stage in costs)
    assert made.card["macs"].how is Source.COUNTED


def test_an_architecture_may_come_as_options() -> None:
    net = supernet("elastic_cnn")
    arch = architectures("elastic_cnn", 3)[2]
    by_name = extract_subnet(net, net.space.to_dict(arch), digits())
    by_index = extract_subnet(net, arch, digits())
    assert by_name.arch_id == by_index.arch_id == net.space.arch_id(arch)
    images = by_name.probe(5)
    assert torch.equal(by_name.net(images), by_index.net(images))
    assert by_name.supernet == net.label


def test_the_network_is_plain_and_in_eval_mode() -> None:
    made = subnet("elastic_cnn")
    assert type(made.net) is torch.nn.Sequential
    assert not any(module.training for module in made.net.modules())
    assert not any(parameter.requires_grad for parameter in made.net.parameters())


@pytest.mark.parametrize(
    "change",
    [{"inputs": {**digits().inputs, "input_shape": (3, 8, 8)}}, {"classes": ("a", "b")}, {"task": "tokens"}],
)
def test_other_data_are_refused(change: dict[str, object]) -> None:
    other = dataclasses.replace(digits(), **change)  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match=r"supernet (was made for|takes)"):
        extract_subnet(supernet("elastic_cnn"), supernet("elastic_cnn").largest, other)


@pytest.mark.parametrize("arch", [(0,), (99,) * 8, {"width1": 5}, {"nonsense": 1}])
def test_a_wrong_architecture_is_refused(arch: object) -> None:
    with pytest.raises(InvalidInput):
        extract_subnet(supernet("elastic_cnn"), arch, digits())  # type: ignore[arg-type]


def test_the_card_tells_numbers_sources_and_terms() -> None:
    made = subnet("elastic_cnn")
    text = card_text(made)
    entry = made.card["test_accuracy"]
    assert (
        f"| Test accuracy | {entry.value:.4f} | measured | {entry.correct} of {entry.n} test images" in text
    )
    assert f"{made.card['macs'].value:,}" in text
    assert digits().licence in text
    assert "</b>" not in text  # a title cannot act as HTML
    assert text.splitlines()[0].endswith(r'Digits "CNN" \\ ünïcode \</b\>')


def test_the_manifest_hashes_the_files() -> None:
    text = manifest(subnet("elastic_cnn"), {"b": b"", "a": b"x"})
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert f'"b": "{empty}"' in text
    assert TITLE.split()[0] in text


def test_build_bundle_takes_the_title_of_the_supernets_card() -> None:
    data = build_bundle(
        supernet("elastic_cnn"), supernet("elastic_cnn").smallest, digits(), card={"title": "My net"}
    )
    assert b"# A subnet of My net" in data


def test_the_probe_is_always_the_same() -> None:
    first, second = subnet("elastic_cnn").probe(3), subnet("elastic_cnn").probe(3)
    assert torch.equal(first, second)
    assert first.shape == (3, 1, 8, 8)
    assert np.ptp(first.numpy()) > 0.5


@pytest.mark.slow
@pytest.mark.parametrize(
    "shape", [(3, 7, 9), *(pytest.param(shape, marks=pytest.mark.long) for shape in ((1, 28, 28), (1, 5, 5)))]
)
def test_odd_sizes_and_colours_survive_every_format(shape: tuple[int, int, int]) -> None:
    """Where a resolution is odd, the pooled shortcut has a ragged edge that formats treat differently."""
    rng = stream(0, "odd sizes")
    splits = {
        name: Split(rng.random((40, *shape), np.float32), rng.integers(0, 4, 40), np.arange(40))
        for name in ("train", "calibration", "validation", "test")
    }
    pixels = {"pixel_mean": (0.5,) * shape[0], "pixel_std": (0.3,) * shape[0]}
    words = {"name": "odd", "title": "Odd", "source": "none", "licence": "none", "fingerprint": "none"}
    data = Dataset(classes=tuple("abcd"), inputs={"input_shape": shape, **pixels}, **splits, **words)
    groups = [{"widths": (4, 8)}, {"widths": (6, 12)}, {"widths": (4, 8), "kernels": (1, 3)}]
    cls = FAMILIES.get("elastic_cnn")
    config = {"input_shape": shape, "classes": 4, "groups": groups, "kernel_transform": True}
    net = cls(cls.Config.model_validate(config | {"pixel_mean": data.mean, "pixel_std": data.std}))
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.copy_(0.1 + 0.3 * torch.randn(parameter.shape, generator=generator))
    for arch in (net.largest, net.space.sample(rng), net.space.sample(rng)):
        made = extract_subnet(net, arch, data)
        for name in ("bundle", "torch_export"):
            assert export_subnet(made, name).data
