"""The data behind a figure, as files that other programs read: tables as CSV, tensors with named axes as JSON."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from torch import Tensor

Label = str | int | float


@dataclass(frozen=True)
class LabelledTensor:
    """Numbers with a name for each axis and a label for each place on it.

    Args:
        values: the numbers.
        axes: name of each axis, in order, with its labels.
    """

    values: np.ndarray
    axes: dict[str, list[Label]]


Data = pd.DataFrame | LabelledTensor


def labelled(values: Tensor | np.ndarray | Sequence[Any], **axes: Sequence[Label]) -> LabelledTensor:
    """Name the axes of a tensor.

    Args:
        values: the numbers.
        **axes: the labels of each axis, by the axis's name, in the tensor's order.

    Returns:
        The tensor with its names.

    Raises:
        ValueError: the axes don't fit the tensor's shape.
    """
    array = values.detach().cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)
    sizes = tuple(len(labels) for labels in axes.values())
    if sizes != array.shape:
        named = ", ".join(f"{name} ({len(labels)} labels)" for name, labels in axes.items())
        raise ValueError(f"a tensor of shape {array.shape} needs one axis for each size in this order; got {named}")
    return LabelledTensor(array, {name: [_plain(label) for label in labels] for name, labels in axes.items()})


def _plain(value: Any) -> Any:  # noqa: ANN401
    """A Python number or string for a NumPy one; 32-bit numbers get the digits they have, no more."""
    if isinstance(value, np.float32 | np.float16):
        return float(str(value))
    return value.item() if isinstance(value, np.generic | Tensor) else value


def _nested(array: np.ndarray) -> Any:  # noqa: ANN401
    if array.ndim == 0:
        number = _plain(array[()])
        return number if not isinstance(number, float) or np.isfinite(number) else None  # JSON knows no NaN
    return [_nested(np.asarray(part)) for part in array]


def to_json(tensor: LabelledTensor) -> str:
    """Write a tensor as JSON: its axes with their labels, and its numbers, nested."""
    axes = [{"name": name, "labels": labels} for name, labels in tensor.axes.items()]
    return json.dumps({"axes": axes, "values": _nested(tensor.values)}, ensure_ascii=False) + "\n"


def to_csv(table: pd.DataFrame) -> str:
    """Write a table as CSV. The index is left out where it only counts the rows."""
    counts = isinstance(table.index, pd.RangeIndex) and table.index.name is None
    return table.to_csv(index=not counts, lineterminator="\n")


def data_files(name: str, data: Data | Mapping[str, Data]) -> dict[str, bytes]:
    """Write the data of a figure.

    Args:
        name: name of the figure; the files' names begin with it.
        data: a table, a labelled tensor, or several by name.

    Returns:
        Contents by file name: `name.csv` or `name.data.json`, or `name-part.csv` and so on.

    Raises:
        TypeError: it is neither.
    """
    if isinstance(data, Mapping):
        return {file: text for part, one in data.items() for file, text in data_files(f"{name}-{part}", one).items()}
    if isinstance(data, pd.DataFrame):
        return {f"{name}.csv": to_csv(data).encode()}
    if isinstance(data, LabelledTensor):
        return {f"{name}.data.json": to_json(data).encode()}
    raise TypeError(
        f"the data of a figure is a DataFrame, a tensor with named axes (`labelled(…)`), or a dictionary of these; "
        f"got {type(data).__name__}"
    )
