"""Small images or texts of samples with captions, as one piece of HTML: no request per image, sharp pixels."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from core.text import display_name

_LONGEST_CAPTION = 40
_LONGEST_TEXT = 160


def sample_strip(
    samples: NDArray[np.float32] | Sequence[str],
    captions: Sequence[str],
    *,
    size: int = 60,
    marked: Sequence[bool] = (),
) -> str:
    """HTML of images side by side, or of texts one below the other; see `image_strip`."""
    if isinstance(samples, np.ndarray):
        return image_strip(samples, captions, size=size, marked=marked)
    parts = []
    for index, (text, caption) in enumerate(zip(samples, captions, strict=True)):
        frame = " ps-marked" if index < len(marked) and marked[index] else ""
        shown, told = (
            html.escape(display_name(each, most))
            for each, most in ((text, _LONGEST_TEXT), (caption, _LONGEST_CAPTION))
        )
        parts.append(f'<li class="ps-text{frame}"><span>{told}</span><q>{shown}</q></li>')
    return f'<ul class="ps-texts">{"".join(parts)}</ul>'


def image_strip(
    images: NDArray[np.float32], captions: Sequence[str], *, size: int = 60, marked: Sequence[bool] = ()
) -> str:
    """HTML of images side by side, each above its caption.

    Args:
        images: (k, c, h, w) pixels in [0, 1]; 1 channel is grey, the first 3 of more are color.
        captions: k texts; escaped here.
        size: edge of an image on the page, in pixels.
        marked: images with a colored frame (wrong answers, say).
    """
    parts = []
    for index, (image, caption) in enumerate(zip(images, captions, strict=True)):
        text = html.escape(display_name(caption, _LONGEST_CAPTION), quote=True)
        frame = " ps-marked" if index < len(marked) and marked[index] else ""
        parts.append(
            f'<figure class="ps-picture{frame}"><img src="{data_uri(image)}" width="{size}" height="{size}" alt="{text}">'
            f"<figcaption>{text}</figcaption></figure>"
        )
    return f'<div class="ps-pictures">{"".join(parts)}</div>'


def data_uri(image: NDArray[np.float32]) -> str:
    """One image (c, h, w) in [0, 1] as a PNG that needs no request."""
    pixels = np.round(np.clip(image, 0.0, 1.0) * 255).astype(np.uint8)
    picture = (
        Image.fromarray(pixels[0])
        if len(pixels) < 3
        else Image.fromarray(np.moveaxis(pixels[:3], 0, 2).copy())
    )
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
