"""A network of one's own made into a supernet."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from core.cli.output import write
from core.config import Settings
from core.errors import InvalidInput, NotFound
from core.words import count_of, format_count

if TYPE_CHECKING:
    from torch import nn

    from core.cli.own_data import Chosen
    from core.supernets.converting import Conversion

_FILES = (".onnx", ".pt2")


def convert(
    network: Annotated[
        str, typer.Argument(help="module:Class of your own, or an .onnx or .pt2 file of an image classifier.")
    ],
    out: Annotated[Path, typer.Option(help="Write the supernet here (.safetensors).")],
    weights: Annotated[
        Path | None, typer.Option(help="State dictionary of the class: .safetensors, .pt or .pth.")
    ] = None,
    arguments: Annotated[
        str, typer.Option(help="JSON: arguments by name that the class is made with.")
    ] = "{}",
    data: Annotated[
        str | None, typer.Option(help="Data it classifies: a data set, or a .zip or .npz of your own.")
    ] = None,
    image: Annotated[
        str | None, typer.Option(help="Channels,height,width of a class's input; left out, those of --data.")
    ] = None,
    mean: Annotated[
        str | None, typer.Option(help="Subtracted from pixels in [0, 1] before the network, by commas.")
    ] = None,
    std: Annotated[str | None, typer.Option(help="What pixels are divided by then, by commas.")] = None,
    ratios: Annotated[str, typer.Option(help="Shares of its channels a group can keep.")] = "0.25,0.5,0.75,1",
    choices: Annotated[
        str, typer.Option(help="A choice for each group of channels, for each map size, or auto.")
    ] = "auto",
) -> None:
    """Make a supernet of a trained network: channels and residual blocks become elastic, the largest subnet is it."""
    from core.cli import own_data

    chosen = own_data.choice(data) if data else None
    conversion, card = converted(
        network,
        weights=weights,
        arguments=_json(arguments),
        chosen=chosen,
        image=None if image is None else cast(tuple[int, int, int], tuple(_numbers(image, int, 3))),
        pixels=(
            None if mean is None else _numbers(mean, float),
            None if std is None else _numbers(std, float),
        ),
        ratios=_numbers(ratios, float),
        choices=choices,
    )
    from core.supernets.files import dump_supernet

    net = conversion.supernet
    write(out, dump_supernet(net, {"title": out.stem, **card}))
    smallest, largest = (sum(cost.macs for cost in net.costs(arch)) for arch in (net.smallest, net.largest))
    for line in conversion.facts:
        print(line)
    for layer, why in conversion.fixed:
        print(f"{layer}: {why}")
    print(
        f"{count_of(net.space.size, 'subnet')} of {format_count(smallest)} to {format_count(largest)} MACs."
    )
    print(out)


def converted(
    network: str,
    *,
    weights: Path | None,
    arguments: Settings,
    chosen: Chosen | None,
    image: tuple[int, int, int] | None,
    pixels: tuple[list[float] | None, list[float] | None],
    ratios: list[float],
    choices: str,
) -> tuple[Conversion, Settings]:
    """The supernet of a network on this machine, compared with it, and what its card says.

    Raises:
        NotFound: there is no such file, module or data set.
        InvalidInput: it cannot be converted, or the settings do not fit it.
    """
    import dataclasses

    import torch

    from core.datasets import load_dataset
    from core.library.measuring import DataChoice
    from core.supernets.converting import Choose, require_equal
    from core.supernets.converting import convert as convert_given
    from core.supernets.reading.exported_file import read_exported
    from core.workflows.train_supernet import data_card

    if choices not in ("auto", "group", "size"):
        raise InvalidInput("--choices is auto, group or size.")
    dataset = None
    if chosen is not None:
        settings: dict[str, Any] = chosen["config"]
        dataset = load_dataset(chosen["name"], seed=0, **settings)
    if network.endswith(_FILES):
        given, answers = _of_file(Path(network))
    else:
        shape = image or (dataset.inputs.get("input_shape") if dataset else None)
        if shape is None:
            raise InvalidInput("Say with --image 3,32,32 what the class takes, or with --data which data.")
        exported = export(own_class(network, arguments, weights), cast(tuple[int, int, int], tuple(shape)))
        from core.supernets.reading.exported_run import run_exported

        given, answers = read_exported(exported), lambda images: run_exported(exported, images)
    conversion = convert_given(given, ratios=ratios, choose=cast(Choose, choices))
    net = conversion.supernet
    images = net.task.random_inputs(net.config, 4, torch.Generator().manual_seed(0))
    said = require_equal(conversion, images, answers(images), 1e-4 if network.endswith(".onnx") else 1e-5)
    facts, card = [*conversion.facts, said], dict[str, Any]()
    if pixels != (None, None):
        net = _normalizing(net, *pixels)
    if dataset is not None and chosen is not None:
        net.task.require_fit(net.config, dataset)
        card["data"] = data_card(DataChoice(name=chosen["name"], config=chosen["config"]), dataset)
        with_norms = net.prepared(net.task.batch(dataset, dataset.calibration).inputs)
        if with_norms is not net:
            facts.append(
                "BatchNorm was put back behind its convolutions, set by the calibration samples of the data."
            )
        net = with_norms  # type: ignore[assignment]
    return dataclasses.replace(conversion, supernet=net, facts=tuple(facts)), card


def _of_file(path: Path) -> tuple[Any, Any]:
    if not path.is_file():
        raise NotFound(f"There is no file {path}.")
    data = path.read_bytes()
    if path.suffix == ".onnx":
        from core.supernets.reading.onnx_file import read_onnx
        from core.supernets.reading.onnx_run import run_onnx

        return read_onnx(data), lambda images: run_onnx(data, images)
    from core.supernets.reading.exported_file import read_exported
    from core.supernets.reading.exported_run import run_exported

    return read_exported(data), lambda images: run_exported(data, images)


def _normalizing(net: Any, mean: list[float] | None, std: list[float] | None) -> Any:
    """The same supernet behind a normalization of pixels."""
    said = {"pixel_mean": tuple(mean or (0.0,)), "pixel_std": tuple(std or (1.0,))}
    config = type(net.config).model_validate({**net.config.model_dump(), **said})
    made = type(net)(config).requires_grad_(False)
    for old, new in zip(net.segments, made.segments, strict=True):
        new.load_state_dict(old.state_dict())
    return made


def own_class(named: str, arguments: Settings, weights: Path | None) -> nn.Module:
    """The network of a class (or function) of the person's own, with its weights, in eval mode.

    Raises:
        NotFound: there is no such module or class.
        InvalidInput: it makes no network, or the weights do not fit it.
    """
    from torch import nn

    module, _, name = named.partition(":")
    if not name:
        raise InvalidInput(
            "Name the class as module:Class, for example my_net:Net, or give an .onnx or .pt2 file."
        )
    sys.path.insert(0, str(Path.cwd()))
    try:
        maker = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise NotFound(
            f"There is no {name} in a module {module} that can be imported from here: {error}."
        ) from error
    finally:
        sys.path.pop(0)
    try:
        net = maker if isinstance(maker, nn.Module) else maker(**arguments)
    except TypeError as error:
        raise InvalidInput(f"{name} cannot be made with these --arguments: {error}.") from error
    if not isinstance(net, nn.Module):
        raise InvalidInput(f"{name} makes no torch.nn.Module.")
    if weights is not None:
        _load(net, weights)
    return net.eval()


def _load(net: nn.Module, path: Path) -> None:
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if not path.is_file():
        raise NotFound(f"There is no file {path}.")
    try:
        safe = path.suffix == ".safetensors"
        state: Any = load_file(path) if safe else torch.load(path, map_location="cpu", weights_only=True)
        net.load_state_dict(state.get("state_dict", state))
    except (SafetensorError, OSError, RuntimeError, AttributeError, TypeError) as error:
        first = str(error).splitlines()[0]
        raise InvalidInput(f"The weights in {path.name} do not fit the class: {first}") from error
    except Exception as error:  # what torch's weights-only reader raises of a pickle
        raise InvalidInput(
            f"{path.name} is no state dictionary that can be read without running code."
        ) from error


def export(net: nn.Module, shape: tuple[int, int, int]) -> bytes:
    """A network as a torch.export file.

    Raises:
        InvalidInput: torch.export cannot follow it.
    """
    import io

    import torch

    buffer, images = io.BytesIO(), torch.zeros(2, *shape)
    try:
        rows = torch.export.Dim("rows")
        program = torch.export.export(net, (images,), dynamic_shapes=({0: rows},))
        torch.export.save(program, buffer)
    except Exception as error:  # whatever the person's code, or torch's compiler, raises
        first = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
        raise InvalidInput(f"torch.export cannot follow this class on images {shape}: {first}") from error
    return buffer.getvalue()


def _numbers(text: str, kind: type, count: int | None = None) -> list[Any]:
    try:
        found = [kind(part) for part in text.split(",")]
    except ValueError as error:
        raise InvalidInput(f"{text!r} is no list of numbers separated by commas.") from error
    if count is not None and len(found) != count:
        raise InvalidInput(f"{text!r} should be {count} numbers separated by commas.")
    return found


def _json(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise InvalidInput("--arguments is a JSON object, for example '{\"classes\": 10}'.") from error
    if not isinstance(found, dict):
        raise InvalidInput("--arguments is a JSON object, for example '{\"classes\": 10}'.")
    return found
