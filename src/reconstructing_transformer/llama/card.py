"""What lies beside fine-tuned weights: a card that is made from the record, and a word on whose weights they adapt."""

import json
from pathlib import Path

from reconstructing_transformer._data import write_whole
from reconstructing_transformer.llama.sources import SMOLLM2, SMOLLM2_ON_THE_HUB
from reconstructing_transformer.tracking.record import RunRecord

CARD = "README.md"
ADAPTER = "adapter_config.json"


def describe(folder: Path, record: RunRecord) -> None:
    """Write the card, and name the adapted model so that others find it: peft writes the path that it had here.

    Args:
        folder: that a training wrote.
        record: of that training.
    """
    model = str(record.config["model"])
    model = SMOLLM2_ON_THE_HUB if model == SMOLLM2 else model
    adapter = folder / ADAPTER
    if adapter.is_file():
        told = json.loads(adapter.read_text(encoding="utf-8"))
        told["base_model_name_or_path"] = model
        write_whole(adapter, (json.dumps(told, indent=2) + "\n").encode())
    write_whole(folder / CARD, card(record, model).encode())


def card(record: RunRecord, model: str) -> str:
    """A model card in the form that model hubs read, every number from the record.

    Args:
        record: of the run that made the weights.
        model: the hub's id of the model that was fine-tuned.

    Returns:
        Markdown with a YAML header.
    """
    metrics = "\n".join(
        f"| {name} | {metric.value:.4f} | {metric.split} | {metric.definition} |"
        for name, metric in record.metrics.items()
    )
    settings = "\n".join(f"| {name} | {json.dumps(value)} |" for name, value in record.config.items())
    weights = f"Weights: `{kept.file}`, SHA-256 `{kept.sha256}`." if (kept := record.weights) else ""
    classes = ", ".join(str(label) for label in record.config["labels"])
    return f"""---
license: apache-2.0
base_model: {model}
library_name: peft
pipeline_tag: text-classification
tags: [lora, text-classification, safetensors]
---

# {record.model}

{model}, fine-tuned by {record.config["method"]} for “Reconstructing the Transformer”: {record.parameters:,} parameters
moved. It tells {len(record.config["labels"])} classes apart: {classes}.

```python
from reconstructing_transformer.llama.classify import TextClassifier

TextClassifier.from_pretrained("{record.model}")(["Who wrote Hamlet ?"])
```

## How good it is

| metric | value | measured on | definition |
|---|---|---|---|
{metrics}

Data: {record.dataset.name}; {record.dataset.splits["train"]:,} texts to learn from. English alone, and whatever it is
given gets one of these classes for an answer.

## How it was made

Run `{record.id}` of {record.started:%Y-%m-%d}, seed {record.seed}, {record.wall_seconds / 60:.1f} minutes on
{record.device.name}, beside other work:

```
{record.command}
```

| setting | value |
|---|---|
{settings}

{weights}
Code: commit `{record.commit or "unknown"}`.
"""
