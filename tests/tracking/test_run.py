"""A training leaves a record, however it ends and whatever W&B does."""

import json
import math
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from reconstructing_transformer.tracking import run as run_module
from reconstructing_transformer.tracking import wandb_session
from reconstructing_transformer.tracking.environment import code_commit, library_versions
from reconstructing_transformer.tracking.lock import RunError, is_training
from reconstructing_transformer.tracking.record import read_record, write_record
from reconstructing_transformer.tracking.run import track
from tests.tracking.conftest import FACTS, small_training

CHECKOUT = Path(__file__).parents[2]


def fail(folder, error):
    with track(**FACTS, folder=folder) as run:
        run.log({"loss": 3.0}, step=1)
        run.log({"loss": 2.0}, step=2)
        raise error


def failing_training(folder, error):
    """Track a training that ends by an error after two steps; return its record's file."""
    with pytest.raises(type(error)):
        fail(folder, error)
    (path,) = folder.glob("*/*.json")
    return path


def start(program, folder):
    """Run a program in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(program)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        cwd=folder, env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
    )  # fmt: skip


@pytest.fixture
def without_wandb(monkeypatch):
    """W&B switched off by the user: a record needs none."""
    monkeypatch.setenv("WANDB_MODE", "disabled")


def test_a_finished_training_says_all_that_must_be_known_of_it(offline):
    path, _ = offline
    record = read_record(path)
    assert path.relative_to(path.parents[1]) == Path("vision-transformer") / f"{record.id}.json"
    assert (record.status, record.error, record.url) == ("finished", None, None)
    for name in FACTS.keys() - {"tags"}:
        assert getattr(record, name) == FACTS[name]
    assert record.metrics["accuracy"].model_dump() == {
        "value": 0.9931, "definition": "torchmetrics MulticlassAccuracy, micro", "split": "test",
    }  # fmt: skip
    assert record.history[1] == {"step": 1, "loss": 0.25, "learning_rate": 0.1}
    assert record.weights.model_dump() == {
        "file": "model.safetensors", "bytes": 7,
        "sha256": "9a129038d9a00aed0cf6a7ea059ca50a813449061ab87848cf1a13eafdf33b2c",
    }  # fmt: skip
    assert record.versions == library_versions()
    assert record.started.tzinfo is not None
    assert 0 < record.wall_seconds < 60


def test_a_new_run_is_named_after_model_and_seed(without_wandb, home):
    ids = {small_training(home / "runs").stem for _ in range(2)}
    assert len(ids) == 2
    assert all(len(name) == len("deep-vit-seed1-") + 6 and name.startswith("deep-vit-seed1-") for name in ids)


def test_wandb_asks_nothing_says_nothing_and_leaves_the_users_folder_alone(home, capfd, monkeypatch):
    monkeypatch.setattr("sys.stdin", None)
    small_training(home / "elsewhere" / "runs")
    said = capfd.readouterr()
    assert (said.out, said.err) == ("", "")
    assert {path.name for path in home.iterdir()} <= {"elsewhere", "wandb-home"}
    assert list((home / "elsewhere" / "runs" / "wandb").glob("offline-run-*"))


def test_the_record_says_running_while_the_training_runs(without_wandb, home):
    with track(**FACTS, folder=home) as run:
        record = read_record(run.path)
        assert record.status == "running"
        assert is_training(record, run.path.parent)
    record = read_record(run.path)
    assert record.status == "finished"
    assert not is_training(record, run.path.parent)


@pytest.mark.parametrize(
    ("error", "said"),
    [(ValueError("loss is <b>NaN</b>"), "ValueError: loss is <b>NaN</b>"), (KeyboardInterrupt(), "KeyboardInterrupt")],
)
def test_a_training_that_fails_says_why_and_the_error_goes_on(home, error, said):
    path = failing_training(home, error)
    record = read_record(path)
    assert (record.status, record.error) == ("failed", said)
    assert record.history == ({"step": 1, "loss": 3.0}, {"step": 2, "loss": 2.0})


def test_a_killed_training_leaves_a_record_that_does_not_say_finished(home):
    program = """
        import sys, time
        from pathlib import Path
        from reconstructing_transformer.tracking import run as run_module
        from tests.tracking.conftest import FACTS
        run_module.REFRESH_SECONDS = 0.0
        with run_module.track(**FACTS, folder=Path("runs"), run_id="killed") as run:
            run.log({"loss": 0.5}, step=7)
            print("logged", flush=True)
            time.sleep(600)
    """
    path = home / "runs" / "vision-transformer" / "killed.json"
    with start(program, home) as process:
        assert process.stdout.readline() == "logged\n"
        assert is_training(read_record(path), path.parent)
        process.send_signal(signal.SIGKILL)
        process.wait()
    record = read_record(path)
    assert record.status == "running"
    assert record.history == ({"step": 7, "loss": 0.5},)
    assert not is_training(record, path.parent)


def test_two_trainings_cannot_have_one_id_at_the_same_time(without_wandb, home, monkeypatch):
    monkeypatch.setattr("reconstructing_transformer.tracking.lock.WAIT_SECONDS", 0.1)
    with track(**FACTS, folder=home, run_id="twin"):
        second = track(**FACTS, folder=home, run_id="twin")
        with pytest.raises(RunError, match="run twin is being trained by another process"), second:
            pytest.fail("two trainings write one record")
        with track(**FACTS, folder=home, run_id="sister"):
            pass


def test_a_finished_run_is_not_trained_again_under_its_id(without_wandb, home):
    path = small_training(home, run_id="done")
    before = path.read_bytes()
    with pytest.raises(RunError, match="run done is finished"), track(**FACTS, folder=home, run_id="done"):
        pytest.fail("a finished record was overwritten")
    assert path.read_bytes() == before


def test_a_resumed_training_keeps_its_start_its_history_and_its_time(without_wandb, home):
    path = failing_training(home, RuntimeError("no memory left"))
    first = read_record(path)
    with track(**FACTS, folder=home, run_id=first.id, history=first.history[:1], elapsed=100.0) as second:
        assert second.elapsed >= 100.0
        second.log({"loss": 2.5}, step=2)
    record = read_record(second.path)
    assert second.path == path
    assert record.started == first.started
    assert record.history == ({"step": 1, "loss": 3.0}, {"step": 2, "loss": 2.5})
    assert 100.0 <= record.wall_seconds < 160.0


def test_other_ranks_log_and_write_nothing(home):
    with track(**FACTS, folder=home / "runs", run_id="both", is_main=False) as run:
        run.log({"loss": 1.0}, step=1)
        run.measure("accuracy", 0.5, definition="any", split="test")
        run.keep(home / "no such file")
    assert not (home / "runs").exists()
    assert run.history == ({"step": 1, "loss": 1.0},)


def test_what_is_not_finite_stays_out_of_the_record_and_is_said_once(without_wandb, home, said):
    with track(**FACTS, folder=home) as run:
        for step in (1, 2):
            run.log({"loss": math.nan, "norm": 1.0}, step=step)
        with pytest.raises(ValueError, match="accuracy is nan"):
            run.measure("accuracy", math.nan, definition="any", split="test")
    assert read_record(run.path).history == ({"step": 1, "norm": 1.0}, {"step": 2, "norm": 1.0})
    assert said() == ["loss is nan at step 1; the record leaves such values out"]


@pytest.mark.parametrize("name", ["step", "run_record", "run_record_row", "_step"])
def test_names_that_are_taken_are_refused(without_wandb, home, name):
    with track(**FACTS, folder=home) as run:
        with pytest.raises(ValueError, match=f"no metric can be called “{name}”"):
            run.log({name: 1.0}, step=1)
        with pytest.raises(ValueError, match=f"no metric can be called “{name}”"):
            run.measure(name, 1.0, definition="any", split="test")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"config": {"folder": Path("data")}}, "the config must be plain JSON"),
        ({"config": {"rate": math.inf}}, "the config must be plain JSON"),
        ({"config": {"run_record": 1}}, "the config can't have a key “run_record”"),
        ({"project": "../outside"}, "project"),
        ({"run_id": "../outside"}, "id"),
    ],
)
def test_what_no_record_can_hold_is_refused_before_the_training(without_wandb, home, change, said):
    with pytest.raises(ValueError, match=said), track(**{**FACTS, **change}, folder=home / "runs"):
        pytest.fail("a training began that can't be recorded")
    assert not (home / "runs").exists()


# W&B fails -----------------------------------------------------------------------------------------------------------


class Unlucky:
    """A W&B run one of whose methods fails."""

    offline, disabled = True, False

    def __init__(self, failing):
        self.failing, self.called = failing, []
        self.summary = self
        self.settings = self
        self.sync_dir = "runs/wandb/offline-run"

    def __getattr__(self, name):
        def method(*_, **__):
            self.called.append(name)
            if name == self.failing:
                raise OSError(f"{name} does\nnot work")

        return method


@pytest.mark.parametrize(
    ("failing", "what"),
    [("log", "log a row"), ("update", "take the results"), ("log_artifact", "the weights"), ("finish", "everything")],
)
def test_wandb_may_fail_in_the_middle_and_the_record_is_whole(home, monkeypatch, said, failing, what):
    unlucky = Unlucky(failing)
    monkeypatch.setattr(wandb_session, "_open", lambda opening, mode: unlucky)
    record = read_record(small_training(home))
    assert record.status == "finished"
    assert len(record.history) == 3
    assert record.weights is not None
    (warning,) = said()
    assert what in warning
    assert f"OSError: {failing} does not work" in warning
    assert unlucky.called.count(failing) == 1
    assert unlucky.called[-1] == "finish"


def test_a_training_needs_no_wandb(home, monkeypatch, said):
    monkeypatch.setitem(sys.modules, "wandb", None)
    assert read_record(small_training(home)).status == "finished"
    (warning,) = said()
    assert "W&B failed to start; the training goes on without it" in warning


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="this system does not list a process's children")
def test_wandb_that_is_killed_takes_nothing_with_it(home):
    program = """
        import os, signal, time
        from pathlib import Path
        from reconstructing_transformer.tracking.run import track
        from tests.tracking.conftest import FACTS
        with track(**FACTS, folder=Path("runs"), run_id="lonely") as run:
            for child in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split():
                if b"wandb-core" in Path(f"/proc/{child}/cmdline").read_bytes():
                    os.kill(int(child), signal.SIGKILL)
                    print("killed")
            for step in range(100):
                run.log({"loss": 1.0}, step=step)
                time.sleep(0.005)
    """
    with start(program, home) as process:
        said = process.communicate(timeout=120)
    assert process.returncode == 0
    assert said[0] == "killed\n"
    assert said[1].count("W&B failed to log a row; the training goes on without it") == 1
    record = read_record(home / "runs" / "vision-transformer" / "lonely.json")
    assert record.status == "finished"
    assert len(record.history) == 100


def test_without_network_a_run_stays_offline_and_says_so(home, monkeypatch, said):
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    began = time.monotonic()
    record = read_record(small_training(home / "runs"))
    assert time.monotonic() - began < 30
    assert (record.status, record.url) == ("finished", None)
    (warning,) = said()
    assert "W&B can't open the run online; it stays offline" in warning
    assert "connection refused" in warning
    assert list((home / "runs" / "wandb").glob("offline-run-*"))


def test_the_wait_for_an_unreachable_server_is_bounded_and_the_user_may_choose_it(monkeypatch):
    assert "init_timeout" not in wandb_session._settings().model_fields_set  # The fixture has set WANDB_INIT_TIMEOUT.
    monkeypatch.delenv("WANDB_INIT_TIMEOUT")
    assert wandb_session._settings().init_timeout <= 30
    assert 0 < wandb_session._settings().finish_timeout <= 120


def test_online_is_not_asked_for_where_there_is_no_key(home, monkeypatch, said):
    monkeypatch.setenv("WANDB_MODE", "online")
    assert read_record(small_training(home / "runs")).status == "finished"
    (warning,) = said()
    assert "WANDB_MODE is online, but W&B has no key" in warning


@pytest.mark.parametrize("mode", ["disabled", "offline"])
def test_the_users_mode_counts_even_where_there_is_a_key(server, home, monkeypatch, mode):
    monkeypatch.setenv("WANDB_MODE", mode)
    small_training(home / "runs")
    assert server.runs == {}
    assert bool(list((home / "runs").glob("wandb/offline-run-*"))) == (mode == "offline")


def test_a_wrong_key_is_said_and_the_run_stays_offline(server, home, monkeypatch, said):
    monkeypatch.setenv("WANDB_API_KEY", "9" * 40)
    record = read_record(small_training(home / "runs"))
    assert (record.status, record.url) == ("finished", None)
    (warning,) = said()
    assert "it stays offline" in warning
    assert "user is not logged in" in warning


def test_with_a_key_a_run_is_online(server, home, said):
    path = small_training(home / "runs")
    record = read_record(path)
    assert said() == []
    run = server.runs[record.id]
    assert str(record.url) == f"{server.url}/me/vision-transformer/runs/{record.id}"
    assert (run["state"], run["name"], run["notes"], run["tags"]) == (
        "finished", FACTS["name"], FACTS["notes"], list(FACTS["tags"]),
    )  # fmt: skip
    assert run["config"]["learning_rate"]["value"] == 1e-3
    assert run["summary"]["accuracy"] == 0.9931
    assert [row["step"] for row in run["rows"]] == [0, 1, 2]
    (artifact,) = server.artifacts
    assert (artifact["artifactTypeName"], artifact["artifactCollectionName"]) == ("model", record.id)
    assert json.loads(artifact["metadata"])["sha256"] == record.weights.sha256


def test_a_failed_run_has_failed_at_wandb_too(server, home):
    path = failing_training(home / "runs", RuntimeError("no memory left"))
    assert server.runs[path.stem]["state"] == "failed"


# Where it ran --------------------------------------------------------------------------------------------------------


def git(folder, *arguments):
    subprocess.run(
        ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", *arguments],
        cwd=folder, check=True, capture_output=True,
    )  # fmt: skip


@pytest.fixture
def checkout(home):
    """A git repository with a package in `src`."""
    package = home / "checkout" / "src" / "package"
    package.mkdir(parents=True)
    (package / "code.py").write_text("1", encoding="utf-8")
    (home / "checkout" / "README").write_text("1", encoding="utf-8")
    git(home / "checkout", "init", "--quiet")
    git(home / "checkout", "add", ".")
    git(home / "checkout", "commit", "--quiet", "--message", "first")
    return package


def test_code_that_is_committed_has_a_commit(checkout):
    assert len(code_commit(checkout)) == 40
    (checkout.parents[1] / "README").write_text("2", encoding="utf-8")
    assert len(code_commit(checkout)) == 40


@pytest.mark.parametrize("file", ["code.py", "new.py"])
def test_code_that_is_not_committed_is_dirty(checkout, file):
    (checkout / file).write_text("2", encoding="utf-8")
    assert code_commit(checkout).endswith("-dirty")


def test_code_outside_a_checkout_of_its_own_has_no_commit(checkout, home):
    installed = checkout.parents[1] / "lib" / "package"
    installed.mkdir(parents=True)
    assert code_commit(installed) is None
    assert code_commit(home / "nowhere" / "src" / "package") is None


def test_versions_name_python_and_what_is_installed():
    versions = library_versions()
    assert versions["python"] == ".".join(map(str, sys.version_info[:3]))
    assert versions["torch"].startswith("2.")


def test_the_record_on_disk_is_never_old(without_wandb, home, monkeypatch):
    with track(**FACTS, folder=home) as run:
        run.log({"loss": 2.0}, step=1)
        assert read_record(run.path).history == ()
        monkeypatch.setattr(run_module, "REFRESH_SECONDS", 0.0)
        run.log({"loss": 1.0}, step=2)
        assert len(read_record(run.path).history) == 2


def test_a_broken_record_does_not_keep_a_training_from_going_on(without_wandb, home, said):
    path = small_training(home, run_id="again")
    write_record(read_record(path).model_copy(update={"status": "failed"}), path.parent)
    path.write_text("{", encoding="utf-8")
    small_training(home, run_id="again")
    assert read_record(path).status == "finished"
    (warning,) = said()
    assert "the earlier record of this run is replaced" in warning
