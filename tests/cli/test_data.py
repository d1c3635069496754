"""Data are fetched by name; what can't be had is said in a sentence, and asks for no other part's libraries."""

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from reconstructing_transformer import cli
from reconstructing_transformer.vision import data as vision_data

runner = CliRunner()
WITHOUT = """
import sys
sys.modules.update(dict.fromkeys({missing!r}))
from reconstructing_transformer.cli import app
app(["data", "fetch", {name!r}])
"""


def without(missing: list[str], name: str) -> subprocess.CompletedProcess[str]:
    """Fetch where some packages aren't installed."""
    code = WITHOUT.format(missing=missing, name=name)
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


def test_a_part_is_fetched_without_the_libraries_of_the_others():
    done = without(["sacrebleu", "spacy", "sentencepiece"], "stories260k")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("stories260k: ")


def test_a_missing_library_is_named_with_the_command_that_installs_it():
    done = without(["sacrebleu"], "tatoeba")
    assert done.returncode == 2
    assert "sacrebleu" in done.stderr
    assert "reconstructing-transformer[translation]" in done.stderr
    assert "Traceback" not in done.stderr


def test_digits_that_cannot_be_had_are_a_sentence(monkeypatch):
    def nowhere():
        raise vision_data.DataError("MNIST was found nowhere")

    monkeypatch.setattr(vision_data, "load_mnist", nowhere)
    done = runner.invoke(cli.app, ["data", "fetch", "mnist"])
    assert done.exit_code == 2
    assert "MNIST was found nowhere" in done.stderr


@pytest.mark.parametrize("name", ["minst", "llama"])
def test_an_unknown_name_is_answered_with_those_there_are(name):
    done = runner.invoke(cli.app, ["data", "fetch", name])
    assert done.exit_code != 0
    assert name in done.stderr
    assert "stories260k" in done.stderr
