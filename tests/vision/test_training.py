"""A training gives the same whatever happens to it: killed and resumed, by one process or two, in pieces or not."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import load_file

from reconstructing_transformer.tracking.checkpoint import CHECKPOINT, CheckpointError, find_interrupted
from reconstructing_transformer.tracking.optimiser import adamw
from reconstructing_transformer.tracking.record import RunRecord, read_record
from reconstructing_transformer.vision.recipe import RECIPES, Recipe
from reconstructing_transformer.vision.training import (
    PROJECT,
    Trainer,
    TrainingError,
)
from reconstructing_transformer.vision.zoo import MODELS

SMALL = Recipe(model="small-vit", epochs=2, batch_size=32, micro_batch=16, examples=96, learning_rate=1e-3)


def run_epochs(trainer: Trainer, epochs: int) -> list[float]:
    return [loss for _ in range(epochs) for loss in trainer.train_epoch()]


def weights(trainer: Trainer) -> torch.Tensor:
    both = [*trainer.model.parameters(), *trainer.averaged.parameters()]
    return torch.cat([parameter.detach().flatten() for parameter in both])


def test_the_rate_rises_to_its_peak_and_falls_to_zero():
    recipe = Recipe(model="small-vit", learning_rate=0.5, warmup=0.1)
    rates = [recipe.rate(step, 100) for step in range(101)]
    assert rates[0] == pytest.approx(0.05)
    assert max(rates) == rates[9] == rates[10] == 0.5
    assert rates[:10] == sorted(rates[:10])
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[55] == pytest.approx(0.25)
    assert rates[100] == pytest.approx(0, abs=1e-12)


def test_a_recipe_says_what_is_wrong_with_it():
    with pytest.raises(ValidationError, match=r"no model “resnet”; there are small-vit"):
        Recipe(model="resnet")
    with pytest.raises(ValidationError, match="dropout"):
        Recipe(model="small-vit", dropout=1.0)


def test_every_model_has_a_recipe_of_at_most_half_the_published_epochs():
    assert RECIPES.keys() == MODELS.keys()
    assert all(recipe.model == name and recipe.epochs <= 15 for name, recipe in RECIPES.items())


def test_weight_decay_leaves_biases_and_gains_alone():
    model = MODELS["paper-vit"]()
    decayed, spared = adamw(model, SMALL.learning_rate, SMALL.weight_decay).param_groups
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    assert decayed["weight_decay"] == SMALL.weight_decay
    assert spared["weight_decay"] == 0
    assert len(decayed["params"]) + len(spared["params"]) == len(names)
    spared_names = {names[id(parameter)].rsplit(".", 1)[-1] for parameter in spared["params"]}
    assert spared_names == {"bias", "g", "b", "x_class"}


def test_training_lowers_the_loss(mnist):
    losses = run_epochs(Trainer(SMALL.model_copy(update={"epochs": 30, "augmentation": 0.0}), mnist.train), 30)
    assert sum(losses[-3:]) / 3 < 0.7 * sum(losses[:3]) / 3


def test_mixed_precision_trains_too(mnist):
    recipe = SMALL.model_copy(update={"epochs": 12, "augmentation": 0.0, "precision": "bf16"})
    trainer = Trainer(recipe, mnist.train)
    losses = run_epochs(trainer, 12)
    assert sum(losses[-3:]) / 3 < 0.9 * sum(losses[:3]) / 3
    assert all(parameter.dtype == torch.float32 for parameter in trainer.model.parameters())


def test_the_same_seed_gives_the_same_training_and_another_seed_another(mnist):
    first, again = Trainer(SMALL, mnist.train), Trainer(SMALL, mnist.train)
    assert run_epochs(first, 1) == run_epochs(again, 1)
    assert torch.equal(weights(first), weights(again))
    other = Trainer(SMALL.model_copy(update={"seed": 2}), mnist.train)
    assert run_epochs(other, 1) != run_epochs(Trainer(SMALL, mnist.train), 1)


def test_micro_batches_change_nothing_but_rounding(mnist):
    whole = Trainer(SMALL.model_copy(update={"micro_batch": 32}), mnist.train)
    pieces = Trainer(SMALL.model_copy(update={"micro_batch": 5}), mnist.train)
    torch.testing.assert_close(run_epochs(whole, 1), run_epochs(pieces, 1), rtol=1e-4, atol=1e-5)


def test_a_training_that_goes_on_from_a_checkpoint_is_the_same_to_the_last_bit(mnist, tmp_path):
    straight = Trainer(SMALL.model_copy(update={"dropout": 0.1}), mnist.train)
    run_epochs(straight, 2)
    first = Trainer(straight.recipe, mnist.train)
    run_epochs(first, 1)
    first.save(tmp_path / CHECKPOINT, note="kept")
    torch.rand(7)  # whatever else drew random numbers in between
    second = Trainer(straight.recipe.model_copy(), mnist.train)
    assert second.load(tmp_path / CHECKPOINT)["note"] == "kept"
    assert (second.epoch, second.step) == (1, 3)
    run_epochs(second, 1)
    assert torch.equal(weights(straight), weights(second))


def test_a_checkpoint_that_was_cut_off_or_is_of_another_model_is_named(mnist, tmp_path):
    path = tmp_path / CHECKPOINT
    trainer = Trainer(SMALL, mnist.train)
    trainer.save(path)
    with pytest.raises(CheckpointError, match=r"of another model.*differs in"):
        Trainer(SMALL.model_copy(update={"model": "feed-forward"}), mnist.train).load(path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match=r"checkpoint\.safetensors is no whole checkpoint"):
        trainer.load(path)


def test_resuming_needs_a_checkpoint_of_the_same_recipe(mnist, tmp_path):
    with pytest.raises(CheckpointError, match=r"no interrupted training of this recipe.*leave out --resume"):
        find_interrupted(SMALL.model_dump(), tmp_path)
    Trainer(SMALL, mnist.train).save(tmp_path / "small-vit-seed1-aaaaaa" / CHECKPOINT)
    assert find_interrupted(SMALL.model_dump(), tmp_path).name == "small-vit-seed1-aaaaaa"
    with pytest.raises(CheckpointError, match="small-vit-seed1-aaaaaa differs in learning_rate"):
        find_interrupted(SMALL.model_copy(update={"learning_rate": 2e-3}).model_dump(), tmp_path)


def test_a_loss_that_is_no_number_stops_the_training_and_names_the_step(mnist):
    trainer = Trainer(SMALL, mnist.train)
    with torch.no_grad():
        trainer.model.head.weight[0, 0] = float("nan")
    with pytest.raises(TrainingError, match=r"became nan at step 1; .*Lower --learning-rate"):
        run_epochs(trainer, 1)


def test_a_batch_that_no_epoch_can_fill_is_refused(mnist):
    with pytest.raises(TrainingError, match="20 images don't fill one batch of 32"):
        Trainer(SMALL.model_copy(update={"examples": 20}), mnist.train)


class Shell:
    """`reconstruct` as a user types it, on one thread, without W&B."""

    arguments = ("train", "vision", "--model", "small-vit", "--examples", "256", "--epochs", "4", "--batch-size", "64")

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = os.environ | {"WANDB_MODE": "disabled", "OMP_NUM_THREADS": "1"}

    def start(self, *more: str, launcher: tuple[str, ...] = (sys.executable,)) -> subprocess.Popen:
        command = [*launcher, "-m", "reconstructing_transformer", *self.arguments, *more, "--runs", "runs"]
        return subprocess.Popen(
            command, cwd=self.folder, env=self.environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    def run(self, *more: str, launcher: tuple[str, ...] = (sys.executable,)) -> str:
        process = self.start(*more, launcher=launcher)
        out, err = process.communicate(timeout=300)
        assert process.returncode == 0, err
        return out

    @property
    def record(self) -> RunRecord:
        (path,) = (self.folder / "runs" / PROJECT).glob("*.json")
        return read_record(path)

    @property
    def weights(self) -> Path:
        (path,) = (self.folder / "runs" / PROJECT).glob("*/model.safetensors")
        return path


@pytest.fixture(scope="module")
def straight(tmp_path_factory) -> Shell:
    """A training that nobody disturbed."""
    shell = Shell(tmp_path_factory.mktemp("straight"))
    shell.run()
    return shell


def test_a_finished_training_leaves_record_weights_and_card(straight):
    record = straight.record
    assert record.status == "finished"
    assert record.metrics.keys() == {"accuracy", "f1", "validation accuracy"}
    assert record.parameters == 150_490
    assert record.command.startswith("reconstruct train vision --model small-vit")
    assert [row["epoch"] for row in record.history if "epoch" in row] == list(range(1, 5))
    folder = straight.weights.parent
    assert sorted(path.name for path in folder.iterdir()) == ["README.md", "config.json", "model.safetensors"]
    card = (folder / "README.md").read_text(encoding="utf-8")
    assert f"{record.metrics['accuracy'].value:.4f}" in card
    assert record.weights.sha256 in card
    assert json.loads((folder / "config.json").read_text(encoding="utf-8"))["model"] == "small-vit"


def test_a_killed_training_resumes_to_the_same_weights(straight, tmp_path):
    shell = Shell(tmp_path)
    process = shell.start()
    while not list(tmp_path.glob(f"runs/{PROJECT}/*/{CHECKPOINT}")):
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert shell.record.status == "running"
    shell.run("--resume")
    assert shell.weights.read_bytes() == straight.weights.read_bytes()
    assert shell.record.status == "finished"
    steps = [row["step"] for row in shell.record.history]
    assert steps == [row["step"] for row in straight.record.history]


def test_two_processes_reach_the_metrics_of_one(straight, tmp_path):
    shell = Shell(tmp_path)
    launcher = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2")
    shell.run(launcher=launcher)
    one, two = straight.record, shell.record
    assert two.device.processes == 2
    for name, metric in one.metrics.items():
        assert two.metrics[name].value == pytest.approx(metric.value, abs=5e-4)
    ours, theirs = load_file(straight.weights), load_file(shell.weights)
    assert max((ours[name] - theirs[name]).abs().max().item() for name in ours) < 1e-3
