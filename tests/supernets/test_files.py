"""A supernet file may not ask for more than it carries: limits on the network, judged before it is built."""

from __future__ import annotations

import json
from typing import Any

import pytest

from core.errors import InvalidInput
from core.supernets import files
from core.supernets.files import build, dump_supernet, load_supernet
from core.supernets.headers import KEY
from tests.helpers.memory import growth

SMALL = {"groups": [{"widths": [2, 4], "depths": [1], "kernels": [3]}]}
WIDE = {"groups": [{"widths": [1024], "depths": [1], "kernels": [11]}]}
HUGE = {"groups": [{"widths": [1024], "depths": [16], "kernels": [11]}]}


def with_config(config: dict[str, Any]) -> bytes:
    """The file of a small supernet that claims to be another."""
    from safetensors.torch import load, save

    plain = dump_supernet(build("elastic_cnn", SMALL), {})
    length = int.from_bytes(plain[:8], "little")
    header = json.loads(json.loads(plain[8 : 8 + length])["__metadata__"][KEY])
    outline = files.outline_of("elastic_cnn", config)
    header |= {"config": outline.config.model_dump(mode="json"), "space": outline.space.to_json()}
    return save(load(plain), metadata={KEY: json.dumps(header)})


def test_the_number_of_parameters_has_a_limit_to_the_last_one(monkeypatch: pytest.MonkeyPatch) -> None:
    size = sum(p.numel() for p in build("elastic_cnn", SMALL).parameters())
    monkeypatch.setattr(files, "_MOST_PARAMETERS", size)
    build("elastic_cnn", SMALL)
    monkeypatch.setattr(files, "_MOST_PARAMETERS", size - 1)
    with pytest.raises(InvalidInput, match=f"{size:,} parameters"):
        build("elastic_cnn", SMALL)


@pytest.mark.slow
def test_two_hundred_million_are_too_many_and_cost_no_memory() -> None:
    with growth() as grown, pytest.raises(InvalidInput, match="at most 200,000,000"):
        build("elastic_cnn", HUGE)
    assert grown() < 100 * 2**20


@pytest.mark.slow
def test_a_small_file_cannot_ask_for_a_large_network() -> None:
    data = with_config(WIDE)
    assert len(data) < 20_000
    with growth() as grown, pytest.raises(InvalidInput, match="do not fit"):
        load_supernet(data)
    assert grown() < 50 * 2**20


def test_a_file_reads_back_as_it_was() -> None:
    supernet = build("elastic_cnn", SMALL)
    again, card = load_supernet(dump_supernet(supernet, {"title": "Small"}))
    assert card == {"title": "Small"}
    assert again.config == supernet.config
    state = again.state_dict()
    assert all(bool((state[name] == tensor).all()) for name, tensor in supernet.state_dict().items())
