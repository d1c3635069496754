"""LLaMA-2-7B up to the load of its weights: shapes on the meta device, four bits, adapters, what it needs."""

import pytest

from reconstructing_transformer.llama import plan as plans
from reconstructing_transformer.llama.classifiers import FineTuningError
from reconstructing_transformer.llama.plan import check_it_fits, plan, published_config
from reconstructing_transformer.llama.recipe import Recipe
from reconstructing_transformer.llama.resources import GIB, free_memory
from reconstructing_transformer.llama.tasks import LABELS

SEVEN = "meta-llama/Llama-2-7b-hf"
HEAD = 4096 * 20
EMBEDDING = 32_000 * 4096
NORMS = 65 * 4096
ALL_LINEAR = ("down_proj", "gate_proj", "k_proj", "o_proj", "q_proj", "up_proj", "v_proj")


def planned(method, **changes):
    recipe = Recipe(model=SEVEN, task="newsgroups", method=method, **changes)
    return plan(recipe, published_config(SEVEN, LABELS["newsgroups"]))


def test_the_whole_model_has_the_published_size():
    full = planned("full")
    assert full.parameters == full.trainable == 6_607_425_536
    assert full.bytes == 16 * 6_607_425_536
    assert full.targets == ()


def test_four_bits_hold_every_linear_layer_and_no_other():
    counted = planned("qlora", rank=8)
    per_layer = 8 * (4 * (4096 + 4096) + 3 * (4096 + 11_008))
    assert counted.targets == ALL_LINEAR
    assert counted.trainable == 32 * per_layer + HEAD
    assert counted.four_bit == 6_607_425_536 - EMBEDDING - NORMS - HEAD
    assert 4.126 < 8 * (counted.weights - 4 * (counted.parameters - counted.four_bit)) / counted.four_bit < 4.128


def test_adapters_move_and_nothing_below_them():
    lora, head = planned("lora", rank=8), planned("head")
    assert lora.trainable == planned("qlora", rank=8).trainable
    assert lora.four_bit == 0
    assert head.trainable == HEAD


def test_what_does_not_fit_is_refused_before_it_is_loaded(monkeypatch):
    monkeypatch.setattr(plans, "free_memory", lambda: (8.0 * GIB, "the GPU (a small one)"))
    recipe = Recipe(model=SEVEN, task="newsgroups", method="lora")
    with pytest.raises(FineTuningError, match=r"needs 24\.\d GiB .*a small one\) has 8\.0 GiB free.*--method qlora"):
        check_it_fits(recipe, planned("lora"))
    check_it_fits(Recipe(model=SEVEN, method="qlora"), planned("qlora"))


def test_free_memory_is_that_of_this_machine():
    free, where = free_memory()
    assert free > 2**28
    assert where


def test_the_command_plans_without_weights_or_network(monkeypatch):
    from typer.testing import CliRunner

    from reconstructing_transformer.cli import app

    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr(plans, "free_memory", lambda: (16.0 * GIB, "this machine"))
    command = ["train", "llama", "--model", SEVEN, "--task", "newsgroups", "--plan", "--method"]
    done = CliRunner().invoke(app, [*command, "qlora"])
    assert done.exit_code == 0, done.output
    assert "in four bits  6,476,005,376" in done.stdout
    refused = CliRunner().invoke(app, [*command, "full"])
    assert refused.exit_code == 2
    assert "--method lora or qlora" in refused.stderr
