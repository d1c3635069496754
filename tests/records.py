"""Run records for tests: as a training would have written them, with numbers that nobody has measured."""

from datetime import UTC, datetime
from typing import Any

from reconstructing_transformer.tracking.record import RunRecord

PROJECT = "toy-vision"
DEFINITION = "torchmetrics MulticlassAccuracy, micro average"
FACTS: dict[str, Any] = {
    "project": PROJECT,
    "status": "finished",
    "command": "reconstruct train toy --model small --seed 1",
    "dataset": {
        "name": "Toys",
        "checksums": {"train-images.gz": "md5:f68b3c2dcbeaaa9fbdd348bbdeb94873"},
        "splits": {"train": 55_000, "validation": 5_000, "test": 10_000},
    },
    "started": datetime(2026, 11, 22, 12, 0, tzinfo=UTC),
    "device": {"kind": "cpu", "name": "Toy CPU", "processes": 1, "threads": 2, "precision": "no"},
    "versions": {"python": "3.11.9", "torch": "2.7.0"},
    "commit": "0123456789abcdef0123456789abcdef01234567",
}


def curves(steps: int = 6) -> list[dict[str, float]]:
    """A history as one logs it: a loss at each step, an accuracy at some."""
    rows: list[dict[str, float]] = []
    for step in range(steps):
        row = {"step": float(step), "train/loss": 2.3 / (step + 1), "learning rate": 0.001}
        if step % 2:
            row |= {"validation/loss": 2.0 / (step + 1), "validation/accuracy": 1 - 0.5 / (step + 1)}
        rows.append(row)
    return rows


def a_record(model: str = "small", seed: int = 1, accuracy: float = 0.97, **facts: Any) -> RunRecord:
    """A record of a finished run; `facts` replace what is said of it."""
    metrics = {
        "accuracy": {"value": accuracy, "definition": DEFINITION, "split": "test"},
        "f1": {
            "value": accuracy - 0.001,
            "definition": "torchmetrics MulticlassF1Score, macro average",
            "split": "test",
        },
    }
    own = {
        "id": f"{model}-{seed}",
        "name": f"{model} {seed}",
        "model": model,
        "seed": seed,
        "parameters": {"small": 1_234, "deep": 56_789}.get(model, 10),
        "config": {"epochs": 8, "learning_rate": 0.0015, "seed": seed},
        "metrics": metrics,
        "history": curves(),
        "wall_seconds": 100.0 + seed,
    }
    return RunRecord.model_validate(FACTS | own | facts)


def three_seeds() -> list[RunRecord]:
    """Two models, three seeds each."""
    small = [a_record("small", seed, value) for seed, value in ((1, 0.97), (2, 0.972), (3, 0.974))]
    deep = [
        a_record("deep", seed, value, wall_seconds=4_000.0) for seed, value in ((1, 0.99), (2, 0.9904), (3, 0.9912))
    ]
    return [*small, *deep]


PUBLISHED = """toy-vision:
  source: README of the toys
  metrics:
    accuracy: {label: Accuracy}
    f1: {label: F1}
  models:
    small:
      label: Small toy
      published: {parameters: 1234, metrics: {accuracy: 0.95, f1: 0.949}, seconds: 185, epochs: 30, device: GPU}
    deep: {label: Deep toy}
"""
