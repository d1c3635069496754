"""One process a run: who trains holds the run's lock, and a killed process holds none."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from reconstructing_transformer.tracking.record import RunRecord

WAIT_SECONDS = 2.0  # `reconstruct runs list` tries a lock for a moment; a second training holds it for hours.


class RunError(RuntimeError):
    """A training can't be tracked: another process trains the run, or it is finished."""


def _lock(folder: Path, run_id: str) -> FileLock:
    return FileLock(folder / f".{run_id}.lock")


def is_training(record: RunRecord, folder: Path) -> bool:
    """Whether the process that writes a record is alive, on this machine.

    Args:
        record: a record.
        folder: the folder that its file lies in.

    Returns:
        True while a training holds the record's lock.
    """
    lock = _lock(folder, record.id)
    if record.status != "running" or not Path(lock.lock_file).exists():
        return False
    try:
        with lock.acquire(timeout=0):
            return False
    except Timeout:
        return True


@contextmanager
def hold(folder: Path, run_id: str) -> Iterator[None]:
    """Hold a run's lock.

    Args:
        folder: the folder of the run's record; made where it isn't there.
        run_id: the run.

    Raises:
        RunError: another process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = _lock(folder, run_id)
    try:
        lock.acquire(timeout=WAIT_SECONDS)
    except Timeout as error:
        raise RunError(
            f"run {run_id} is being trained by another process. Wait for it, or train without its id, for a new run"
        ) from error
    try:
        yield
    finally:
        lock.release()
