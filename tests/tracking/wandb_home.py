"""W&B in a test: no settings, key or cache of whoever runs the tests, and nothing that leaves this machine."""

import os
import sys
from pathlib import Path

import pytest

KEY = "0123456789" * 4


def isolate(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Give W&B a home of its own, and start its library anew at its next use."""
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    for name in ("CONFIG_DIR", "CACHE_DIR", "DATA_DIR", "ARTIFACT_DIR"):
        monkeypatch.setenv(f"WANDB_{name}", str(folder / "wandb-home"))
    monkeypatch.setenv("NETRC", str(folder / "netrc"))
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")  # Whoever goes online by mistake arrives nowhere,
    monkeypatch.setenv("WANDB_INIT_TIMEOUT", "2")  # and soon.
    forget()


def forget() -> None:
    """Let W&B's library forget the settings that it has read, and its process write all that it still holds."""
    if sys.modules.get("wandb"):
        sys.modules["wandb"].teardown()
