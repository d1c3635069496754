"""`translate`, `train translation` and `evaluate translation`: whatever comes, something sensible happens."""

import contextlib
import json
import os
import subprocess
import sys

import pytest
import torch
from typer.testing import CliRunner

from reconstructing_transformer import cli
from reconstructing_transformer.tracking.record import read_record
from reconstructing_transformer.translation.pretrained import Config, save_pretrained
from reconstructing_transformer.translation.tokeniser import Tokeniser
from tests.tracking.wandb_home import isolate
from tests.translation.conftest import SENTENCES
from tests.translation.small import NUMBERS

runner = CliRunner()
PROGRAM = [sys.executable, "-m", "reconstructing_transformer", "translate"]


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> str:
    """A folder with a translator that has learned nothing: what it says is nonsense, the same each time."""
    folder, tokeniser = tmp_path_factory.mktemp("translator"), Tokeniser.train(SENTENCES * 2, 200)
    config = Config(
        vocabulary=len(tokeniser), target_tokens=150, N=1, d_model=16, d_ff=16, h=2, norm_first=True, longest=40
    )
    torch.manual_seed(5)
    save_pretrained(config.build(), tokeniser, config, folder)
    return str(folder)


def translate(model: str, *arguments: str, text: bytes | None = None):
    return runner.invoke(cli.app, ["translate", "--model", model, "--beam-size", "2", *arguments], input=text)


def test_each_sentence_gets_a_line(model):
    done = translate(model, *SENTENCES[:3])
    assert done.exit_code == 0, done.stderr
    assert len(done.stdout.splitlines()) == 3
    assert done.stderr == ""


def test_standard_input_is_read_line_by_line(model):
    done = translate(model, text="\n".join([*SENTENCES[:2], "", SENTENCES[2]]).encode())
    assert done.stdout == translate(model, *SENTENCES[:2], "", SENTENCES[2]).stdout
    assert done.stdout.splitlines()[2] == ""


def test_an_empty_input_has_an_empty_output(model):
    assert (translate(model, text=b"").stdout, translate(model, text=b"").exit_code) == ("", 0)
    assert translate(model, "").stdout == "\n"


def test_windows_lines_and_its_mark_at_the_beginning_are_no_part_of_the_text(model):
    done = translate(model, text=b"\xef\xbb\xbf" + f"{SENTENCES[0]}\r\n".encode())
    assert (done.stdout, done.stderr) == (translate(model, SENTENCES[0]).stdout, "")


def test_five_thousand_words_are_translated_with_a_warning(model):
    done = translate(model, "--beam-size", "1", text=b"Der Mann hat ein Auto und " * 1000)
    assert done.exit_code == 0
    assert len(done.stdout.splitlines()) == 1
    assert "warning line 1: “Der Mann hat" in done.stderr
    assert "parts that know nothing of each other" in done.stderr


@pytest.mark.parametrize("text", ["我喜欢学习语言。", "😀😀😀"])
def test_chinese_and_smileys_get_a_translation_and_a_warning(model, text):
    done = translate(model, text=f"{SENTENCES[0]}\n{text}\n".encode())
    assert done.exit_code == 0
    assert len(done.stdout.splitlines()) == 2
    assert "warning line 2: " in done.stderr
    assert "unknown to the model" in done.stderr


def test_bytes_that_are_no_utf_8_are_named_with_their_line_after_all_lines_before_it(model):
    done = translate(model, text=SENTENCES[0].encode() + b"\nf\xfcr dich\nEin Mann.\n")
    assert done.exit_code == 2
    assert "line 2 is not UTF-8: byte 0xfc at its position 2" in done.stderr
    assert "iconv" in done.stderr
    assert done.stdout == translate(model, SENTENCES[0]).stdout


def test_an_argument_that_is_no_utf_8_is_named(model):
    done = subprocess.run([*PROGRAM, "--model", model, b"f\xfcr dich"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "argument 1 is not UTF-8" in done.stderr


def test_a_reader_who_has_seen_enough_may_go(model):
    """`… | head -1`: the pipe is closed while there is much to be written yet."""
    with subprocess.Popen(
        [*PROGRAM, "--model", model, "--beam-size", "1"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as running:  # fmt: skip
        running.stdin.write(SENTENCES[0].encode() + b"\n")
        running.stdin.flush()
        first = running.stdout.readline()  # it comes although the input has not ended
        running.stdout.close()
        for _ in range(300):
            try:
                running.stdin.write(SENTENCES[0].encode() + b"\n")
                running.stdin.flush()
            except BrokenPipeError:
                break
        with contextlib.suppress(BrokenPipeError):
            running.stdin.close()
        said = running.stderr.read()
    assert first.decode() == translate(model, "--beam-size", "1", SENTENCES[0]).stdout
    assert b"Traceback" not in said
    assert running.returncode in (0, 1)


def test_a_standard_input_that_is_closed_is_an_error_that_says_so(model):
    command = " ".join(f"'{word}'" for word in [*PROGRAM, "--model", model])
    done = subprocess.run(["sh", "-c", f"{command} <&-"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "standard input is closed" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("form", ["svg", "pdf", "png"])
def test_attention_is_drawn_on_request(model, tmp_path, form):
    path = tmp_path / f"looked.{form}"
    done = translate(model, SENTENCES[0], "--attention", str(path))
    assert done.exit_code == 0, done.stderr
    head = path.read_bytes()[:400]
    assert {"svg": b"<svg", "pdf": b"%PDF", "png": b"\x89PNG"}[form] in head or b"<?xml" in head


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["Hallo.", "--attention", "looked.gif"], "--attention writes .svg, .pdf, .png; got 'looked.gif'"),
        (["Hallo.", "Ade.", "--attention", "looked.svg"], "draws one sentence, given as the argument; got 2"),
        (["--attention", "looked.svg"], "got 0"),
        (["Hallo.", "--model", "klingon"], "name a released model"),
    ],
)
def test_what_cannot_be_done_is_said(model, arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = translate(model, *arguments)
    assert done.exit_code == 2
    assert message in " ".join(done.stderr.split())
    assert list(tmp_path.iterdir()) == []


# Training and judging ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--corpus", "europarl"], "no corpus “europarl”; there are multi30k, tatoeba, numbers"),
        (["--model", "gpt"], "no model “gpt”; there are multi30k-base"),
        (["--corpus", "numbers", "--epochs", "0"], "--epochs"),
        (["--corpus", "numbers", "--schedule", "cosine"], "--schedule"),
        (["--corpus", "numbers", "--label-smoothing", "1"], "--label-smoothing"),
        (["--corpus", "numbers", "--resume"], "no interrupted training"),
    ],
)
def test_a_recipe_that_cannot_be_is_refused(arguments, message, tmp_path):
    done = runner.invoke(cli.app, ["train", "translation", *arguments, "--runs", str(tmp_path)])
    assert done.exit_code == 2
    assert message in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_training_says_what_it_measured_and_its_translator_can_be_judged_and_used(tmp_path, monkeypatch):
    from reconstructing_transformer.translation import corpora

    isolate(monkeypatch, tmp_path)
    monkeypatch.setitem(corpora.CORPORA, "numbers", lambda: NUMBERS)
    arguments = ["--corpus", "numbers", "--vocabulary", "90", "--epochs", "1", "--runs", str(tmp_path / "runs")]
    done = runner.invoke(cli.app, ["train", "translation", *arguments])
    assert done.exit_code == 0, done.stderr
    (path,) = (tmp_path / "runs" / "machine-translation").glob("*.json")
    record = read_record(path)
    assert f"bleu {record.metrics['bleu'].value:.2f}" in done.stdout
    folder = os.fspath(path.with_suffix(""))
    judged = runner.invoke(cli.app, ["evaluate", "translation", folder, "--corpus", "numbers", "--json"])
    found = json.loads(judged.stdout)
    assert found["bleu"]["value"] == pytest.approx(record.metrics["bleu"].value, abs=2)
    assert found["bleu"]["signature"] in record.metrics["bleu"].definition
    assert len(runner.invoke(cli.app, ["translate", "dreiundzwanzig", "--model", folder]).stdout.splitlines()) == 1
