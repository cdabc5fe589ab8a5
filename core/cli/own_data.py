"""Data on the command line: a registered data set, or a file of one's own, and what it holds."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypedDict, cast

import typer

from core.cli.own_texts import FLAGS, TEXT_ENDINGS, kept_texts
from core.config import JsonObject, Settings
from core.datasets import DATASETS
from core.datasets.found import skipped_sentence
from core.errors import InvalidInput

if TYPE_CHECKING:
    from core.datasets.found import Found

ENDINGS = (".zip", ".npz", *TEXT_ENDINGS)


class Chosen(TypedDict):
    """The data a person named, as a request has them."""

    name: str
    config: Settings


def data(
    name: Annotated[
        str,
        typer.Argument(
            help="digits, fashion_mnist, commands, licenses, ..., or a file of your own: .zip, .npz, .txt, .csv or .tsv."
        ),
    ],
    out: Annotated[
        Path | None, typer.Option(help="The .npz file to write; left out, what the data hold is told.")
    ] = None,
    split: Annotated[str, typer.Option(help="train, calibration, validation or test.")] = "test",
    supernet: Annotated[str | None, typer.Option(help="Divide the data as this supernet's were.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the division.")] = 0,
    size: Annotated[int | None, typer.Option(help="Side in pixels, of a file; proposed if left out.")] = None,
    channels: Annotated[int | None, typer.Option(help="1 or 3, of a file; proposed if left out.")] = None,
    rate: Annotated[
        int | None, typer.Option(help="Samples per second, of a zip of sounds; proposed if left out.")
    ] = None,
    milliseconds: Annotated[
        int | None, typer.Option(help="Length of a clip, of a zip of sounds; proposed if left out.")
    ] = None,
    length: Annotated[
        int | None, typer.Option(help="Tokens of a text or window, of a file of texts; proposed if left out.")
    ] = None,
    scored: Annotated[
        int | None, typer.Option(help="Positions of a window that are scored, of text as language.")
    ] = None,
    tokenizer: Annotated[
        str | None, typer.Option(help="byte_pairs, bytes, or a tokenizer.json, of a file of texts.")
    ] = None,
) -> None:
    """What a data set or a file of your own holds; with --out, write a split as arrays (images: x in [0, 1], y)."""
    of_texts = {"length": length, "scored": scored, "tokenizer": tokenizer}
    chosen = choice(name, size=size, channels=channels, rate=rate, milliseconds=milliseconds, **of_texts)
    telling = out is None and supernet is None
    for line in told(chosen, seed) if telling else written(chosen, out, split, supernet, seed):
        print(line)


def choice(
    name: str,
    *,
    size: int | None = None,
    channels: int | None = None,
    rate: int | None = None,
    milliseconds: int | None = None,
    **texts: Any,
) -> Chosen:
    """The data a person names, as a request has it; a file is read, checked and kept, as the page does.

    Args:
        name: a data set's registry name, or a file: images, texts, or a zip of sounds or texts.
        size: of images, side in pixels.
        channels: of images, 1 or 3.
        rate: of sounds, samples per second.
        milliseconds: of sounds, length of a clip.
        texts: of texts, see `core.cli.own_texts.FLAGS`.
            What is left out is proposed.

    Raises:
        NotFound: there is no such data set or file.
        InvalidInput: the file is refused, or the settings are not its own.
    """
    of_images = {"size": size, "channels": channels}
    of_sounds = {"rate": rate, "milliseconds": milliseconds}
    if not name.lower().endswith(ENDINGS):
        if any(value is not None for value in (*of_images.values(), *of_sounds.values(), *texts.values())):
            flags = ", ".join(f"--{field}" for field in (*of_images, *of_sounds, *FLAGS))
            raise InvalidInput(f"{flags} are settings of a file of your own.")
        return {"name": DATASETS.info(name.replace("-", "_")).name, "config": {}}
    from core.cli.own_texts import kind_of
    from core.datasets.images import read_file
    from core.datasets.sound_archive import holds_sounds

    data = read_file(Path(name))
    if (kind := kind_of(name, data)) or name.lower().endswith(TEXT_ENDINGS):
        if any(value is not None for value in (*of_images.values(), *of_sounds.values())):
            raise InvalidInput(
                f"{name} holds texts, whose settings are {', '.join(f'--{f}' for f in FLAGS)}."
            )
        return {"name": kind, "config": kept_texts(data, kind, texts)}
    if any(value is not None for value in texts.values()):
        raise InvalidInput(f"{name} holds no texts, so it has no {' and '.join(f'--{f}' for f in FLAGS)}.")
    sounds = name.lower().endswith(".zip") and holds_sounds(data)
    wrong, given = (of_images, of_sounds) if sounds else (of_sounds, of_images)
    if any(value is not None for value in wrong.values()):
        flags, kind = " and ".join(f"--{field}" for field in wrong), "sounds" if sounds else "images"
        raise InvalidInput(f"{name} holds {kind}, which have no {flags}.")
    asked: Settings = {field: value for field, value in given.items() if value is not None}
    return _kept_sounds(data, asked) if sounds else _kept_images(data, asked)


def _kept_images(data: bytes, asked: Settings) -> Chosen:
    from core.datasets.images import keep_upload

    kept = keep_upload(data)
    wanted = {"size": kept.size, "channels": kept.channels} | asked
    if wanted != {"size": kept.size, "channels": kept.channels}:
        kept = keep_upload(data, **wanted)
    return {"name": "images", "config": {"upload": kept.upload_id, **wanted}}


def _kept_sounds(data: bytes, asked: Settings) -> Chosen:
    from core.datasets.sounds import keep_sounds

    kept = keep_sounds(data)
    wanted = {"rate": kept.rate, "milliseconds": kept.milliseconds} | asked
    if wanted != {"rate": kept.rate, "milliseconds": kept.milliseconds}:
        kept = keep_sounds(data, **wanted)
    return {"name": "sounds", "config": {"upload": kept.upload_id, **wanted}}


def told(chosen: Chosen, seed: int = 0) -> Iterator[str]:
    """What data hold, line by line: classes with their splits, sizes, what was left out, warnings.

    Raises:
        InvalidInput: there are too few samples to divide.
        DataUnavailable: the data set is neither here nor reachable.
    """
    found = _found(chosen, seed)
    many, column = f"{found.total('samples'):,} {found.samples}", "class"
    if found.positions > 1:  # of language: each row is a text, and a class is a token
        yield f"{many}, {found.positions:,} positions of each scored."
        column = "text"
    else:
        yield f"{many} in {len(found.classes):,} classes."
    yield from found.facts
    wide = max(len(column), *(len(each.name) for each in found.classes))
    yield f"{column:<{wide}}  {found.samples:>8}  {'training':>10}  {'validation':>10}  {'test':>8}"
    for each in found.classes:
        yield f"{each.name:<{wide}}  {each.samples:>8,}  {each.train:>10,}  {each.validation:>10,}  {each.test:>8,}"
    yield from map(skipped_sentence, found.skipped)
    yield from (f"Warning: {sentence}" for sentence in found.warnings())


def written(chosen: Chosen, out: Path | None, split: str, supernet: str | None, seed: int) -> Iterator[str]:
    """Write a split as arrays; yields the file's name.

    Args:
        chosen: the data.
        out: the .npz file.
        split: train, calibration, validation or test.
        supernet: whose division of the data; their own, by `seed`, if left out.
        seed: of the division.

    Raises:
        InvalidInput: the supernet was trained on other data, or there is no file to write.
    """
    from core.cli.driving import find_supernet
    from core.datasets import load_dataset, write_npz
    from core.library import supernets

    if out is None:
        raise InvalidInput("Say with --out where to write the split.")
    name = chosen["name"]
    if supernet:
        loaded = supernets.dataset(find_supernet(supernet))
        if loaded.name != name:
            raise InvalidInput(f"{supernet} was trained on {loaded.name}, not on {name}.")
    else:
        config: dict[str, Any] = chosen["config"]
        loaded = load_dataset(name, seed=seed, **config)
    write_npz(loaded, split, out)
    yield str(out)


def rehearsed(params: JsonObject) -> Iterator[str]:
    """What the data of a training hold, and how long it will take, from a trial of a second.

    Raises:
        InvalidInput: a setting does not fit.
        DataUnavailable: the data set is not on this machine.
    """
    from core.jobs.forecast import TRAINING, of_training
    from core.jobs.trying import try_work
    from core.library.library import Library
    from core.words import format_about, format_seconds
    from core.workflows.train_supernet import Request

    trial = try_work(TRAINING, params, Library(), start=time.process_time())
    asked = Request.model_validate({"title": "rehearsal", **params})
    yield from told({"name": asked.data.name, "config": cast(Any, asked.data.config)}, asked.data.seed)
    found = of_training(trial, asked.training.epochs)
    yield f"The training will take {format_about(found.seconds)} on this machine (found by trying {found.tried})."
    yield from (f"  {part.what}: {format_seconds(part.seconds)}" for part in found.parts)
    yield from (f"Afterwards, {part.what}: {format_seconds(part.seconds)}." for part in found.later)


def _found(chosen: Chosen, seed: int) -> Found:
    from core.datasets import load_dataset
    from core.datasets.corpus import corpus_found
    from core.datasets.found import of_dataset
    from core.datasets.images import found_in, keep_upload
    from core.datasets.sounds import keep_sounds, sounds_found
    from core.datasets.texts import keep_texts, texts_found
    from core.datasets.uploads import read_upload

    config: dict[str, Any] = dict(chosen["config"])
    if "upload" not in config:
        return of_dataset(load_dataset(chosen["name"], seed=seed, **config))
    upload = read_upload(config.pop("upload"))
    if chosen["name"] == "texts":
        return texts_found(keep_texts(upload), seed=seed, **config)
    if chosen["name"] == "corpus":
        return corpus_found(keep_texts(upload, classed=False), seed=seed, **config)
    if chosen["name"] == "sounds":
        return sounds_found(keep_sounds(upload, **config), seed=seed, **config)
    return found_in(keep_upload(upload, **config), seed=seed, **config)
