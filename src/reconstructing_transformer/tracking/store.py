"""The folders that records lie in: `runs`, where trainings write them, and `book/runs`, where the book's are frozen."""

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

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
