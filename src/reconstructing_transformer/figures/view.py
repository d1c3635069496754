"""Attention weights that a reader explores in the page: what the page carries for `attention-view.js`, a byte a weight.

The page shows a static figure. Where the script runs, a view takes its place: all heads as a grid, one of them as a
map, lines from queries to keys, or the patches of an image.
"""

import base64
import io
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
from jaxtyping import Float
from PIL import Image
from torch import Tensor

CLASS_TOKEN = "class token"
ROUNDING = 1e-3  # how far a weight may lie outside 0..1: a softmax in half precision, or a product of several
NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")


@dataclass(frozen=True)
class Start:
    """What a view shows first: a head by row and column of the grid, and the query that is pinned, if one is."""

    row: int = 0
    column: int = 0
    query: int | None = None


@dataclass(frozen=True)
class PatchImage:
    """An image whose patches are the keys, row by row, after the class token where there is one.

    Args:
        png: the image.
        width: its width in pixels.
        height: its height in pixels.
        rows: patches from top to bottom.
        columns: patches from left to right.
        class_token: whether a class token stands before the patches.
    """

    png: bytes
    width: int
    height: int
    rows: int
    columns: int
    class_token: bool = True

    def tokens(self) -> list[str]:
        """Name the tokens: “class token”, “patch 1,1”, “patch 1,2”, … by row and column."""
        places = [(row, column) for row in range(1, self.rows + 1) for column in range(1, self.columns + 1)]
        return [CLASS_TOKEN] * self.class_token + [f"patch {row},{column}" for row, column in places]

    def _for_page(self) -> dict[str, Any]:
        source = f"data:image/png;base64,{base64.b64encode(self.png).decode()}"
        size = {"width": self.width, "height": self.height, "rows": self.rows, "columns": self.columns}
        return {"src": source, **size, "class_token": self.class_token}


def patch_image(pixels: Float[Tensor, "..."], patch: int | tuple[int, int], *, class_token: bool = True) -> PatchImage:
    """Make an image in patches out of its pixels.

    Args:
        pixels: brightness in 0..1, of shape (height, width), (1, height, width) or (3, height, width).
        patch: height and width of a patch in pixels, or one number for both.
        class_token: whether a class token stands before the patches.

    Returns:
        The image.

    Raises:
        ValueError: the pixels are no image, or the patches don't fill it.
    """
    channels = pixels.shape[0] if pixels.ndim == 3 else 1
    if pixels.ndim not in {2, 3} or channels not in {1, 3}:
        shapes = "(height, width), (1, height, width) or (3, height, width)"
        raise ValueError(f"an image has the shape {shapes}; got {tuple(pixels.shape)}")
    values = pixels.detach().cpu().double().numpy()
    values = np.moveaxis(values, 0, -1) if channels == 3 else values.reshape(values.shape[-2:])
    if not (np.isfinite(values).all() and values.min() >= 0 and values.max() <= 1):
        raise ValueError("the pixels of an image lie in 0..1; undo its normalisation first")
    height, width = values.shape[:2]
    down, right = (patch, patch) if isinstance(patch, int) else patch
    if min(down, right) < 1 or height % down or width % right:
        raise ValueError(f"patches of {down} × {right} pixels don't fill an image of {height} × {width}")
    buffer = io.BytesIO()
    Image.fromarray(np.rint(values * 255).astype(np.uint8)).save(buffer, "PNG", optimize=True)
    return PatchImage(buffer.getvalue(), width, height, height // down, width // right, class_token)


@dataclass(frozen=True)
class AttentionView:
    """Attention weights, ready for the page. `attention_view` makes it.

    Args:
        queries: what stands at the rows of a map.
        keys: what stands at the columns of a map.
        self_attention: whether queries and keys are the same tokens.
        rows: names of the grid's rows, layers say.
        columns: names of the grid's columns, heads say.
        weights: rows × columns × queries × keys, a byte each: 255 stands for a weight of one.
        rollout: queries × keys, a byte each, or None.
        image: the image whose patches are the keys, or None.
        start: what is shown first.
    """

    queries: tuple[str, ...]
    keys: tuple[str, ...]
    self_attention: bool
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    weights: bytes
    rollout: bytes | None = None
    image: PatchImage | None = None
    start: Start = Start()

    def to_json(self) -> str:
        """Write down what the script reads, on one line."""
        return json.dumps(
            {
                "queries": self.queries,
                "keys": self.keys,
                "self": self.self_attention,
                "rows": self.rows,
                "columns": self.columns,
                "weights": base64.b64encode(self.weights).decode(),
                "extra": [{"name": "rollout", "weights": base64.b64encode(self.rollout).decode()}]
                if self.rollout is not None
                else [],
                "start": {"row": self.start.row, "column": self.start.column, "query": self.start.query},
                "image": self.image and self.image._for_page(),
            },
            ensure_ascii=False,
            separators=(",", ":"),
        )

    def html(self, static: str, *, id: str, label: str) -> str:  # noqa: A002 (what it is called in the book)
        """Put the view around the static figure that stands in for it.

        Args:
            static: HTML of the static figure.
            id: name of the figure, unlike any other on the page: the element's id is `view-` and this name.
            label: what the view shows, for a screen reader.

        Returns:
            HTML of the element.

        Raises:
            ValueError: the id is no id, or the label is empty.
        """
        if not NAME.fullmatch(id):
            raise ValueError(f"the id of a view is of lower-case letters, digits and hyphens, `heads` say; got {id!r}")
        if not label.strip():
            raise ValueError("a view needs `label`: a sentence that says what it shows; an empty one was given")
        island = self.to_json().replace("<", r"\u003c")  # nothing in it can end the script element, or begin a comment
        return (
            f'<attention-view id="view-{id}" class="attention-view" role="group" aria-label="{escape(label)}">\n'
            f'<script type="application/json">{island}</script>\n'
            f'<div class="static-figure">{static}</div>\n'
            "</attention-view>"
        )


def _bytes(weights: Tensor, what: str) -> bytes:
    """A byte a weight, row-major."""
    values = weights.detach().cpu().double().numpy()
    if not np.isfinite(values).all():
        raise ValueError(f"{what} must be numbers; got NaN or infinity: is a whole row of the mask closed?")
    if values.min() < -ROUNDING or values.max() > 1 + ROUNDING:
        found = f"{values.min():.4g} to {values.max():.4g}"
        raise ValueError(f"{what} lie in 0..1; got {found}: pass what the softmax returned, not the scores")
    return np.rint(values.clip(0, 1) * 255).astype(np.uint8).tobytes()


def _names(given: Sequence[str] | None, count: int, what: str, default: str) -> tuple[str, ...]:
    """The names of the grid's rows or columns; a single one that nobody named needs no name."""
    if given is None:
        return tuple(f"{default} {i + 1}" for i in range(count)) if count > 1 else ("",)
    if len(given) != count:
        raise ValueError(f"the weights have {count} {what}; got {len(given)} names for them: {', '.join(given)}")
    return tuple(given)


def _check_tokens(shape: tuple[int, ...], queries: Sequence[str], keys: Sequence[str]) -> None:
    n, m = shape[-2:]
    if (n, m) != (len(queries), len(keys)):
        given = f"{len(queries)} queries and {len(keys)} keys"
        raise ValueError(f"weights of shape {shape} need {n} names of queries and {m} of keys; got {given}")


def _check_start(start: Start, layers: int, heads: int, n: int) -> None:
    if not (0 <= start.row < layers and 0 <= start.column < heads and (start.query is None or 0 <= start.query < n)):
        raise ValueError(f"a view of {layers} × {heads} heads and {n} queries cannot start with {start}")


def attention_view(
    weights: Float[Tensor, "..."],
    queries: Sequence[str] | None = None,
    keys: Sequence[str] | None = None,
    *,
    rows: Sequence[str] | None = None,
    columns: Sequence[str] | None = None,
    rollout: Float[Tensor, "..."] | None = None,
    image: PatchImage | None = None,
    start: Start = Start(),
) -> AttentionView:
    """Make a view of attention weights that a reader can explore.

    Args:
        weights: attention weights in 0..1, of shape (layers, heads, n, m), or (heads, n, m) for a single layer.
        queries: n tokens; with an image they are named by themselves.
        keys: m tokens; the queries themselves without it, as in self-attention.
        rows: a name for each layer; “layer 1”, “layer 2”, … without it, and none for a single one.
        columns: a name for each head; “head 1”, “head 2”, … without it, and none for a single one.
        rollout: attention rolled out over all layers, of shape (n, m), as one more head.
        image: the image whose patches are queries and keys (`patch_image`).
        start: what is shown first.

    Returns:
        The view. `html` puts it into a page.

    Raises:
        ValueError: the weights are no attention weights, or they don't fit the tokens, names, image or start.
    """
    shape = tuple(weights.shape)
    if weights.ndim not in {3, 4} or 0 in shape:
        raise ValueError(
            f"weights have the shape (layers, heads, n, m) or (heads, n, m); got {shape}: take one example"
        )
    layers, heads = (1, *shape[:-2])[-2:]
    if queries is None:
        if image is None:
            raise ValueError("a view needs `queries`, its tokens; only those of an image name themselves")
        queries = image.tokens()
    self_attention = keys is None
    keys = queries if keys is None else keys
    _check_tokens(shape, queries, keys)
    if image is not None and not len(queries) == len(keys) == len(image.tokens()):
        raise ValueError(f"an image of {len(image.tokens())} tokens needs as many queries and keys; got {shape[-2:]}")
    if rollout is not None and tuple(rollout.shape) != shape[-2:]:
        raise ValueError(f"the rollout has the shape of one head, {shape[-2:]}; got {tuple(rollout.shape)}")
    _check_start(start, layers, heads, shape[-2])
    return AttentionView(
        tuple(queries),
        tuple(keys),
        self_attention,
        _names(rows, layers, "layers", "layer"),
        _names(columns, heads, "heads", "head"),
        _bytes(weights, "weights"),
        None if rollout is None else _bytes(rollout, "weights of the rollout"),
        image,
        start,
    )
