"""A training, remembered: its W&B run and its record, from the first step to the last, whatever happens to it."""

import hashlib
import json
import logging
import math
import secrets
import string
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from reconstructing_transformer.tracking.environment import code_commit, library_versions
from reconstructing_transformer.tracking.lock import RunError, hold
from reconstructing_transformer.tracking.record import (
    Dataset,
    Device,
    Metric,
    RecordError,
    RunRecord,
    Weights,
    read_record,
    write_record,
)
from reconstructing_transformer.tracking.wandb_record import KEY, ROW, config_of, finite_row, summary_of
from reconstructing_transformer.tracking.wandb_session import Opening, WandbSession

logger = logging.getLogger(__name__)

REFRESH_SECONDS = 30.0  # While a training runs, its record on disk is never older than this.


def new_run_id(model: str, seed: int) -> str:
    """An id for a new run, `deep-vit-seed1-k3j9x2` say: readable, and unlike any other."""
    letters = "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(6))
    return f"{model}-seed{seed}-{letters}"


class Run:
    """A training under way. `track` makes it."""

    def __init__(
        self,
        record: RunRecord,
        folder: Path,
        history: Sequence[Mapping[str, float | int]],
        elapsed: float,
        is_main: bool,
    ) -> None:
        self._record = record
        self._folder = folder
        self._history = [finite_row(row) for row in history]
        self._elapsed_before = elapsed
        self._began = time.monotonic()
        self._refreshed = self._began
        self._metrics: dict[str, Metric] = {}
        self._weights: Weights | None = None
        self._wandb = WandbSession()
        self._warned: set[str] = set()
        self.is_main = is_main

    @property
    def id(self) -> str:
        """The run's id, in the record and at W&B."""
        return self._record.id

    @property
    def url(self) -> str | None:
        """The run's W&B page, where it is online."""
        return self._wandb.url

    @property
    def path(self) -> Path:
        """The record's file."""
        return self._folder / self._record.file_name

    @property
    def elapsed(self) -> float:
        """Seconds of work so far, those before a resumption included."""
        return self._elapsed_before + time.monotonic() - self._began

    @property
    def history(self) -> tuple[dict[str, float], ...]:
        """What was logged so far, in order."""
        return tuple(self._history)

    def log(self, metrics: Mapping[str, float | int], step: int) -> None:
        """Add a row to the history.

        Args:
            metrics: numbers by name. One that isn't finite goes to W&B as it is, and a record can't hold it.
            step: the optimiser's step that the numbers belong to.

        Raises:
            ValueError: a name is one that W&B or the record needs for itself.
        """
        for name in metrics:
            _check_name(name)
        row = {"step": step, **metrics}
        for name in {name for name, value in metrics.items() if not math.isfinite(value)} - self._warned:
            self._warned.add(name)
            if self.is_main:
                logger.warning("%s is %s at step %d; the record leaves such values out", name, metrics[name], step)
        place = len(self._history)
        self._history.append(finite_row(row))
        if self.is_main:
            self._wandb.log({**row, ROW: place})
            self._refresh()

    def measure(self, name: str, value: float, definition: str, split: str) -> None:
        """Set down a result.

        Args:
            name: the metric's name, `accuracy` say.
            value: what was measured.
            definition: exactly what was measured: library, averaging, signature.
            split: what it was measured on.

        Raises:
            ValueError: the value isn't finite, or the name is one that W&B or the record needs for itself.
        """
        _check_name(name)
        if not math.isfinite(value):
            raise ValueError(f"the metric {name} is {value}; a record holds finite numbers only")
        self._metrics[name] = Metric(value=float(value), definition=definition, split=split)

    def keep(self, path: Path) -> None:
        """Tie the weights to the run: their hash goes into the record, they themselves to W&B.

        Args:
            path: a safetensors file. It must stay where it is for `wandb sync` to send it later.

        Raises:
            OSError: the file can't be read.
        """
        if not self.is_main:
            return
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        self._weights = Weights(file=path.name, sha256=digest, bytes=path.stat().st_size)
        self._wandb.keep(path, name=self.id, metadata=self._weights.model_dump())

    def _as_record(self, status: str, error: str | None = None) -> RunRecord:
        now = {
            "status": status,
            "error": error,
            "url": self.url,
            "metrics": dict(self._metrics),
            "history": self.history,
            "wall_seconds": self.elapsed,
            "weights": self._weights,
        }
        return RunRecord.model_validate({**dict(self._record), **now})

    def _refresh(self) -> None:
        """Write the record as it stands, from time to time, so that a killed training leaves its history."""
        if time.monotonic() - self._refreshed < REFRESH_SECONDS:
            return
        try:
            write_record(self._as_record("running"), self._folder)
        except OSError as error:
            logger.warning("%s can't be written: %s", self.path, error)
        self._refreshed = time.monotonic()

    def _open(self) -> None:
        record = self._record
        opening = Opening(
            project=record.project,
            id=record.id,
            name=record.name,
            group=record.model,
            job_type="train",
            tags=record.tags,
            notes=record.notes,
            config=config_of(record),
            folder=self._folder.parent,
        )
        self._wandb.start(opening)
        self._wandb.summarise(summary_of(self._as_record("running")))
        self._began = time.monotonic()  # Waiting for W&B is no training.

    def _end(self, error: BaseException | None) -> None:
        """The record first: W&B may take its time, or fail."""
        status = "finished" if error is None else "failed"
        record = self._as_record(status, None if error is None else f"{type(error).__name__}: {error}".rstrip(": "))
        write_record(record, self._folder)
        self._wandb.summarise(summary_of(record))
        self._wandb.finish(exit_code=0 if error is None else 1)


def _check_name(name: str) -> None:
    if name in ("step", KEY, ROW) or name.startswith("_"):
        raise ValueError(f"no metric can be called “{name}”: “step”, “{KEY}”, “{ROW}” and “_…” are taken")


def _plain(config: Mapping[str, Any]) -> dict[str, Any]:
    """The config as JSON has it: lists for tuples, and nothing that JSON does not know."""
    if KEY in config:
        raise ValueError(f"the config can't have a key “{KEY}”: the record itself travels to W&B under it")
    try:
        return json.loads(json.dumps(dict(config), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise ValueError(f"the config must be plain JSON: {error}. Give paths as text, say") from error


def _earlier_start(path: Path) -> datetime | None:
    """When the run of that id first started, if it has a record.

    Raises:
        RunError: it is finished.
    """
    if not path.exists():
        return None
    try:
        record = read_record(path)
    except RecordError as error:
        logger.warning("the earlier record of this run is replaced: %s", error)
        return None
    if record.status == "finished":
        raise RunError(f"run {record.id} is finished ({path}). Train without its id, for a new run")
    return record.started


@contextmanager
def track(
    *,
    project: str,
    model: str,
    seed: int,
    command: str,
    parameters: int,
    config: Mapping[str, Any],
    dataset: Dataset,
    device: Device,
    folder: Path = Path("runs"),
    run_id: str | None = None,
    name: str | None = None,
    tags: Sequence[str] = (),
    notes: str = "",
    elapsed: float = 0.0,
    history: Sequence[Mapping[str, float | int]] = (),
    is_main: bool = True,
) -> Iterator[Run]:
    """Track a training: a W&B run around it, and a record of it.

    W&B is offline unless the user's own settings (`WANDB_MODE`, `WANDB_API_KEY`, `wandb login`) say otherwise, and
    whatever it does wrong becomes a warning. The record says `running` while the training runs (and ever after, if the
    process is killed), then `finished`, or `failed` and why.

    Args:
        project: the W&B project, and the record's folder.
        model: which of the project's models is trained.
        seed: its seed.
        command: the command that runs it again.
        parameters: how many the model has.
        config: everything that was chosen, as plain JSON.
        dataset: the data.
        device: what it runs on; see `describe_device`.
        folder: the record goes to `folder/project/ID.json`; W&B's own files lie beside, in `folder/wandb`, unless
            `WANDB_DIR` says otherwise.
        run_id: the id of a run that is resumed; a new one where None.
        name: the name that W&B shows; the id where None.
        tags: W&B tags.
        notes: W&B notes.
        elapsed: seconds that a resumed training has spent before.
        history: what a resumed training had logged up to its checkpoint.
        is_main: False in all processes but the first of a distributed training: they write and log nothing.

    Yields:
        The run.

    Raises:
        ValueError: the config is no plain JSON, or an argument can't be in a record.
        RunError: the run is finished, or another process trains it.
    """
    run_id = run_id or new_run_id(model, seed)
    record = RunRecord(
        project=project,
        id=run_id,
        name=name or run_id,
        status="running",
        tags=tuple(tags),
        notes=notes,
        command=command,
        model=model,
        parameters=parameters,
        seed=seed,
        config=_plain(config),
        dataset=dataset,
        metrics={},
        history=(),
        started=datetime.now(UTC),
        wall_seconds=elapsed,
        device=device,
        versions=library_versions(),
        commit=code_commit(),
    )
    place = folder / project
    if not is_main:
        yield Run(record, place, history, elapsed, is_main=False)
        return
    with hold(place, record.id):
        started = _earlier_start(place / record.file_name) or record.started
        run = Run(record.model_copy(update={"started": started}), place, history, elapsed, is_main=True)
        write_record(run._as_record("running"), place)
        try:
            run._open()
            yield run
        except BaseException as error:
            run._end(error)
            raise
        run._end(None)
