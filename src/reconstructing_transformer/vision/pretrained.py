"""Trained weights on disk: safetensors, a configuration, and a model card that is made from the run's record."""

import json
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import nn

from reconstructing_transformer._data import book_folder, write_whole
from reconstructing_transformer.tracking.record import RunRecord
from reconstructing_transformer.vision.recipe import Recipe
from reconstructing_transformer.vision.transforms import MEAN, STD
from reconstructing_transformer.vision.zoo import MODELS, build

WEIGHTS, CONFIG, CARD = "model.safetensors", "config.json", "README.md"


class PretrainedError(RuntimeError):
    """A folder holds no model of this part. The message names it, what is wrong, and what to do."""


class Config(BaseModel):
    """What must be known to make a model of its weights, and numbers of pixels."""

    model_config = ConfigDict(extra="forbid")

    model: str
    image_size: int = 28
    mean: float = MEAN
    std: float = STD


def save_pretrained(model: nn.Module, folder: Path, recipe: Recipe) -> Path:
    """Write a model's weights and configuration, each whole or not at all.

    Args:
        model: one of the five.
        folder: made where it isn't there.
        recipe: by which it was trained.

    Returns:
        The file of the weights.
    """
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    write_whole(folder / WEIGHTS, save(tensors, metadata={"format": "pt"}))
    write_whole(folder / CONFIG, (Config(model=recipe.model).model_dump_json(indent=2) + "\n").encode())
    return folder / WEIGHTS


def released(name: str) -> Path:
    """The folder of a model that was released with the book.

    Args:
        name: one of the five.

    Raises:
        PretrainedError: it is none of the five, or this installation has no released weights.
    """
    if name not in MODELS:
        raise PretrainedError(f"no model “{name}”; there are {', '.join(MODELS)}")
    folder = book_folder("models") / name
    if not (folder / WEIGHTS).is_file():
        raise PretrainedError(
            f"{name} was not released with this installation ({folder} has no {WEIGHTS}); train it first"
        )
    return folder


def from_pretrained(where: str | Path) -> nn.Module:
    """Load a trained model, in evaluation mode.

    Args:
        where: a folder that `save_pretrained` wrote, or the name of a released model.

    Returns:
        The model.

    Raises:
        PretrainedError: there is no model, or its files don't fit together.
    """
    # A bare name is a released model's, whatever folder of that name lies where one happens to be.
    is_name = isinstance(where, str) and where in MODELS
    folder = Path(where) if Path(where).is_dir() and not is_name else released(str(where))
    try:
        config = Config.model_validate_json((folder / CONFIG).read_bytes())
        model = build(config.model)
        tensors = load_file(folder / WEIGHTS)
    except (OSError, ValidationError, ValueError, SafetensorError) as error:
        raise PretrainedError(f"{folder} holds no model of this part: {' '.join(str(error).split())}") from error
    wanted = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    if wanted != {name: tuple(tensor.shape) for name, tensor in tensors.items()}:
        raise PretrainedError(
            f"the weights in {folder} are not those of a {config.model}; take both files from one run"
        )
    model.load_state_dict(tensors)
    return model.eval()


def model_card(record: RunRecord) -> str:
    """A model card in the form that model hubs read, every number from the record.

    Args:
        record: of the run that made the weights.

    Returns:
        Markdown with a YAML header.
    """
    metrics = "\n".join(
        f"| {name} | {metric.value:.4f} | {metric.split} | {metric.definition} |"
        for name, metric in record.metrics.items()
    )
    weights = f"Weights: `{kept.file}`, SHA-256 `{kept.sha256}`." if (kept := record.weights) else ""
    settings = "\n".join(f"| {name} | {json.dumps(value)} |" for name, value in record.config.items())
    return f"""---
license: mit
datasets: [mnist]
pipeline_tag: image-classification
tags: [vision, mnist, safetensors]
---

# {record.model}, MNIST

One of the models for MNIST of “Reconstructing the Transformer”: {record.parameters:,} parameters, trained from
fresh weights on {record.dataset.splits["train"]:,} digits. It reads 28 × 28 grey pixels, white ink on black, scaled
to 0…1 and normalised with mean {MEAN} and deviation {STD}, and returns ten logits.

```python
from reconstructing_transformer.vision import from_pretrained

model = from_pretrained("{record.model}")
```

## How good it is

| metric | value | measured on | definition |
|---|---|---|---|
{metrics}

It has seen single, centred, handwritten digits only. A picture of anything else gets one of ten digits
for an answer, too.

## How it was made

Run `{record.id}` of {record.started:%Y-%m-%d}, seed {record.seed}, {record.wall_seconds / 60:.1f} minutes on
{record.device.name}:

```
{record.command}
```

| setting | value |
|---|---|
{settings}

{weights}
Code: commit `{record.commit or "unknown"}`. MNIST is licensed CC BY-SA 3.0.
"""
