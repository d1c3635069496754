"""The run record: all that must be known about a training, in one JSON file that anyone can read and check."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import (
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    HttpUrl,
    JsonValue,
    ValidationError,
)

Slug = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class RecordError(ValueError):
    """A file is no run record. The message names the file, the field, what came and what to do."""


class Strict(BaseModel):
    """A part of a record: unknown fields are an error, and nothing changes after it was made."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Metric(Strict):
    """A measured number, and exactly what was measured."""

    value: FiniteFloat
    definition: str = Field(min_length=1, description="Exact definition: library, averaging, signature.")
    split: str = Field(min_length=1, description="What it was measured on: `test`, `validation`.")


class Dataset(Strict):
    """The data of a training."""

    name: str = Field(min_length=1)
    checksums: dict[str, str] = Field(min_length=1, description="`algorithm:digest` of each file.")
    splits: dict[str, int] = Field(description="Number of examples in each split, as used.")


class Device(Strict):
    """What the training ran on."""

    kind: str = Field(description="`cpu`, `cuda`, `mps`.")
    name: str = Field(description="The processor's or accelerator's name.")
    processes: int = Field(ge=1, description="Processes that trained side by side.")
    threads: int = Field(ge=1, description="Threads that PyTorch used in each process.")
    precision: str = Field(description="`no`, `fp16` or `bf16`: accelerate's mixed precision.")


class Weights(Strict):
    """The weights that the training left."""

    file: str = Field(min_length=1, description="Name of the safetensors file.")
    sha256: Sha256
    bytes: int = Field(ge=1)


class RunRecord(Strict):
    """One training run, from its command to its last metric."""

    schema_version: Literal[1] = 1
    project: Slug
    id: Slug
    name: str = Field(min_length=1, description="The name that W&B shows. Text, never markup.")
    status: Literal["running", "finished", "failed"]
    error: str | None = Field(default=None, description="Why it failed.")
    url: HttpUrl | None = Field(default=None, description="The run's W&B page, where it was online.")
    tags: tuple[str, ...] = ()
    notes: str = ""
    command: str = Field(min_length=1, description="The command that runs it again.")
    model: Slug = Field(description="Which of the project's models was trained: a row of the result table.")
    parameters: int = Field(ge=0)
    seed: int
    config: dict[str, JsonValue]
    dataset: Dataset
    metrics: dict[str, Metric]
    history: tuple[dict[str, FiniteFloat], ...] = Field(description="What was logged, in order; `step` is in each.")
    started: AwareDatetime
    wall_seconds: float = Field(ge=0, description="Time spent in training and evaluation, over all resumptions.")
    device: Device
    versions: dict[str, str] = Field(description="Versions of Python and of the libraries that matter.")
    commit: str | None = Field(default=None, description="The git commit, `-dirty` at its end where files differed.")
    weights: Weights | None = None

    @property
    def file_name(self) -> str:
        """Name of the record's file in its project's folder."""
        return f"{self.id}.json"


def write_record(record: RunRecord, folder: Path) -> Path:
    """Write a record into a folder, whole or not at all.

    Args:
        record: what to write.
        folder: made where it isn't there.

    Returns:
        The file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / record.file_name
    temporary = path.with_suffix(".json.tmp")
    temporary.write_text(record.model_dump_json(indent=1) + "\n", encoding="utf-8")
    temporary.replace(path)
    return path


def read_record(path: Path) -> RunRecord:
    """Read a record.

    Args:
        path: a file that `write_record` wrote.

    Returns:
        The record.

    Raises:
        RecordError: the file can't be read or holds no record, or its name is not that of its run.
    """
    try:
        record = RunRecord.model_validate_json(path.read_bytes())
    except OSError as error:
        raise RecordError(f"{path}: the run record can't be read: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the file"
        raise RecordError(
            f"{path}: no run record: {place}: {first['msg']}. Import it again, or take it from version control."
        ) from error
    if path.name != record.file_name:
        raise RecordError(f"{path}: the record in it is of run {record.id}; its file must be called {record.file_name}")
    return record


def read_records(folder: Path) -> list[RunRecord]:
    """Read all records of a folder that has a folder a project, as `book/runs` has.

    Args:
        folder: where the projects' folders are. Empty where it isn't there.

    Returns:
        The records, by project, model, seed and start.

    Raises:
        RecordError: a file is no record, or lies in the folder of another project.
    """
    records = []
    for path in folder.glob("*/*.json"):
        record = read_record(path)
        if record.project != path.parent.name:
            raise RecordError(f"{path}: the record in it is of project {record.project}; it must lie in that folder")
        records.append(record)
    return sorted(records, key=lambda record: (record.project, record.model, record.seed, record.started))
