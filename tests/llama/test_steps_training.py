"""A model of the ladder is trained alike, whether once or in pieces; and its text is measured in bits per byte."""

import math

import pytest
import torch
from pydantic import ValidationError
from torch import nn
from typer.testing import CliRunner

from reconstructing_transformer import cli
from reconstructing_transformer.llama import steps_training
from reconstructing_transformer.llama.steps import STEPS
from reconstructing_transformer.llama.steps_recipe import RECIPES, Recipe
from reconstructing_transformer.llama.steps_text import LONGEST, Stream, learn_pieces, readable, stream
from reconstructing_transformer.llama.steps_training import (
    PROJECT,
    Trainer,
    TrainingError,
    bits_per_byte,
    read_texts,
    train,
)
from reconstructing_transformer.llama.tasks import Examples, Task
from reconstructing_transformer.tracking.checkpoint import CHECKPOINT, CheckpointError
from reconstructing_transformer.tracking.record import read_record
from tests.tracking.wandb_home import isolate

SMALL = Recipe(
    model="llama", learning_rate=3e-3, steps=6, windows=4, context=16, vocabulary=300, N=1, d_model=16, h=2
)  # fmt: skip
WHO = ("the moderator", "my modem", "a neighbour", "the goalkeeper", "nobody", "the compiler")
WHAT = ("wrote to", "does not believe", "sold", "has lost", "reads")


@pytest.fixture(scope="module")
def posts():
    return [f"Hello all,\n{who} {what} {whom}. Thanks!" for who in WHO for what in WHAT for whom in WHO]


@pytest.fixture(scope="module")
def task(posts):
    def cut(start, step):
        texts = tuple(posts[start::step])
        return Examples(texts, (0,) * len(texts))

    return Task("newsgroups", ("rec.none",), cut(0, 2), cut(1, 6), cut(3, 6), {"posts": "md5:0"}, "here", "none")


@pytest.fixture(scope="module")
def text(task):
    return read_texts(task, SMALL.vocabulary).train


def weights(trainer):
    return torch.cat([parameter.detach().flatten() for parameter in trainer.model.parameters()])


def losses(trainer, steps):
    return [trainer.train_step()[0] for _ in range(steps)]


def test_empty_posts_and_endless_ones_are_not_read():
    assert readable(["  \n", "a", "b" * LONGEST, "c" * (LONGEST + 1), "ü" * LONGEST]) == ["a", "b" * LONGEST]


def test_every_text_comes_back_from_its_pieces(posts):
    tokeniser = learn_pieces(posts, 300)
    assert tokeniser.get_vocab_size() == 300
    for odd in ("", "grün ½ \x00", "<|end|", "日本\n\n\t", *posts[:5]):
        assert tokeniser.decode(tokeniser.encode(odd).ids) == odd


def test_the_same_posts_give_the_same_pieces(posts):
    assert learn_pieces(posts, 300).to_str() == learn_pieces(posts, 300).to_str()


def test_a_stream_has_an_end_before_between_and_behind_posts(posts):
    tokeniser = learn_pieces(posts, 300)
    row = stream(["ab", "ü"], tokeniser)
    pieces = row.pieces.tolist()
    assert pieces[0] == pieces[-1] == 0
    assert pieces.count(0) == 3
    assert (row.bytes, row.posts) == (4, 2)


def test_windows_predict_each_piece_once():
    row = Stream(torch.arange(23), bytes=22, posts=1)
    windows = row.windows(5)
    assert windows.shape == (4, 6)
    assert windows[:, 1:].flatten().tolist() == list(range(1, 21))


class Guess(nn.Module):
    """All pieces are alike to it."""

    def __init__(self, vocabulary):
        super().__init__()
        self.nothing = nn.Parameter(torch.zeros(vocabulary))

    def forward(self, t):
        return self.nothing.expand(*t.shape, -1)


@pytest.mark.parametrize("length", [2, 17, 97, 98, 20 * 16 * 33])
def test_a_guess_among_256_costs_eight_bits_a_piece(length):
    row = Stream(torch.randint(256, (length,)), bytes=4 * (length - 1), posts=1)
    assert bits_per_byte(Guess(256), row, context=16) == pytest.approx(8 / 4, rel=1e-5)


@pytest.mark.parametrize("name", STEPS)
def test_training_lowers_the_loss_from_the_first_step_on(text, name):
    recipe = SMALL.model_copy(update={"model": name, "steps": 40, "d_model": 32, "warmup": 0.0})
    found = losses(Trainer(recipe, text), 40)
    assert sum(found[1:6]) / 5 < found[0]
    assert sum(found[-5:]) / 5 < 0.8 * found[0]


def test_the_same_seed_gives_the_same_training_and_another_seed_another(text):
    first, again = Trainer(SMALL, text), Trainer(SMALL, text)
    assert losses(first, 3) == losses(again, 3)
    assert torch.equal(weights(first), weights(again))
    assert losses(Trainer(SMALL.model_copy(update={"seed": 2}), text), 3) != losses(Trainer(SMALL, text), 3)


def test_every_window_is_read_once_before_any_is_read_twice(text):
    trainer = Trainer(SMALL, text)
    read = []
    for step in range(trainer.steps_per_epoch):
        trainer.step = step
        read += [tuple(window) for window in trainer._batch().tolist()]
    places = {tuple(window.tolist()) for window in trainer.windows}
    assert len(read) == SMALL.windows * trainer.steps_per_epoch
    assert set(read) <= places
    assert len(set(read)) >= len(read) - (len(trainer.windows) - len(places))


def test_a_training_that_goes_on_from_a_checkpoint_is_the_same_to_the_last_bit(text, tmp_path):
    straight, first = Trainer(SMALL, text), Trainer(SMALL, text)
    losses(straight, 6)
    losses(first, 3)
    first.save(tmp_path / CHECKPOINT, note="kept")
    second = Trainer(SMALL, text)
    assert second.load(tmp_path / CHECKPOINT)["note"] == "kept"
    assert second.step == 3
    losses(second, 3)
    assert torch.equal(weights(straight), weights(second))


def test_the_rate_rises_to_its_peak_and_falls_to_zero():
    recipe = SMALL.model_copy(update={"steps": 100, "learning_rate": 0.5, "warmup": 0.1})
    rates = [recipe.rate(step) for step in range(101)]
    assert rates[0] == pytest.approx(0.05)
    assert max(rates) == rates[9] == rates[10] == 0.5
    assert rates[100] == pytest.approx(0, abs=1e-12)


def test_every_step_has_a_recipe_and_they_differ_in_model_and_rate_alone():
    assert list(RECIPES) == list(STEPS)
    alike = {recipe.model_copy(update={"model": "llama", "learning_rate": 1.0}) for recipe in RECIPES.values()}
    assert len(alike) == 1
    assert all(recipe.model == name for name, recipe in RECIPES.items())


def test_a_recipe_says_what_is_wrong_with_it():
    with pytest.raises(ValidationError, match=r"no model “gpt”; there are 2017, pre-norm"):
        Recipe(model="gpt", learning_rate=1e-3)


def test_a_text_that_is_too_short_is_refused(text):
    with pytest.raises(TrainingError, match="windows of text don't fill one step of 4096"):
        Trainer(SMALL.model_copy(update={"windows": 4096}), text)


def test_a_loss_that_is_no_number_stops_the_training(text):
    trainer = Trainer(SMALL, text)
    with torch.no_grad():
        trainer.model.embedding.E[0, 0] = float("nan")
    with pytest.raises(TrainingError, match=r"became nan at step 1\. Lower --learning-rate"):
        losses(trainer, 6)


@pytest.fixture
def watched_often(monkeypatch, tmp_path):
    isolate(monkeypatch, tmp_path)
    monkeypatch.setattr(steps_training, "WATCHED", 2)
    monkeypatch.setattr(steps_training, "EVERY", 1)


def test_a_finished_training_leaves_a_record_weights_and_pieces(task, tmp_path, watched_often):
    folder = train(SMALL, task, runs=tmp_path / "runs", command="reconstruct train steps")
    record = read_record(folder.with_name(f"{folder.name}.json"))
    assert (record.status, record.project, record.model) == ("finished", PROJECT, "llama")
    assert record.metrics.keys() == {"bits per byte", "validation bits per byte", "microseconds per piece"}
    assert 0 < record.metrics["bits per byte"].value < math.log2(300)
    assert [row["step"] for row in record.history if "loss" in row] == list(range(1, 7))
    assert [row["step"] for row in record.history if "validation bits per byte" in row] == [2, 4, 6]
    assert record.dataset.splits == {"train": 90, "validation": 30, "test": 30}
    assert sorted(path.name for path in folder.iterdir()) == ["model.safetensors", "tokenizer.json"]


def test_an_interrupted_training_resumes_to_the_same_record(task, tmp_path, watched_often, monkeypatch):
    straight = train(SMALL, task, runs=tmp_path / "one", command="reconstruct train steps")
    whole = Trainer.train_step

    def interrupted(self):
        if self.step == 5:
            raise KeyboardInterrupt
        return whole(self)

    monkeypatch.setattr(Trainer, "train_step", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train(SMALL, task, runs=tmp_path / "two", command="reconstruct train steps")
    monkeypatch.setattr(Trainer, "train_step", whole)
    again = train(SMALL, task, runs=tmp_path / "two", command="reconstruct train steps", resume=True)
    assert (again / "model.safetensors").read_bytes() == (straight / "model.safetensors").read_bytes()
    one, two = (read_record(folder.with_name(f"{folder.name}.json")) for folder in (straight, again))
    assert one.history == two.history
    assert one.metrics["bits per byte"] == two.metrics["bits per byte"]


def test_without_an_interrupted_training_there_is_nothing_to_resume(task, tmp_path):
    with pytest.raises(CheckpointError, match="no interrupted training of this recipe"):
        train(SMALL, task, runs=tmp_path, command="reconstruct train steps", resume=True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "gpt"], "no model “gpt”; there are 2017, pre-norm, rms-norm, rotary, swiglu, llama"),
        (["--steps", "0"], "--steps"),
        (["--vocabulary", "200"], "--vocabulary"),
        (["--layers", "0"], "--N"),
        (["--precision", "fp8"], "--precision"),
    ],
)
def test_a_recipe_that_cannot_be_is_refused(arguments, message, tmp_path):
    done = CliRunner().invoke(cli.app, ["train", "steps", *arguments, "--runs", str(tmp_path)])
    assert done.exit_code == 2
    assert message in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_command_trains_and_says_where_everything_is(task, tmp_path, monkeypatch):
    isolate(monkeypatch, tmp_path)
    monkeypatch.setattr("reconstructing_transformer.llama.tasks.load_task", lambda name: task)
    small = [
        "--steps",
        "3",
        "--windows",
        "4",
        "--context",
        "16",
        "--vocabulary",
        "300",
        "--layers",
        "1",
        "--d-model",
        "16",
    ]
    done = CliRunner().invoke(cli.app, ["train", "steps", *small, "--runs", str(tmp_path / "runs")])
    assert done.exit_code == 0, done.stderr
    (path,) = (tmp_path / "runs" / PROJECT).glob("*.json")
    assert f"bits per byte {read_record(path).metrics['bits per byte'].value:.3f}" in done.stdout
    assert str(path) in done.stdout
