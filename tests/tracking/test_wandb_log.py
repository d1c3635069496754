"""W&B's offline folders give back the records of their runs."""

import shutil
import struct
import zlib

import pytest
from wandb.proto.wandb_internal_pb2 import Record

from reconstructing_transformer.tracking.record import RecordError, read_record
from reconstructing_transformer.tracking.run import track
from reconstructing_transformer.tracking.wandb_log import (
    BLOCK,
    BrokenLogError,
    NotALogError,
    read_chunks,
    read_offline_run,
)
from reconstructing_transformer.tracking.wandb_record import record_of
from tests.tracking.conftest import FACTS, small_training
from tests.tracking.wandb_home import forget


@pytest.fixture
def log(offline, tmp_path):
    """A copy of an offline run's log, in a folder that may be changed."""
    _, folder = offline
    copy = tmp_path / "copy" / folder.name
    shutil.copytree(folder, copy)
    (file,) = copy.glob("*.wandb")
    return file


def test_an_offline_run_gives_the_record_that_the_training_wrote(offline):
    path, folder = offline
    read = read_offline_run(folder)
    assert read.cut is None
    assert record_of(read.run) == read_record(path)


def test_the_folder_its_file_and_the_link_to_the_latest_run_are_the_same(offline):
    path, folder = offline
    (file,) = folder.glob("*.wandb")
    for place in (file, folder.parent / "latest-run"):
        assert record_of(read_offline_run(place).run) == read_record(path)


def test_names_and_notes_are_text(offline):
    _, folder = offline
    record = record_of(read_offline_run(folder).run)
    assert (record.name, record.notes, record.tags) == (FACTS["name"], FACTS["notes"], FACTS["tags"])


def test_a_failed_run_says_why(home):
    with pytest.raises(ValueError, match="bad luck"), track(**FACTS, folder=home / "runs") as run:
        raise ValueError("bad luck")
    forget()
    record = record_of(read_offline_run(home / "runs" / "wandb" / "latest-run").run)
    assert record == read_record(run.path)
    assert (record.status, record.error) == ("failed", "ValueError: bad luck")


def test_a_resumed_run_is_put_together_from_all_its_folders(home):
    with pytest.raises(RuntimeError), track(**FACTS, folder=home / "runs", run_id="twice") as first:
        break_off(first)
    forget()
    small_training(home / "runs", rows=5, run_id="twice", history=first.history[:2], elapsed=9.0)
    forget()
    folders = sorted((home / "runs" / "wandb").glob("offline-run-*"))
    assert len(folders) == 2
    for folder in folders:
        assert record_of(read_offline_run(folder).run) == read_record(first.path)
    assert len(read_record(first.path).history) == 5


def test_a_resumed_run_without_its_first_folder_is_refused(home):
    small_training(home / "runs", run_id="half", history=[{"step": 0, "loss": 9.0}])
    forget()
    with pytest.raises(RecordError, match="goes on at row 1, and 0 rows are there: the training was resumed"):
        record_of(read_offline_run(home / "runs" / "wandb" / "latest-run").run)


def break_off(run):
    for step in range(4):
        run.log({"loss": 10.0 + step}, step=step)
    raise RuntimeError("no memory left")


# Logs that are not whole ---------------------------------------------------------------------------------------------


def test_a_log_that_is_cut_gives_what_is_whole_wherever_it_is_cut(log):
    data = log.read_bytes()
    whole = read_chunks(log).records
    counts = []
    for length in [*range(0, len(data), 13), len(data) - 1]:
        log.write_bytes(data[:length])
        chunks = read_chunks(log)
        assert chunks.records == whole[: len(chunks.records)]
        counts.append(len(chunks.records))
    assert counts == sorted(counts)
    assert counts[-1] == len(whole) - 1


def test_a_cut_log_makes_a_record_that_does_not_say_finished(log):
    data = log.read_bytes()
    kinds = [Record.FromString(record).WhichOneof("record_type") for record in read_chunks(log).records]
    at_least = kinds.index("run") + 1
    seen = set()
    for length in [*range(0, len(data), 211), len(data) - 1]:
        log.write_bytes(data[:length])
        if len(read_chunks(log).records) < at_least:
            with pytest.raises(NotALogError, match="the log ends before it says which run it is of"):
                read_offline_run(log)
            continue
        read = read_offline_run(log)
        assert read.cut is not None
        record = record_of(read.run)
        seen.add((record.status, len(record.history)))
    assert {("running", rows) for rows in range(4)} <= seen  # A row a step, as far as the log goes,
    assert seen - {("running", rows) for rows in range(4)} <= {("finished", 3)}  # and at last what the training said.


def test_a_damaged_log_is_found_by_its_checksum(log):
    data = bytearray(log.read_bytes())
    data[len(data) // 2] ^= 1
    log.write_bytes(data)
    with pytest.raises(BrokenLogError, match=r"damaged at byte \d+"):
        read_offline_run(log)


def chunk(kind, data):
    return struct.pack("<IHB", zlib.crc32(data, zlib.crc32(bytes([kind]))), len(data), kind) + data


HEADER = b":W&B\xe1\xbe\x00"


@pytest.mark.parametrize("kinds", [(2, 1), (3,), (4,), (2, 2), (9,)])
def test_chunks_that_cannot_follow_each_other_are_damage(tmp_path, kinds):
    path = tmp_path / "run-a.wandb"
    path.write_bytes(HEADER + b"".join(chunk(kind, b"part") for kind in kinds))
    with pytest.raises(BrokenLogError, match="no chunk of kind"):
        read_chunks(path)


def test_a_record_over_several_blocks_is_put_together(tmp_path):
    record = bytes(range(256)) * 300
    path, data, rest, first = tmp_path / "run-a.wandb", HEADER, record, True
    while rest:
        room = BLOCK - len(data) % BLOCK - 7
        part, rest = rest[:room], rest[room:]
        data += chunk(2 if first else 3 if rest else 4, part)
        first = False
    data += chunk(1, b"short")
    data += chunk(1, b"x" * (BLOCK - len(data) % BLOCK - 7 - 3)) + bytes(3) + chunk(1, b"in the next block")
    path.write_bytes(data)
    read = read_chunks(path)
    assert not read.cut
    assert read.records[:2] == [record, b"short"]
    assert read.records[3] == b"in the next block"


def test_what_is_no_record_of_wandb_is_damage(tmp_path):
    path = tmp_path / "run-a.wandb"
    path.write_bytes(HEADER + chunk(1, b"\xff\xff\xff"))
    with pytest.raises(BrokenLogError, match="record 0 is none of W&B's"):
        read_offline_run(path)


@pytest.mark.parametrize("content", [b"no log at all", b"PK\x03\x04", b":W&B\x00\x00\x00"])
def test_another_file_is_no_log(tmp_path, content):
    path = tmp_path / "run-a.wandb"
    path.write_bytes(content)
    with pytest.raises(NotALogError, match="no W&B log; its first bytes are"):
        read_offline_run(path)


def test_a_folder_without_a_log_and_a_path_without_a_file_are_named(tmp_path):
    with pytest.raises(NotALogError, match=r"no \.wandb file is in it"):
        read_offline_run(tmp_path)
    with pytest.raises(NotALogError, match="No such file"):
        read_offline_run(tmp_path / "run-a.wandb")


def test_a_run_of_another_program_makes_no_record(tmp_path):
    record = Record()
    record.run.run_id = "abc"
    record.run.display_name = "theirs"
    path = tmp_path / "run-abc.wandb"
    path.write_bytes(HEADER + chunk(1, record.SerializeToString()))
    with pytest.raises(RecordError, match="not a run of this project: its W&B config has no “run_record”"):
        record_of(read_offline_run(path).run)
