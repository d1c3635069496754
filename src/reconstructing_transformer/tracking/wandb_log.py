"""Runs from W&B's offline folders: its `.wandb` files, read without W&B's server.

The format is W&B's own and nowhere documented: seven bytes of header, then LevelDB's log format (blocks of 32 KiB,
chunks with checksum, length and kind; a record that does not fit is cut into several chunks), each record a protocol
buffer. W&B writes such a file for an online run too.
"""

import json
import re
import struct
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from reconstructing_transformer.tracking.wandb_record import WandbRun

if TYPE_CHECKING:
    from wandb.proto.wandb_internal_pb2 import Record, RunRecord

BLOCK, FILE_HEADER, CHUNK_HEADER = 32768, 7, 7
HEADER = b":W&B" + struct.pack("<H", 0xBEE1)  # A byte with the format's version follows.
FULL, FIRST, MIDDLE, LAST = 1, 2, 3, 4


class LogError(ValueError):
    """A W&B log can't be read."""


class NotALogError(LogError):
    """The file or folder is no W&B log."""


class BrokenLogError(LogError):
    """The log was altered or damaged after it was written."""


class Chunks(NamedTuple):
    """What a log file holds.

    Args:
        records: its whole records, as bytes.
        cut: whether the file ends within a record.
    """

    records: list[bytes]
    cut: bool


class OfflineRun(NamedTuple):
    """A run that was read from its log.

    Args:
        run: the run.
        cut: why the log is not whole, where it isn't: the training was killed, or still goes on.
    """

    run: WandbRun
    cut: str | None


def read_chunks(path: Path) -> Chunks:
    """Read a log file's records, as many as are whole.

    Args:
        path: a `.wandb` file.

    Returns:
        The records, and whether the last one is cut.

    Raises:
        NotALogError: the file can't be read, or does not begin as a log does.
        BrokenLogError: a checksum does not fit, or chunks follow each other that can't.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise NotALogError(f"{path}: the W&B log can't be read: {error.strerror}") from error
    if not data.startswith(HEADER[: len(data)]):
        raise NotALogError(f"{path}: no W&B log; its first bytes are {data[:FILE_HEADER]!r}")
    records, begun, at = [], None, FILE_HEADER
    while at < len(data):
        left = BLOCK - at % BLOCK
        if left < CHUNK_HEADER:  # No header fits into the rest of this block: it is filled with zeros.
            at += left
            continue
        if at + CHUNK_HEADER > len(data):
            return Chunks(records, cut=True)
        checksum, size, kind = struct.unpack_from("<IHB", data, at)
        chunk = data[at + CHUNK_HEADER : at + CHUNK_HEADER + size]
        if len(chunk) < size or (checksum, size, kind) == (0, 0, 0):
            return Chunks(records, cut=True)
        if zlib.crc32(chunk, zlib.crc32(bytes([kind]))) != checksum:
            raise BrokenLogError(f"{path}: damaged at byte {at}: the checksum does not fit. Take another copy of it")
        if kind not in (FULL, FIRST, MIDDLE, LAST) or (kind in (FULL, FIRST)) != (begun is None):
            raise BrokenLogError(f"{path}: damaged at byte {at}: no chunk of kind {kind} can stand there")
        begun = chunk if begun is None else begun + chunk
        if kind in (FULL, LAST):
            records.append(begun)
            begun = None
        at += CHUNK_HEADER + size
    return Chunks(records, cut=begun is not None)


def _items(items: Iterable[Any]) -> dict[str, Any]:
    return {".".join(item.nested_key) or item.key: json.loads(item.value_json) for item in items}


class _Gathered:
    """What the records of one or more logs of a run say, together."""

    def __init__(self) -> None:
        self.run: RunRecord | None = None
        self.config: dict[str, Any] = {}
        self.summary: dict[str, Any] = {}
        self.rows: list[dict[str, Any]] = []
        self.exit_code: int | None = None

    def take(self, record: "Record") -> None:
        match record.WhichOneof("record_type"):
            case "run":
                self.run = record.run
                self.exit_code = None
                self.config |= _items(record.run.config.update)
            case "config":
                self.config |= _items(record.config.update)
            case "summary":
                self.summary |= _items(record.summary.update)
            case "history":
                self.rows.append(_items(record.history.item))
            case "exit":
                self.exit_code = record.exit.exit_code


def _log_of(path: Path) -> Path:
    """The `.wandb` file of a folder, or the file itself.

    Raises:
        NotALogError: there is none, or there are several.
    """
    if not path.is_dir():
        return path
    logs = sorted(path.glob("run-*.wandb"))
    if len(logs) != 1:
        found = f"{len(logs)} .wandb files are" if logs else "no .wandb file is"
        raise NotALogError(f"{path}: no folder of one W&B run: {found} in it. Name one, runs/wandb/offline-run-… say")
    return logs[0]


def _parts(log: Path) -> list[Path]:
    """The logs of one run, in order: a resumed training has a folder for each of its parts, side by side."""
    folder = re.fullmatch(r"((?:offline-)?run)-(\d{8}_\d{6})-(.+?)(?:-(\d+))?", log.parent.name)
    if folder is None or not log.is_file():
        return [log]
    siblings = (path / log.name for path in log.parent.parent.iterdir() if re.match(r"(offline-)?run-\d", path.name))
    return sorted((path for path in siblings if path.is_file()), key=_moment)


def _moment(log: Path) -> tuple[str, int]:
    """When a folder was made; W&B counts those of one second at the end of their names."""
    run_id = log.stem.removeprefix("run-")
    stamp, _, rest = log.parent.name.removeprefix("offline-").removeprefix("run-").partition("-")
    count = rest.removeprefix(run_id).removeprefix("-")
    return stamp, int(count) if count.isdigit() else 0


def read_offline_run(path: Path) -> OfflineRun:
    """Read a run from W&B's folder of it, and from those of its resumptions beside.

    Args:
        path: W&B's folder of the run, `runs/wandb/offline-run-…` say, or the `.wandb` file in it.

    Returns:
        The run, and whether its log is whole.

    Raises:
        NotALogError: there is no log at the path, or none of a run.
        BrokenLogError: a log is damaged.
    """
    from google.protobuf.message import DecodeError
    from wandb.proto.wandb_internal_pb2 import Record

    log = _log_of(path).resolve()  # `latest-run` is a link, and has no neighbours.
    gathered, cut = _Gathered(), False
    for part in _parts(log):
        chunks = read_chunks(part)
        cut = chunks.cut
        for number, record in enumerate(chunks.records):
            try:
                gathered.take(Record.FromString(record))
            except (DecodeError, ValueError) as error:
                raise BrokenLogError(f"{part}: record {number} is none of W&B's: {error}") from error
    run, code = gathered.run, gathered.exit_code
    if run is None:
        raise NotALogError(f"{log}: the log ends before it says which run it is of; nothing can be made from it")
    ended = "running" if code is None else "failed" if code else "finished"
    read = WandbRun(
        source=str(path),
        name=run.display_name or run.run_id,
        status=ended,
        error=f"W&B: exit code {code}" if code else None,
        url=None,
        tags=tuple(run.tags),
        notes=run.notes,
        config=gathered.config,
        summary=gathered.summary,
        rows=gathered.rows,
    )
    if cut:
        return OfflineRun(read, "the log ends within a record")
    return OfflineRun(read, None if code is not None else "the log does not say how the run ended")
