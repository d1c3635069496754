"""Trained translators on disk: safetensors, a tokeniser, a configuration, and a card that is made from the record."""

import json
from pathlib import Path

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from reconstructing_transformer._data import book_folder, write_whole
from reconstructing_transformer.tracking.record import RunRecord
from reconstructing_transformer.translation.model import TranslationModel
from reconstructing_transformer.translation.tokeniser import Tokeniser, TokeniserError

WEIGHTS, CONFIG, CARD = "model.safetensors", "config.json", "README.md"
OUTPUT = "target_embedding.E"  # the same matrix as the source's: it is kept once


class PretrainedError(RuntimeError):
    """A folder holds no translator. The message names it, what is wrong, and what to do."""


class Config(BaseModel):
    """What must be known to make a model of its weights."""

    model_config = ConfigDict(extra="forbid")

    vocabulary: int
    target_tokens: int
    N: int
    d_model: int
    d_ff: int
    h: int
    norm_first: bool
    longest: int = Field(gt=0, description="Pieces of the longest source that it has learned from.")

    def build(self) -> TranslationModel:
        """Make the model, with fresh weights."""
        return TranslationModel(**self.model_dump(exclude={"longest"}), dropout=0.0)


def save_pretrained(
    model: TranslationModel, tokeniser: Tokeniser, config: Config, folder: Path, half: bool = False
) -> Path:
    """Write a translator's weights, tokeniser and configuration, each whole or not at all.

    Args:
        model: the translator.
        tokeniser: its own.
        config: its sizes.
        folder: made where it isn't there.
        half: whether the weights are kept in half precision, which takes half the room.

    Returns:
        The file of the weights.
    """
    tensors = {
        name: tensor.detach().cpu().to(torch.float16 if half else tensor.dtype).contiguous()
        for name, tensor in model.state_dict().items()
        if name != OUTPUT
    }
    write_whole(folder / WEIGHTS, save(tensors, metadata={"format": "pt"}))
    write_whole(folder / CONFIG, (config.model_dump_json(indent=2) + "\n").encode())
    tokeniser.save(folder)
    return folder / WEIGHTS


def load_pretrained(where: str | Path) -> tuple[TranslationModel, Tokeniser, Config]:
    """Load a trained translator, in evaluation mode, in single precision.

    Args:
        where: the name of a released model, or a folder that `save_pretrained` wrote.

    Returns:
        The model, its tokeniser and its configuration.

    Raises:
        PretrainedError: there is no translator, or its files don't fit together.
    """
    released = book_folder("models") / str(where)
    # A bare name is a released model's, whatever folder of that name lies where one happens to be.
    is_name = isinstance(where, str) and Path(where).name == where and (released / WEIGHTS).is_file()
    folder = Path(where) if Path(where).is_dir() and not is_name else released
    if not (folder / WEIGHTS).is_file():
        raise PretrainedError(f"{folder} has no {WEIGHTS}: name a released model, or a folder that a training wrote")
    try:
        config = Config.model_validate_json((folder / CONFIG).read_bytes())
        model = config.build()
        tokeniser = Tokeniser.load(folder)
        tensors = {name: tensor.float() for name, tensor in load_file(folder / WEIGHTS).items()}
    except (OSError, ValidationError, ValueError, SafetensorError, TokeniserError) as error:
        raise PretrainedError(f"{folder} holds no translator: {' '.join(str(error).split())}") from error
    wanted = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items() if name != OUTPUT}
    if wanted != {name: tuple(tensor.shape) for name, tensor in tensors.items()} or len(tokeniser) != len(
        model.source_embedding.E
    ):
        raise PretrainedError(f"the files in {folder} are not of one translator; take all of them from one run")
    model.load_state_dict(tensors, strict=False)
    return model.eval(), tokeniser, config


def model_card(record: RunRecord, licence: str, attribution: str) -> str:
    """A model card in the form that model hubs read, every number from the record.

    Args:
        record: of the run that made the weights.
        licence: of the weights, as model hubs call it.
        attribution: whom to name for the data.

    Returns:
        Markdown with a YAML header.
    """
    metrics = "\n".join(
        f"| {name} | {metric.value:.2f} | {metric.split} | {metric.definition} |"
        for name, metric in record.metrics.items()
    )
    settings = "\n".join(f"| {name} | {json.dumps(value)} |" for name, value in record.config.items())
    weights = f"Weights: `{kept.file}`, SHA-256 `{kept.sha256}`." if (kept := record.weights) else ""
    return f"""---
license: {licence}
language: [de, en]
pipeline_tag: translation
tags: [safetensors]
---

# {record.model}: German to English

A translator of “Reconstructing the Transformer”: {record.parameters:,} parameters, trained from fresh weights on
{record.dataset.splits["train"]:,} sentence pairs. {attribution}

```python
from reconstructing_transformer.translation import Translator

Translator.from_pretrained("{record.model}").translate(["Wie geht es dir?"])
```

## How good it is

| metric | value | measured on | definition |
|---|---|---|---|
{metrics}

It has read short sentences of everyday talk, and nothing else. It has no idea whether what it writes is true.

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
Code: commit `{record.commit or "unknown"}`.
"""
