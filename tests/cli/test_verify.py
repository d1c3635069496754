"""`reconstruct verify` tells people and programs whether paper, code and checks agree."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from reconstructing_transformer import cli
from reconstructing_transformer.equations import PaperError, load_papers

CHECKOUT = Path(__file__).parents[2]
KEYS = {"equation", "implementation", "reference", "cases", "max_error", "tolerance", "passed"}
runner = CliRunner()


@pytest.fixture(scope="module")
def measured():
    """What the whole book measures, as JSON."""
    done = runner.invoke(cli.app, ["verify", "--json"])
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout)


def test_verify_measures_every_equation_of_the_book(measured):
    known = {equation.id for paper in load_papers().values() for equation in paper.equations}
    assert {entry["equation"] for entry in measured} == known


def test_each_measurement_has_these_keys_and_no_others(measured):
    assert all(entry.keys() == KEYS for entry in measured)


def test_each_measurement_passes_within_its_tolerance(measured):
    assert all(entry["passed"] and entry["max_error"] <= entry["tolerance"] for entry in measured)


def test_verify_shows_one_equation_to_a_reader():
    done = runner.invoke(cli.app, ["verify", "vaswani2017-3"])
    assert done.exit_code == 0, done.stderr
    assert "vaswani2017-3" in done.stdout
    assert "learning_rate" in done.stdout
    assert "agrees" in done.stdout
    assert "vaswani2017-2" not in done.stdout


def test_verify_measures_one_equation_alone():
    done = runner.invoke(cli.app, ["verify", "vaswani2017-3", "--json"])
    assert {entry["equation"] for entry in json.loads(done.stdout)} == {"vaswani2017-3"}


def test_verify_cannot_answer_for_an_unknown_equation():
    done = runner.invoke(cli.app, ["verify", "vaswani2017-99"])
    assert done.exit_code == 2
    assert "no equation “vaswani2017-99”" in done.stderr
    assert "vaswani2017-1" in done.stderr
    assert done.stdout == ""


def test_verify_cannot_answer_where_a_papers_file_is_broken(monkeypatch):
    def broken():
        raise PaperError("book/papers/toy2020.yml: two equations share an id")

    monkeypatch.setattr(cli.verify, "load_papers", broken)
    done = runner.invoke(cli.app, ["verify"])
    assert done.exit_code == 2
    assert "book/papers/toy2020.yml: two equations share an id" in done.stderr.replace("\n", " ")


def test_without_a_command_the_program_says_what_it_can_do():
    done = runner.invoke(cli.app, [])
    assert "verify" in done.output


@pytest.fixture
def verify_a_copy(tmp_path):
    """Change the text of one file in a copy of the project, and run `reconstruct verify` there."""

    def verify(file: str, old: str, new: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        skipped = shutil.ignore_patterns("__pycache__")
        shutil.copytree(CHECKOUT / "src", tmp_path / "src", ignore=skipped)
        shutil.copytree(CHECKOUT / "book" / "papers", tmp_path / "book" / "papers")
        changed = tmp_path / file
        text = changed.read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{file} says {old!r} {text.count(old)} times"
        changed.write_text(text.replace(old, new), encoding="utf-8")
        program = "from reconstructing_transformer.cli import app; app()"
        return subprocess.run(
            [sys.executable, "-c", program, "verify", *arguments],
            capture_output=True, text=True, check=False, cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(tmp_path / "src")},
        )  # fmt: skip

    return verify


ATTENTION = "src/reconstructing_transformer/transformer/attention.py"


def test_a_flipped_sign_in_attention_is_found(verify_a_copy):
    done = verify_a_copy(ATTENTION, "scores = Q @ K", "scores = -Q @ K", "--json")
    assert done.returncode == 1, done.stderr
    assert "vaswani2017-1: " in done.stderr
    assert "scaled_dot_product_attention does not agree with torch.nn.functional" in done.stderr
    failed = {entry["equation"] for entry in json.loads(done.stdout) if not entry["passed"]}
    assert "vaswani2017-1" in failed
    assert "vaswani2017-2" not in failed


def test_an_equation_that_nobody_implements_is_found(verify_a_copy):
    done = verify_a_copy(ATTENTION, '@implements("vaswani2017-1")\n', "", "vaswani2017-1")
    assert done.returncode == 1, done.stderr
    assert "vaswani2017.yml:" in done.stderr
    assert "vaswani2017-1: no function implements this equation" in done.stderr
