"""Figures are saved where a test may save them."""

import pytest


@pytest.fixture(autouse=True)
def saved(tmp_path, monkeypatch):
    """The folder that figures are saved in."""
    monkeypatch.setenv("RECONSTRUCT_FIGURES", str(tmp_path / "saved"))
    return tmp_path / "saved"
