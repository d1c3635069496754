"""A small task and a small model, for trainings that end within seconds."""

import pytest

from reconstructing_transformer.llama.sources import fetch
from reconstructing_transformer.llama.tasks import Examples, Task

WHO = ("Who wrote it ?", "Who was the first man on the moon ?", "Who invented the wheel ?", "Who is she ?")
HOW_MANY = ("How many are there ?", "How many people live in Rome ?", "How many legs has a spider ?", "How many ?")


def questions(times):
    texts, labels = WHO * times + HOW_MANY * times, (0,) * 4 * times + (1,) * 4 * times
    return Examples(texts, labels)


@pytest.fixture(autouse=True)
def no_wandb_at_home(monkeypatch, tmp_path):
    """W&B stays offline, and writes where the test writes."""
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")


@pytest.fixture
def task():
    """Two classes that the first word tells apart."""
    return Task(
        name="trec", labels=("HUM", "NUM"), train=questions(8), validation=questions(1), test=questions(1),
        checksums={"questions": "sha256:" + "0" * 64}, source="a test", licence="none",
    )  # fmt: skip


@pytest.fixture(scope="session")
def small_model():
    """stories260K: a real LLaMA of 260,032 parameters."""
    return str(fetch("stories260k"))
