"""`reconstruct runs` makes records, shows them and freezes them."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from reconstructing_transformer import cli
from reconstructing_transformer.tracking import pull
from reconstructing_transformer.tracking.record import read_record, write_record
from reconstructing_transformer.tracking.table import result_table
from tests.tracking.conftest import FACTS, small_training

runner = CliRunner()


def runs(*arguments):
    return runner.invoke(cli.app, ["runs", *map(str, arguments)])


def words(text):
    return " ".join(text.split())


@pytest.fixture
def checkout(home):
    """A checkout, and we in it."""
    (home / "_toc.yml").touch()
    return home


@pytest.fixture
def trained(checkout, offline):
    """A checkout with a finished run's record; the record."""
    path, _ = offline
    record = read_record(path)
    write_record(record, checkout / "runs" / record.project)
    return record


def test_an_offline_run_is_imported(checkout, offline):
    path, folder = offline
    done = runs("import", folder)
    assert done.exit_code == 0, done.output
    kept = checkout / "runs" / "vision-transformer" / path.name
    assert words(done.stdout).replace(" ", "") == f"{kept}:finished"
    assert read_record(kept) == read_record(path)


def test_a_half_written_log_is_imported_as_far_as_it_goes(checkout, offline):
    path, folder = offline
    copy = shutil.copytree(folder, checkout / "copy")
    (log,) = copy.glob("*.wandb")
    log.write_bytes(log.read_bytes()[:-20])
    done = runs("import", log, "--folder", checkout / "there")
    assert done.exit_code == 0, done.output
    assert "the record holds what is whole: 3 rows of its history" in done.stderr
    assert read_record(checkout / "there" / "vision-transformer" / path.name).history == read_record(path).history


@pytest.mark.parametrize(
    ("content", "said"), [(b"not a log", "no W&B log"), (None, "No such file"), (b"", "the log ends before")]
)
def test_what_is_no_log_is_not_imported(checkout, content, said):
    if content is not None:
        (checkout / "run-a.wandb").write_bytes(content)
    done = runs("import", checkout / "run-a.wandb")
    assert done.exit_code == 2
    assert said in words(done.stderr)
    assert not (checkout / "runs").exists()


def test_a_project_is_pulled_without_the_runs_of_others(checkout, server):
    path = small_training(checkout / "elsewhere")
    server.new_run("theirs", "vision-transformer", state="finished")
    done = runs("pull", "me/vision-transformer")
    assert done.exit_code == 0, done.output
    assert read_record(checkout / "runs" / "vision-transformer" / path.name) == read_record(path)
    assert "left out: me/vision-transformer/theirs: not a run of this project" in words(done.stderr)


def test_a_project_with_nothing_of_ours_is_an_error(checkout, server):
    server.new_run("theirs", "vision-transformer", state="finished")
    done = runs("pull", "me/vision-transformer")
    assert done.exit_code == 2
    assert "no record was made; it has 1 runs" in words(done.stderr)


@pytest.mark.parametrize(
    ("project", "key", "said"),
    [
        ("me/nothing", None, "W&B has no project me/nothing"),
        ("nothing", None, "write ENTITY/PROJECT"),
        ("me/nothing", "9" * 40, "W&B refuses the key"),
    ],
)
def test_what_cannot_be_pulled_says_why(checkout, server, monkeypatch, project, key, said):
    if key:
        monkeypatch.setenv("WANDB_API_KEY", key)
    done = runs("pull", project)
    assert done.exit_code == 2
    assert said in words(done.stderr)


def test_without_network_nothing_is_pulled(checkout, monkeypatch):
    monkeypatch.setenv("WANDB_API_KEY", "0" * 40)
    monkeypatch.setattr(pull, "SECONDS", 1)
    done = runs("pull", "me/vision-transformer")
    assert done.exit_code == 2
    assert "W&B can't be reached" in words(done.stderr)


def test_runs_are_listed_with_how_they_ended(trained, checkout):
    here = checkout / "runs" / trained.project
    write_record(trained.model_copy(update={"id": "gone", "status": "running", "metrics": {}}), here)
    write_record(trained.model_copy(update={"id": "kept"}), checkout / "book" / "runs" / trained.project)
    done = runs("list")
    assert done.exit_code == 0, done.output
    lines = {line.split()[0]: words(line) for line in done.stdout.splitlines() if line.strip()}
    assert lines["vision-transformer"] == "vision-transformer"
    assert lines[trained.id] == f"{trained.id} finished accuracy 0.9931 runs"
    assert lines["gone"] == "gone interrupted runs"
    assert lines["kept"] == "kept finished accuracy 0.9931 book/runs"


def test_from_a_folder_of_the_checkout_the_same_runs_are_listed(trained, checkout, monkeypatch):
    (checkout / "book").mkdir()
    monkeypatch.chdir(checkout / "book")
    assert trained.id in runs("list").stdout


def test_a_record_is_shown_as_it_is_and_names_stay_text(trained):
    done = runs("show", trained.id)
    assert done.exit_code == 0
    shown = json.loads(done.stdout)
    assert shown == json.loads(trained.model_dump_json())
    assert shown["name"] == FACTS["name"] == "<script>alert('name')</script>"


def test_a_run_that_is_not_there_is_not_shown(trained):
    done = runs("show", trained.id + "x")
    assert done.exit_code == 2
    assert f"did you mean {trained.id}?" in words(done.stderr)


@pytest.mark.parametrize("form", ["text", "csv", "latex", "markdown"])
def test_the_table_is_what_the_records_hold(trained, form):
    done = runs("table", "vision-transformer", "--format", form)
    assert done.exit_code == 0, done.output
    assert done.stdout == getattr(result_table([trained]), form)()
    assert "0.9931" in done.stdout


def test_the_table_leaves_out_what_is_not_finished(trained, checkout):
    before = runs("table", "vision-transformer").stdout
    write_record(trained.model_copy(update={"id": "b", "status": "failed"}), checkout / "runs" / trained.project)
    assert runs("table", "vision-transformer").stdout == before


def test_a_project_without_runs_has_no_table(trained):
    done = runs("table", "machine-translation")
    assert done.exit_code == 2
    assert "“machine-translation” has no finished run; projects with records: vision-transformer" in words(done.stderr)


def test_a_broken_record_is_named(trained, checkout):
    (checkout / "runs" / trained.project / "broken.json").write_text("{}", encoding="utf-8")
    for command in (["list"], ["table", "vision-transformer"], ["show", "broken"]):
        done = runs(*command)
        assert done.exit_code == 2
        assert "broken.json: no run record" in words(done.stderr)


def test_finished_runs_are_frozen_for_the_book(trained, checkout):
    done = runs("freeze", trained.id)
    assert done.exit_code == 0, done.output
    assert read_record(checkout / "book" / "runs" / trained.project / trained.file_name) == trained


def test_unfinished_runs_are_not_frozen(trained, checkout):
    write_record(trained.model_copy(update={"id": "b", "status": "failed"}), checkout / "runs" / trained.project)
    done = runs("freeze", trained.id, "b")
    assert done.exit_code == 2
    assert "run b is failed; only finished runs can be frozen" in words(done.stderr)
    assert not (checkout / "book").exists()


def test_help_loads_nothing_slow():
    program = """
import sys
from reconstructing_transformer import cli
print(sorted({"torch", "wandb", "pandas", "transformers", "matplotlib"} & sys.modules.keys()))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
    assert Path(cli.__file__).name == "__init__.py"
