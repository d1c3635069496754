"""A W&B run that can't harm a training: whatever W&B does wrong becomes one warning."""

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from reconstructing_transformer.tracking.wandb_record import ROW

if TYPE_CHECKING:
    import wandb

logger = logging.getLogger(__name__)

INIT_SECONDS = 30.0  # A server that can't be reached holds a training up no longer than this,
FINISH_SECONDS = 120.0  # and a slow upload no longer than this; `wandb sync` sends the rest.
WITHOUT_SERVER = ("offline", "dryrun", "disabled")


class Opening(NamedTuple):
    """What W&B is told of a run at its start."""

    project: str
    id: str
    name: str
    group: str
    job_type: str
    tags: Sequence[str]
    notes: str
    config: Mapping[str, Any]
    folder: Path


def _said(error: Exception) -> str:
    """An error in one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())


def _settings(**settings: object) -> "wandb.Settings":
    """Our settings of W&B, each one only where the user has made no other choice by its environment variable."""
    import wandb

    ours = {"silent": True, "console": "off", "init_timeout": INIT_SECONDS, "finish_timeout": FINISH_SECONDS}
    free = {name: value for name, value in ours.items() if f"WANDB_{name.upper()}" not in os.environ}
    return wandb.Settings(finish_timeout_raises=True, **free, **settings)


def _mode() -> str:
    """Online where the user's settings say so or W&B finds a key; offline else. No question is asked."""
    import wandb

    asked = os.environ.get("WANDB_MODE")
    mode = asked or wandb.setup(settings=_settings()).settings.mode
    if mode in WITHOUT_SERVER or wandb.login(prompt=False, verify=False):
        return mode
    if asked:
        logger.warning("WANDB_MODE is %s, but W&B has no key: this run stays offline. Run `wandb login`.", asked)
    return "offline"


def _open(opening: Opening, mode: str) -> "wandb.Run":
    import wandb

    run = wandb.init(
        project=opening.project,
        id=opening.id,
        name=opening.name,
        group=opening.group,
        job_type=opening.job_type,
        tags=list(opening.tags),
        notes=opening.notes,
        config=dict(opening.config),
        dir=os.environ.get("WANDB_DIR") or str(opening.folder),
        mode=mode,
        resume="allow",
        reinit="create_new",  # A run that the user has open in the same process is left alone.
        settings=_settings(),
    )
    # The steps are ours: W&B's own count goes on after a resumption, where a training goes back to its checkpoint.
    for hidden in ("step", ROW):
        run.define_metric(hidden, hidden=True)
    run.define_metric("*", step_metric="step")
    return run


class WandbSession:
    """One run at W&B, from `start` to `finish`. No method raises because of W&B.

    The first failure is said once, as a warning; W&B is then left alone until `finish`.
    """

    def __init__(self) -> None:
        self._run: wandb.Run | None = None
        self._lost = False

    @property
    def url(self) -> str | None:
        """The run's page, where it is online."""
        return None if self._run is None or self._run.offline or self._run.disabled else self._run.url or None

    def start(self, opening: Opening) -> None:
        """Open the run: online or offline as the user's settings say, offline where online fails."""
        mode = "offline"
        try:
            mode = _mode()
            self._run = _open(opening, mode)
        except Exception as error:
            if isinstance(error, ImportError) or mode in WITHOUT_SERVER:
                self._give_up("start", error)
                return
            logger.warning("W&B can't open the run online; it stays offline. W&B said: %s", _said(error))
            self._attempt("start", lambda: self._reopen(opening))

    def _reopen(self, opening: Opening) -> None:
        import wandb

        if wandb.run is None:  # W&B's process takes the id for used; a new process does not know it. Nothing is open.
            wandb.teardown()
        self._run = _open(opening, "offline")

    def _give_up(self, what: str, error: Exception) -> None:
        self._lost = True
        logger.warning(
            "W&B failed to %s; the training goes on without it, and its record is kept. It said: %s",
            what,
            _said(error),
        )

    def _attempt(self, what: str, action: Callable[[], object]) -> None:
        if self._lost:
            return
        try:
            action()
        except Exception as error:
            self._give_up(what, error)

    def log(self, row: Mapping[str, float | int]) -> None:
        """Send a row of the history."""
        if self._run is not None:
            self._attempt("log a row", lambda: self._run.log(dict(row)))

    def summarise(self, summary: Mapping[str, Any]) -> None:
        """Send results."""
        if self._run is not None:
            self._attempt("take the results", lambda: self._run.summary.update(dict(summary)))

    def keep(self, path: Path, name: str, metadata: Mapping[str, Any]) -> None:
        """Send a model's weights, as an artifact."""
        if self._run is not None:
            self._attempt("take the weights", lambda: self._keep(path, name, metadata))

    def _keep(self, path: Path, name: str, metadata: Mapping[str, Any]) -> None:
        import wandb

        artifact = wandb.Artifact(name, type="model", metadata=dict(metadata))
        artifact.add_file(str(path), policy="immutable")  # No second copy of the weights in W&B's own folder.
        self._run.log_artifact(artifact)

    def finish(self, exit_code: int) -> None:
        """Close the run. This is tried even where W&B has failed before, so that it leaves no process behind."""
        if self._run is None:
            return
        try:
            self._run.finish(exit_code=exit_code)
        except Exception as error:
            if not self._lost:
                folder = Path(self._run.settings.sync_dir)
                self._give_up(f"take everything (try `wandb sync {folder}` later)", error)
