"""A small training to be tracked, and a W&B server of our own."""

import logging
import os

import pytest

from reconstructing_transformer.tracking.record import Dataset, Device
from reconstructing_transformer.tracking.run import track
from tests.tracking.wandb_home import KEY, forget, isolate
from tests.tracking.wandb_server import StandIn

FACTS = {
    "project": "vision-transformer",
    "model": "deep-vit",
    "seed": 1,
    "command": "reconstruct train vision --model deep-vit --seed 1",
    "parameters": 502_346,
    "config": {"learning_rate": 1e-3, "betas": [0.9, 0.98], "schedule": {"warm_up": 100, "name": "cosine"}},
    "dataset": Dataset(name="MNIST", checksums={"train.gz": "md5:0"}, splits={"train": 55_000, "test": 10_000}),
    "device": Device(kind="cpu", name="a processor", processes=1, threads=1, precision="no"),
    "tags": ("<b>first</b>",),
    "notes": "<script>alert('notes')</script>",
    "name": "<script>alert('name')</script>",
}


def small_training(folder, rows=3, **changes):
    """Track a training of a few steps, which has weights and a result; return its record's file."""
    weights = folder / "model.safetensors"
    folder.mkdir(parents=True, exist_ok=True)
    weights.write_bytes(b"weights")
    with track(**{**FACTS, "folder": folder, **changes}) as run:
        for step in range(len(run.history), rows):
            run.log({"loss": 1 / (step + 3), "learning_rate": 0.1 * step}, step=step)
        run.measure("accuracy", 0.9931, definition="torchmetrics MulticlassAccuracy, micro", split="test")
        run.keep(weights)
    return run.path


@pytest.fixture
def said(caplog):
    """A function that gives the warnings that were said, W&B's own log left out."""
    caplog.set_level(logging.WARNING)
    ours = "reconstructing_transformer"
    return lambda: [record.getMessage() for record in caplog.records if record.name.startswith(ours)]


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """W&B with no one's settings, in an empty folder."""
    isolate(monkeypatch, tmp_path)
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    forget()


@pytest.fixture
def server(home, monkeypatch):
    """A W&B server on this machine, and a user who has its key."""
    server = StandIn(KEY)
    monkeypatch.setenv("WANDB_BASE_URL", server.url)
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    monkeypatch.setenv("WANDB_INIT_TIMEOUT", "20")
    yield server
    forget()
    server.close()


@pytest.fixture(scope="module")
def offline(tmp_path_factory):
    """An offline run: its record's file, and W&B's folder of it."""
    folder = tmp_path_factory.mktemp("offline")
    with pytest.MonkeyPatch.context() as monkeypatch:
        isolate(monkeypatch, folder)
        path = small_training(folder / "runs")
        assert "WANDB_MODE" not in os.environ
        forget()
    (logs,) = (folder / "runs" / "wandb").glob("offline-run-*")
    return path, logs
