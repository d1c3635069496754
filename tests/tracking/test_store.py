"""Records are found, kept and frozen, and nothing takes the place of something better."""

import hashlib

import pytest

from reconstructing_transformer.tracking import store
from reconstructing_transformer.tracking.lock import hold
from reconstructing_transformer.tracking.record import RecordError, Weights, read_record, write_record
from reconstructing_transformer.tracking.store import (
    StoreError,
    book_records,
    checkout_root,
    find_record,
    freeze_records,
    keep_record,
    release_weights,
    stored_records,
)


@pytest.fixture
def finished(offline):
    return read_record(offline[0])


@pytest.fixture
def folders(home):
    return [home / "runs", home / "book" / "runs"]


def put(record, folder, **changes):
    """Write a record with some changes."""
    changed = record.model_copy(update=changes)
    return write_record(changed, folder / changed.project)


def test_records_of_both_folders_are_found_in_order(finished, folders):
    put(finished, folders[0], id="b", seed=2)
    put(finished, folders[1], id="a", seed=1)
    put(finished, folders[0], id="c", project="another")
    assert [one.record.id for one in stored_records(folders)] == ["c", "a", "b"]


def test_what_is_frozen_counts(finished, folders):
    put(finished, folders[0], id="a", notes="in runs")
    frozen = put(finished, folders[1], id="a", notes="frozen")
    assert [one.record.notes for one in stored_records(folders)] == ["frozen"]
    assert find_record("a", folders).path == frozen


def test_folders_that_are_not_there_are_empty(folders):
    assert stored_records(folders) == []


def test_files_of_wandb_beside_are_no_records(offline):
    path, _ = offline
    assert [one.path for one in stored_records([path.parents[1]])] == [path]


def test_a_run_that_is_not_there_has_neighbours(finished, folders):
    put(finished, folders[0], id="deep-vit-seed1-abcdef")
    with pytest.raises(StoreError, match=r"no run “deep-vit-seed1-abcdeg” .*did you mean deep-vit-seed1-abcdef"):
        find_record("deep-vit-seed1-abcdeg", folders)


def test_two_projects_with_one_id_are_told_apart_by_their_folder(finished, folders):
    put(finished, folders[0], id="a")
    put(finished, folders[1], id="a", project="another")
    with pytest.raises(StoreError, match="another and vision-transformer each have a run a"):
        find_record("a", folders)
    assert find_record("a", folders[:1]).record.project == "vision-transformer"


def test_a_run_that_nobody_trains_is_interrupted(finished, folders):
    put(finished, folders[0], id="a", status="running")
    (one,) = stored_records(folders)
    assert one.state == "interrupted"
    with hold(one.path.parent, "a"):
        assert one.state == "running"
    assert one.state == "interrupted"


def test_an_unfinished_record_does_not_replace_a_finished_one(finished, folders):
    path = put(finished, folders[0])
    for status in ("running", "failed"):
        with pytest.raises(StoreError, match=f"is kept: it is of the finished run, and this record says “{status}”"):
            keep_record(finished.model_copy(update={"status": status}), folders[0])
    assert read_record(path) == finished


def test_a_finished_record_replaces_any_but_one_that_is_being_written(finished, folders):
    path = put(finished, folders[0], status="running")
    with hold(path.parent, finished.id), pytest.raises(StoreError, match="the run is being trained"):
        keep_record(finished, folders[0])
    assert keep_record(finished, folders[0]) == path
    assert read_record(path) == finished
    path.write_text("{}", encoding="utf-8")
    keep_record(finished, folders[0])
    assert read_record(path) == finished


def test_frozen_records_are_those_of_the_training(finished, folders):
    put(finished, folders[0], id="a")
    put(finished, folders[0], id="b")
    paths = freeze_records(["a", "b"], *folders)
    assert paths == [folders[1] / finished.project / f"{name}.json" for name in "ab"]
    assert [read_record(path).id for path in paths] == ["a", "b"]


@pytest.mark.parametrize(("status", "state"), [("running", "interrupted"), ("failed", "failed")])
def test_unfinished_runs_are_not_frozen_and_neither_is_what_was_named_with_them(finished, folders, status, state):
    put(finished, folders[0], id="a")
    put(finished, folders[0], id="b", status=status)
    with pytest.raises(StoreError, match=f"run b is {state}; only finished runs can be frozen"):
        freeze_records(["a", "b"], *folders)
    assert not folders[1].exists()


def test_a_record_that_is_none_is_not_frozen(finished, folders):
    path = put(finished, folders[0])
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace('"seed": 1', '"seed": "one"'), encoding="utf-8")
    with pytest.raises(RecordError, match="seed"):
        freeze_records([finished.id], *folders)
    assert not folders[1].exists()


@pytest.fixture
def weighty(finished, folders):
    """A finished run with its folder of weights, configuration and card."""
    content = b"weights"
    weights = Weights(file="model.safetensors", sha256=hashlib.sha256(content).hexdigest(), bytes=len(content))
    path = put(finished, folders[0], id="w", model="tiny", weights=weights)
    path.with_suffix("").mkdir()
    for name, text in {"model.safetensors": content, "config.json": b"{}", "README.md": b"# Card"}.items():
        (path.with_suffix("") / name).write_bytes(text)
    return path


def test_weights_are_released_with_configuration_and_card(weighty, folders, tmp_path):
    folder = release_weights("w", folders[0], tmp_path / "models")
    assert folder == tmp_path / "models" / "tiny"
    assert sorted(path.name for path in folder.iterdir()) == ["README.md", "config.json", "model.safetensors"]
    assert (folder / "model.safetensors").read_bytes() == b"weights"


def test_weights_that_are_not_those_of_the_record_are_not_released(weighty, finished, folders, tmp_path):
    (weighty.with_suffix("") / "model.safetensors").write_bytes(b"others")
    with pytest.raises(StoreError, match="not what the record of w names; nothing was released"):
        release_weights("w", folders[0], tmp_path / "models")
    put(finished, folders[0], id="bare", weights=None)
    with pytest.raises(StoreError, match="bare is finished and has no weights"):
        release_weights("bare", folders[0], tmp_path / "models")
    assert not (tmp_path / "models").exists()


def test_the_book_reads_its_own_records_of_one_project(finished, folders, monkeypatch):
    monkeypatch.setattr(store, "book_folder", lambda name: folders[1].parent / name)
    put(finished, folders[1], id="a", seed=2)
    put(finished, folders[1], id="b", seed=1)
    put(finished, folders[1], id="c", project="another")
    assert [record.id for record in book_records(finished.project)] == ["b", "a"]


def test_a_checkout_is_found_from_within(home):
    (home / "_toc.yml").touch()
    (home / "book" / "vision").mkdir(parents=True)
    assert checkout_root(home / "book" / "vision") == home
    outside = home.parent
    assert checkout_root(outside) == outside
