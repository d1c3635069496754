"""Runs from W&B's server, through its public API."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NoReturn

from reconstructing_transformer.tracking.wandb_record import WandbRun

if TYPE_CHECKING:
    import wandb

SECONDS = 20  # W&B's API is asked for no longer than this, a question.


class PullError(RuntimeError):
    """W&B's server does not give what it was asked for. The message says what to do."""


def _refuse(what: str, error: Exception) -> NoReturn:
    """Say what W&B's error means."""
    said = " ".join(str(error).split())
    if ("verify credentials" in said or "API_KEY invalid" in said) and not _is_network(said):
        raise PullError(
            f"W&B refuses the key: {said}. Look at WANDB_API_KEY, or run `wandb login --relogin`"
        ) from error
    if _is_network(said):
        raise PullError(f"W&B can't be reached: {said}. Look at the network, and at WANDB_BASE_URL") from error
    raise PullError(f"{what} can't be read at W&B: {said}") from error


def _is_network(said: str) -> bool:
    words = ("did not respond", "connection refused", "timed out", "timeout", "deadline", "no such host", "dial tcp")
    return any(word in said.lower() for word in words)


def _api() -> "wandb.Api":
    import wandb

    try:
        wandb.setup(settings=wandb.Settings(silent=True))
        api = wandb.Api(timeout=SECONDS) if wandb.login(prompt=False, verify=False) else None
    except Exception as error:
        _refuse("the account", error)
    if api is None:
        raise PullError("W&B has no key, and its API needs one: set WANDB_API_KEY, or run `wandb login`")
    return api


def pull_runs(project: str) -> Iterator[WandbRun]:
    """Read all runs of a project at W&B.

    Args:
        project: `ENTITY/PROJECT`, as in the address of its page.

    Yields:
        The runs, oldest first. A run's history is fetched when it is read.

    Raises:
        PullError: the project's name is none, W&B has no key or refuses it, can't be reached, or has no such project.
    """
    parts = project.split("/")
    if len(parts) != 2 or not all(parts):
        raise PullError(
            f"“{project}” names no project; write ENTITY/PROJECT, as in its address: wandb.ai/ENTITY/PROJECT"
        )
    runs = iter(_api().runs(project, lazy=False))
    while True:
        try:
            run = next(runs, None)
            read = None if run is None else _as_read(run)
        except ValueError as error:
            raise PullError(f"W&B has no project {project}, or your key can't see it. Look at its address") from error
        except Exception as error:
            _refuse(project, error)
        if read is None:
            return
        yield read


def _as_read(run: "wandb.apis.public.Run") -> WandbRun:
    ended = run.state in ("finished", "failed", "crashed", "killed", "preempted")
    finished = run.state == "finished"
    return WandbRun(
        source="/".join(run.path),
        name=run.name or run.id,
        status="finished" if finished else "failed" if ended else "running",
        error=f"W&B: {run.state}" if ended and not finished else None,
        url=run.url,
        tags=tuple(run.tags or ()),
        notes=run.notes or "",
        config=run.config,
        summary=run.summary_metrics,
        rows=_rows(run),
    )


def _rows(run: "wandb.apis.public.Run") -> Iterator[dict[str, Any]]:
    try:
        yield from run.scan_history(use_cache=False)
    except Exception as error:
        _refuse(f"the history of {run.id}", error)
