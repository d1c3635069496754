"""`reconstruct train vision`, `evaluate vision` and `classify` do what they say, and say what they can't do."""

import json
import os
import subprocess
import sys

import pytest
from PIL import Image
from typer.testing import CliRunner

from reconstructing_transformer import cli
from reconstructing_transformer.tracking.record import read_record
from reconstructing_transformer.tracking.store import book_records
from reconstructing_transformer.vision import load_mnist
from reconstructing_transformer.vision.data import DataError
from tests.tracking.wandb_home import isolate

runner = CliRunner()


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """Ten digits of the test set, one of each kind, as PNG files."""
    folder, test = tmp_path_factory.mktemp("digits"), load_mnist().test
    for label in range(10):
        index = int((test.labels == label).nonzero()[3])
        Image.fromarray(test.images[index, 0].numpy()).save(folder / f"{label}.png")
    return folder


@pytest.mark.parametrize("label", range(10))
def test_a_digit_gets_its_label(digits, label):
    done = runner.invoke(cli.app, ["classify", str(digits / f"{label}.png")])
    assert (done.exit_code, done.stdout) == (0, f"{label}\n"), done.stderr


def test_all_probabilities_can_be_had(digits):
    done = runner.invoke(cli.app, ["classify", str(digits / "7.png"), "--model", "feed-forward", "--json"])
    said = json.loads(done.stdout)
    assert said["digit"] == 7
    assert len(said["probabilities"]) == 10
    assert sum(said["probabilities"]) == pytest.approx(1, abs=1e-5)


@pytest.fixture
def no_pictures(tmp_path):
    """What people hand over by mistake, with a word of the answer that each should get."""
    (tmp_path / "text.txt").write_text("seven", encoding="utf-8")
    (tmp_path / "empty.png").touch()
    Image.new("1", (10_000, 10_000)).save(tmp_path / "huge.png")
    return {
        tmp_path / "text.txt": "is no picture",
        tmp_path / "empty.png": "is empty",
        tmp_path / "huge.png": "10,000 × 10,000 pixels",
        tmp_path / "missing.png": "no such file",
    }


def test_what_is_no_picture_is_named_and_the_exit_code_is_2(no_pictures):
    for path, words in no_pictures.items():
        done = runner.invoke(cli.app, ["classify", str(path)])
        assert done.exit_code == 2
        assert words in done.stderr
        assert path.name in done.stderr
        assert done.stdout == ""


def test_outside_of_tests_the_errors_are_as_short(no_pictures):
    """In a process of its own, where warnings and tracebacks would be seen."""
    for path in no_pictures:
        command = [sys.executable, "-m", "reconstructing_transformer", "classify", str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 2
        assert done.stderr.startswith("error ")
        assert len(done.stderr.strip().splitlines()) == 1, done.stderr


def test_a_model_that_is_not_there_is_named(digits):
    done = runner.invoke(cli.app, ["classify", str(digits / "7.png"), "--model", "resnet"])
    assert done.exit_code == 2
    assert "no model “resnet”; there are small-vit" in done.stderr


@pytest.mark.parametrize("model", ["feed-forward", "cnn"])
def test_released_weights_reach_what_their_record_says(model):
    done = runner.invoke(cli.app, ["evaluate", "vision", model, "--json"])
    (record,) = [one for one in book_records("vision-transformer") if (one.model, one.seed) == (model, 1)]
    found = json.loads(done.stdout)
    assert found == {name: pytest.approx(record.metrics[name].value, abs=3e-4) for name in ("accuracy", "f1")}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "resnet"], "no model “resnet”; there are small-vit"),
        (["--epochs", "0"], "--epochs"),
        (["--dropout", "1"], "--dropout"),
        (["--precision", "fp8"], "--precision"),
        (["--examples", "10"], "10 images don't fill one batch of 64"),
        (["--resume"], "no interrupted training"),
    ],
)
def test_a_recipe_that_cannot_be_is_refused(arguments, message, tmp_path):
    done = runner.invoke(cli.app, ["train", "vision", *arguments, "--runs", str(tmp_path)])
    assert done.exit_code == 2
    assert message in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_training_says_what_it_measured_and_where_everything_is(tmp_path, monkeypatch):
    isolate(monkeypatch, tmp_path)
    arguments = ["--model", "feed-forward", "--epochs", "1", "--examples", "640", "--runs", str(tmp_path / "runs")]
    done = runner.invoke(cli.app, ["train", "vision", *arguments])
    assert done.exit_code == 0, done.stderr
    (path,) = (tmp_path / "runs" / "vision-transformer").glob("*.json")
    record = read_record(path)
    assert f"accuracy {record.metrics['accuracy'].value:.4f}" in done.stdout
    assert str(path) in done.stdout
    evaluated = runner.invoke(cli.app, ["evaluate", "vision", str(path.with_suffix("")), "--json"])
    assert json.loads(evaluated.stdout)["accuracy"] == pytest.approx(record.metrics["accuracy"].value, abs=1e-6)


def test_without_mnist_training_says_where_to_put_it(tmp_path, monkeypatch):
    from reconstructing_transformer.vision import data

    def nowhere() -> None:
        raise DataError("MNIST was found in none of these: the cache. Put it into a folder")

    monkeypatch.setattr(data, "fetch", nowhere)
    done = runner.invoke(cli.app, ["train", "vision", "--runs", os.fspath(tmp_path)])
    assert done.exit_code == 2
    assert "Put it into a folder" in done.stderr
