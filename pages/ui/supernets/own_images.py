"""A visitor's own images on a form."""

from __future__ import annotations

from typing import Any

from pages.ui.supernets.own_upload import Looked, OwnData, own_upload

NAME = "images"
MOST_IMAGES_MB = 250
_MOST_PICTURES = 48


def own_images() -> dict[str, Any] | None:
    """The data choice for images of one's own; None until there are some that can be used."""
    return own_upload(_OWN)


def _keep(data: bytes, config: dict[str, Any]) -> Any:
    from core.datasets.images import keep_upload

    return keep_upload(data, **config)


def _look(read: Any, config: dict[str, Any]) -> Looked:
    from core.datasets import uploads
    from core.datasets.images import found_in

    found = found_in(read, **config)
    _, sheet = uploads.beside(read)
    each = max(1, _MOST_PICTURES // len(set(sheet.labels)))
    rows = [at for at, label in enumerate(sheet.labels) if sheet.labels[:at].count(label) < each]
    return Looked(found, sheet.images[rows], [sheet.labels[at] for at in rows])


_OWN = OwnData(
    name=NAME,
    types=("zip", "npz"),
    most_mb=MOST_IMAGES_MB,
    hint="A zip with one folder per class, or a .npz with arrays x (n, h, w[, c]) and y.",
    empty="A zip with one folder of pictures per class.",
    settings="Size, channels, split and limits",
    keep=_keep,
    look=_look,
    side=40,
    caption="Some images of each class, as networks get them.",
)
