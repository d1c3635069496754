"""The folders that records lie in: `runs`, where trainings write them, and `book/runs`, where the book's are frozen."""

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from reconstructing_transformer._data import book_folder, digest, write_whole
from reconstructing_transformer.tracking.lock import is_training
from reconstructing_transformer.tracking.record import RecordError, RunRecord, read_record, read_records, write_record

RUNS, FROZEN = Path("runs"), Path("book/runs")


class StoreError(ValueError):
    """Records can't be found, kept or frozen as was asked. The message says which and why."""


class Stored(NamedTuple):
    """A record and its file."""

    record: RunRecord
    path: Path

    @property
    def state(self) -> str:
        """`finished`, `failed`, `running`, or `interrupted`: it says `running`, and no process here trains it."""
        if self.record.status == "running" and not is_training(self.record, self.path.parent):
            return "interrupted"
        return self.record.status


def checkout_root(start: Path) -> Path:
    """The checkout that a folder lies in.

    Args:
        start: the folder.

    Returns:
        The nearest folder above it that has the book's table of contents; the folder itself where none has.
    """
    return next((folder for folder in [start, *start.parents] if (folder / "_toc.yml").is_file()), start)


def book_records(project: str) -> list[RunRecord]:
    """The records that the book shows of a project: those of the checkout, else those that came with the package.

    Args:
        project: its name.

    Returns:
        The records, by model, seed and start.

    Raises:
        RecordError: a file in their folder is no record.
    """
    return [record for record in read_records(book_folder("runs")) if record.project == project]


def stored_records(folders: Sequence[Path]) -> list[Stored]:
    """Find all records.

    Args:
        folders: where to look, each with a folder a project. Of two records of one run the later folder's counts.

    Returns:
        The records, by project, model, seed and start.

    Raises:
        RecordError: a file in one of them is no record.
    """
    found = {}
    for folder in folders:
        for record in read_records(folder):
            found[record.project, record.id] = Stored(record, folder / record.project / record.file_name)
    return sorted(
        found.values(), key=lambda one: (one.record.project, one.record.model, one.record.seed, one.record.started)
    )


def find_record(run_id: str, folders: Sequence[Path]) -> Stored:
    """Find the record of a run.

    Args:
        run_id: the run's id.
        folders: where to look.

    Returns:
        It and its file.

    Raises:
        StoreError: there is none, or there are two projects with a run of that id.
        RecordError: the file is no record.
    """
    stored = {path: path.stem for folder in folders for path in sorted(folder.glob("*/*.json"))}
    paths = {path.parent.name: path for path, name in stored.items() if name == run_id}
    if len(paths) == 1:
        path = next(iter(paths.values()))
        return Stored(read_record(path), path)
    if paths:
        raise StoreError(f"{' and '.join(sorted(paths))} each have a run {run_id}; name one folder by --folder")
    where = ", ".join(str(folder) for folder in folders)
    near = difflib.get_close_matches(run_id, sorted(set(stored.values())), n=3, cutoff=0.4)
    raise StoreError(f"no run “{run_id}” in {where}" + (f"; did you mean {', '.join(near)}?" if near else ""))


def keep_record(record: RunRecord, folder: Path) -> Path:
    """Write a record that came from elsewhere.

    Args:
        record: the record.
        folder: it goes into its project's folder there.

    Returns:
        The file.

    Raises:
        StoreError: that would put less in the place of more: a finished run's record is there already and this one is
            not finished, or the run is being trained.
    """
    place = folder / record.project
    path = place / record.file_name
    try:
        present = read_record(path) if path.exists() else None
    except RecordError:
        present = None  # A broken file is what one imports a record again for.
    if present is not None and is_training(present, place):
        raise StoreError(f"{path}: the run is being trained; its record is written when it ends")
    if present is not None and present.status == "finished" and record.status != "finished":
        raise StoreError(f"{path} is kept: it is of the finished run, and this record says “{record.status}”")
    return write_record(record, place)


def freeze_records(run_ids: Sequence[str], folder: Path, frozen: Path) -> list[Path]:
    """Put finished runs' records where the book's tables are made from, all of them or none.

    Args:
        run_ids: the runs.
        folder: where their records lie, in their projects' folders.
        frozen: the book's folder.

    Returns:
        The files.

    Raises:
        StoreError: a run isn't there or isn't finished.
        RecordError: a file is no record.
    """
    found = [find_record(run_id, [folder]) for run_id in run_ids]
    for one in found:
        if one.state != "finished":
            raise StoreError(
                f"run {one.record.id} is {one.state}; only finished runs can be frozen. Nothing was frozen"
            )
    return [write_record(one.record, frozen / one.record.project) for one in found]


def release_weights(run_id: str, folder: Path, models: Path) -> Path:
    """Put the weights of a finished run where chapters and programs load them from, with configuration and card.

    Args:
        run_id: the run. What it left lies in the folder of its name beside its record.
        folder: where the records lie, in their projects' folders.
        models: the book's folder. The weights go into the folder of the run's model there, in place of older ones.

    Returns:
        The model's folder.

    Raises:
        StoreError: the run isn't there or isn't finished, or its weights are not those that its record names.
        RecordError: the file is no record.
    """
    stored = find_record(run_id, [folder])
    record, source = stored.record, stored.path.with_suffix("")
    if stored.state != "finished" or record.weights is None:
        raise StoreError(f"run {run_id} is {stored.state} and has no weights to release; nothing was released")
    weights = source / record.weights.file
    if not weights.is_file() or digest(weights.read_bytes(), "sha256") != f"sha256:{record.weights.sha256}":
        raise StoreError(f"{weights} is not there, or not what the record of {run_id} names; nothing was released")
    for path in sorted(path for path in source.iterdir() if path.is_file()):
        write_whole(models / record.model / path.name, path.read_bytes())
    return models / record.model
