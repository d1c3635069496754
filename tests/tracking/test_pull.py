"""W&B's server gives back the records of its runs, or a clear refusal."""

import pytest

from reconstructing_transformer.tracking import pull
from reconstructing_transformer.tracking.pull import PullError, pull_runs
from reconstructing_transformer.tracking.record import RecordError, read_record
from reconstructing_transformer.tracking.run import track
from reconstructing_transformer.tracking.wandb_record import record_of
from tests.tracking.conftest import FACTS, small_training

PROJECT = "me/vision-transformer"


def records(project=PROJECT):
    return [record_of(run) for run in pull_runs(project)]


def test_an_online_run_gives_the_record_that_the_training_wrote(server, home):
    path = small_training(home / "runs")
    (record,) = records()
    assert record == read_record(path)
    assert str(record.url).startswith(server.url)
    assert record.name == FACTS["name"]


def test_a_resumed_online_run_is_one_run_with_one_history(server, home):
    with pytest.raises(RuntimeError), track(**FACTS, folder=home / "runs", run_id="twice") as first:
        break_off(first)
    small_training(home / "runs", rows=5, run_id="twice", history=first.history[:2])
    assert len(server.runs["twice"]["rows"]) == 4 + 3
    (record,) = records()
    assert record == read_record(first.path)
    assert len(record.history) == 5


def break_off(run):
    for step in range(4):
        run.log({"loss": 10.0 + step}, step=step)
    raise RuntimeError("no memory left")


def test_a_long_history_comes_whole(server, home):
    path = small_training(home / "runs", rows=2500)
    (record,) = records()
    assert record.history == read_record(path).history
    assert len(record.history) == 2500


@pytest.mark.parametrize(
    ("state", "status", "error"),
    [("running", "running", None), ("crashed", "failed", "W&B: crashed"), ("killed", "failed", "W&B: killed")],
)
def test_what_the_training_could_not_say_of_its_end_is_what_wandb_says(server, home, state, status, error):
    run_id = small_training(home / "runs").stem
    server.runs[run_id]["state"] = state
    server.runs[run_id]["summary"]["run_record"] |= {"status": "running"}
    (record,) = records()
    assert (record.status, record.error) == (status, error)


def test_a_run_of_another_program_makes_no_record(server):
    server.new_run("theirs", "vision-transformer", config={"lr": {"value": 1e-3}}, state="finished")
    (run,) = pull_runs(PROJECT)
    with pytest.raises(RecordError, match="me/vision-transformer/theirs: not a run of this project"):
        record_of(run)


def test_what_was_changed_into_no_record_is_refused_by_name(server, home):
    run_id = small_training(home / "runs").stem
    server.runs[run_id]["config"]["run_record"]["value"]["parameters"] = "many"
    with pytest.raises(RecordError, match=f"{run_id}: no record can be made: parameters"):
        records()


def test_without_a_key_nothing_is_asked(server, monkeypatch):
    monkeypatch.delenv("WANDB_API_KEY")
    with pytest.raises(PullError, match="W&B has no key"):
        records()
    assert server.asked == []


def test_a_wrong_key_is_refused(server, monkeypatch):
    monkeypatch.setenv("WANDB_API_KEY", "9" * 40)
    with pytest.raises(PullError, match=r"W&B refuses the key: .*not logged in.*WANDB_API_KEY"):
        records()


@pytest.mark.parametrize("key", ["short", "not a key"])
def test_what_is_no_key_is_refused(server, monkeypatch, key):
    monkeypatch.setenv("WANDB_API_KEY", key)
    with pytest.raises(PullError, match="WANDB_API_KEY"):
        records()


def test_without_network_the_wait_is_short_and_said(monkeypatch):
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    monkeypatch.setattr(pull, "SECONDS", 1)
    with pytest.raises(PullError, match=r"W&B can't be reached: .*WANDB_BASE_URL"):
        records()


def test_a_project_that_is_not_there_is_said(server):
    with pytest.raises(PullError, match="W&B has no project me/nothing, or your key can't see it"):
        records("me/nothing")


@pytest.mark.parametrize("project", ["vision-transformer", "a/b/c", "/b", "a/", ""])
def test_what_names_no_project_is_said(project):
    with pytest.raises(PullError, match="write ENTITY/PROJECT"):
        records(project)
