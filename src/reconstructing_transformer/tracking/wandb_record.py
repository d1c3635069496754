"""How a run record travels through W&B, and how it is made again from what W&B holds.

What is known of a run at its start lies under `run_record` in its W&B config, what is known at its end under
`run_record` in its W&B summary; the rest of the config is the user's own. Each row of the history says in
`run_record_row` which one it is: a training that was resumed from a checkpoint logs some rows a second time, and the
later ones count.
"""

import math
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Literal, NamedTuple

from pydantic import ValidationError

from reconstructing_transformer.tracking.record import RecordError, RunRecord

KEY = "run_record"
ROW = "run_record_row"
AT_START = {
    "schema_version", "project", "id", "command", "model", "parameters", "seed", "dataset", "device", "versions",
    "commit", "started",
}  # fmt: skip
AT_END = {"status", "error", "url", "metrics", "wall_seconds", "weights"}


class WandbRun(NamedTuple):
    """A run as W&B holds it, at its server or in a folder.

    Args:
        source: where it was found, for messages.
        name: its display name.
        status: what W&B itself knows about its end.
        error: what W&B itself says about its failure.
        url: its page.
        tags: its tags.
        notes: its notes.
        config: its config, W&B's own part included.
        summary: its summary.
        rows: its history, in the order of logging.
    """

    source: str
    name: str
    status: Literal["running", "finished", "failed"]
    error: str | None
    url: str | None
    tags: tuple[str, ...]
    notes: str
    config: Mapping[str, Any]
    summary: Mapping[str, Any]
    rows: Iterable[Mapping[str, Any]]


def config_of(record: RunRecord) -> dict[str, Any]:
    """What W&B's config holds of a record."""
    return {**record.config, KEY: record.model_dump(mode="json", include=AT_START)}


def summary_of(record: RunRecord) -> dict[str, Any]:
    """What W&B's summary holds of a record: its end, and each metric once more where W&B's own tables look for it."""
    metrics = {name: metric.value for name, metric in record.metrics.items()}
    return {**metrics, KEY: record.model_dump(mode="json", include=AT_END)}


def finite_row(row: Mapping[str, Any]) -> dict[str, float]:
    """A row as a record keeps it: by name, W&B's own keys and what is no finite number left out."""
    kept = {}
    for key in sorted(row, key=lambda key: (key != "step", key)):
        value = row[key]
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if number and math.isfinite(value) and key != ROW and not key.startswith("_"):
            kept[key] = float(value)
    return kept


def joined_history(rows: Iterable[Mapping[str, Any]], source: str) -> tuple[dict[str, float], ...]:
    """Put the rows together that one or more parts of a training logged.

    Args:
        rows: the rows, in the order of logging.
        source: where they were found, for the message.

    Returns:
        The history: a row that was logged again stands once, as it was logged last, and ends what was before.

    Raises:
        RecordError: rows are missing, because the training was resumed and its first part isn't there.
    """
    history: list[dict[str, float]] = []
    for row in rows:
        if ROW not in row:
            continue
        place = int(row[ROW])
        if place > len(history):
            raise RecordError(
                f"{source}: the history goes on at row {place}, and {len(history)} rows are there: the training was "
                "resumed, and an earlier part of it is missing. Put all W&B folders of an offline run side by side."
            )
        history[place:] = [finite_row(row)]
    return tuple(history)


def record_of(run: WandbRun) -> RunRecord:
    """Make the record of a run from what W&B holds.

    Args:
        run: the run.

    Returns:
        The record. Its status is what W&B knows where the training itself could not say how it ended.

    Raises:
        RecordError: the run was not made by this project's `track`, so that much of what a record must hold is nowhere;
            or what W&B holds was changed into something that is no record.
    """
    start, end = run.config.get(KEY), run.summary.get(KEY) or {}
    if not isinstance(start, Mapping) or not isinstance(end, Mapping):
        raise RecordError(
            f"{run.source}: not a run of this project: its W&B config has no “{KEY}”, so nobody knows its command, "
            "seed, parameters, data, device and versions. Only runs that `reconstruct train` made can become records."
        )
    facts = {**start, **{key: value for key, value in end.items() if key in AT_END}}
    ended = facts.get("status") in ("finished", "failed")
    facts.setdefault("wall_seconds", run.summary.get("_runtime", 0.0))
    facts.setdefault("metrics", {})
    facts |= {
        "name": run.name or str(start.get("id", "")),
        "status": facts["status"] if ended else run.status,
        "error": facts.get("error") if ended else run.error,
        "url": run.url or facts.get("url"),
        "tags": run.tags,
        "notes": run.notes,
        "config": {key: value for key, value in run.config.items() if key not in (KEY, "_wandb")},
        "history": joined_history(run.rows, run.source),
    }
    if isinstance(facts.get("started"), str):
        facts["started"] = _moment(facts["started"])
    try:
        return RunRecord.model_validate(facts)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise RecordError(f"{run.source}: no record can be made: {place}: {first['msg']}") from error


def _moment(text: str) -> datetime | str:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return text
