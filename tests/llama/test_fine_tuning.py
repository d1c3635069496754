"""Fine-tuning: what moves, what is kept, what can be resumed, what is refused."""

import json

import pytest
import torch
from safetensors.torch import load_file

from reconstructing_transformer.llama import fine_tuning, hf_trainer
from reconstructing_transformer.llama.classifiers import (
    FineTuningError,
    find_model,
    load_config,
    load_pretrained,
    load_tokeniser,
    prepare,
    trainable,
)
from reconstructing_transformer.llama.classify import TextClassifier
from reconstructing_transformer.llama.fine_tuning import PROJECT, HeadOnFeatures, features, train
from reconstructing_transformer.llama.hf_trainer import encoded
from reconstructing_transformer.llama.recipe import Recipe, recipe_of
from reconstructing_transformer.llama.tasks import Examples
from reconstructing_transformer.tracking.checkpoint import CHECKPOINT
from reconstructing_transformer.tracking.record import read_record


@pytest.fixture
def recipe(small_model):
    def with_method(method, **changes):
        given = {"epochs": 2, "batch_size": 16, "micro_batch": 16, "learning_rate": 1e-2, "rank": 4, "max_length": 32}
        return Recipe(model=small_model, method=method, **(given | changes))

    return with_method


def done(recipe, task, runs, **more):
    folder = train(recipe, task, runs=runs, command="a test", tell=lambda words: None, **more)
    return folder, read_record(folder.with_name(f"{folder.name}.json"))


@pytest.mark.parametrize("method", ["lora", "qlora", "full", "head"])
def test_every_method_learns_and_its_result_can_be_loaded(method, recipe, task, tmp_path):
    rate = {"full": 2e-3, "head": 0.1}.get(method, 1e-2)
    folder, record = done(recipe(method, epochs=6, learning_rate=rate), task, tmp_path)
    assert record.status == "finished"
    losses = [row["validation loss"] for row in record.history if "validation loss" in row]
    assert len(losses) == 6
    assert losses[-1] < losses[0]
    assert record.metrics["accuracy"].value == 1.0
    assert record.metrics["peak memory"].value > 0.1
    assert not (folder / CHECKPOINT).exists()
    said = TextClassifier.from_pretrained(str(folder))(["Who wrote it ?", "How many are there ?"])
    assert [max(one, key=one.__getitem__) for one in said] == ["HUM", "NUM"]
    assert all(abs(sum(one.values()) - 1) < 1e-5 for one in said)


@pytest.mark.parametrize("method", ["lora", "qlora", "full", "head"])
def test_nothing_is_written_as_a_pickle(method, recipe, task, tmp_path, monkeypatch):
    seen = []
    ends = hf_trainer.PlainTrainer._save_checkpoint

    def looking(self, model, trial):
        ends(self, model, trial)
        seen.append(sorted(path.name for path in self.folder.iterdir()))

    monkeypatch.setattr(hf_trainer.PlainTrainer, "_save_checkpoint", looking)
    folder, _ = done(recipe(method), task, tmp_path)
    kept = {path.suffix for path in folder.rglob("*") if path.is_file()}
    assert seen
    assert all(names == [CHECKPOINT] for names in seen)
    assert kept <= {".json", ".safetensors", ".md", ".jinja"}


@pytest.mark.parametrize("method", ["lora", "full", "head"])
def test_a_training_that_was_cut_off_goes_on_as_if_nothing_had_happened(method, recipe, task, tmp_path, monkeypatch):
    chosen = recipe(method, epochs=3)
    whole, record = done(chosen, task, tmp_path / "whole")
    ends = hf_trainer.PlainTrainer._save_checkpoint

    def cut(self, model, trial):
        self._worked = 3600.0  # an hour, say
        ends(self, model, trial)
        if self.state.epoch >= 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(hf_trainer.PlainTrainer, "_save_checkpoint", cut)
    with pytest.raises(KeyboardInterrupt):
        done(chosen, task, tmp_path / "cut")
    monkeypatch.undo()
    monkeypatch.setenv("WANDB_MODE", "offline")
    again, resumed = done(chosen, task, tmp_path / "cut", resume=True)
    names = {"lora": "adapter_model.safetensors", "full": "model.safetensors", "head": "head.safetensors"}
    first, second = (load_file(folder / names[method]) for folder in (whole, again))
    assert max((first[key].float() - second[key].float()).abs().max().item() for key in first) < 1e-6
    assert [row["step"] for row in resumed.history] == [row["step"] for row in record.history]
    assert record.metrics["processor minutes"].value < 60 < resumed.metrics["processor minutes"].value
    assert len(list((tmp_path / "cut" / PROJECT).glob("*.json"))) == 1


def test_a_loss_that_is_no_number_stops_the_training_and_says_where(recipe, task, tmp_path, monkeypatch):
    monkeypatch.setattr(
        hf_trainer.Trainer, "training_step", lambda self, *a, **k: torch.tensor(float("nan"), requires_grad=True)
    )
    with pytest.raises(FineTuningError, match="became nan at step 1"):
        done(recipe("lora"), task, tmp_path)


def test_only_what_the_method_says_moves(recipe, task):
    counts = {}
    for method in ("lora", "full", "head"):
        chosen = recipe(method)
        config = load_config(chosen.model, task.labels, 2)
        model = prepare(load_pretrained(chosen, config), chosen)
        counts[method] = trainable(model)
    d, d_ff, N, d_kv, r = 64, 172, 5, 32, 4
    head = 2 * d
    per_layer = r * ((d + d) * 2 + (d + d_kv) * 2 + (d + d_ff) * 3)
    assert counts == {"lora": N * per_layer + head, "full": 260_032 + head, "head": head}


def test_four_bits_hold_the_linear_layers_and_not_the_head(recipe, task):
    from bitsandbytes.nn import Linear4bit

    chosen = recipe("qlora")
    model = load_pretrained(chosen, load_config(chosen.model, task.labels, 2))
    packed = {name.rsplit(".", 1)[-1] for name, module in model.named_modules() if isinstance(module, Linear4bit)}
    assert packed == {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}
    weight = model.model.layers[0].mlp.up_proj.weight
    assert weight.dtype == torch.uint8
    assert weight.quant_state.quant_type == "nf4"
    assert weight.quant_state.nested
    assert model.score.weight.dtype == torch.float32


def test_the_gradient_through_four_bits_is_the_same_after_an_evaluation(recipe, task):
    chosen = recipe("qlora", dropout=0.0)
    config = load_config(chosen.model, task.labels, 2)
    model = prepare(load_pretrained(chosen, config), chosen)
    tokens = torch.arange(3, 23).view(2, 10)

    def gradients():
        model.train()
        model.zero_grad()
        model(input_ids=tokens, labels=torch.tensor([0, 1])).loss.backward()
        return {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}

    before = gradients()
    model.eval()
    with torch.no_grad():
        model(input_ids=tokens)
    after = gradients()
    assert before.keys() == after.keys()
    assert any("layers.0" in name and gradient.abs().max() > 0 for name, gradient in before.items())
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_features_are_what_the_head_sees_in_the_whole_model(recipe, task):
    chosen = recipe("head")
    tokeniser = load_tokeniser(chosen.model)
    model = load_pretrained(chosen, load_config(chosen.model, task.labels, tokeniser.pad_token_id)).eval()
    data = encoded(task.test, tokeniser, 32)
    known = features(model, data, tokeniser, 3)
    batch = tokeniser(list(task.test.texts), padding=True, return_tensors="pt")
    with torch.no_grad():
        logits = model(**batch).logits
    assert torch.allclose(HeadOnFeatures(model.score)(known)["logits"], logits, atol=1e-4)


def test_an_empty_text_is_one_token(small_model):
    tokeniser = load_tokeniser(small_model)
    tokeniser.add_bos_token = False
    assert all(row["input_ids"] for row in encoded(Examples(("", "a"), (0, 1)), tokeniser, 8))


def test_long_texts_are_cut(small_model):
    tokeniser = load_tokeniser(small_model)
    (row,) = encoded(Examples(("a word " * 200,), (0,)), tokeniser, 16)
    assert len(row["input_ids"]) == 16


def test_recipes_are_those_of_the_table():
    assert recipe_of("trec", "lora").name == "trec-lora"
    assert Recipe(model="meta-llama/Llama-2-7b-hf").name == "trec-lora-llama-2-7b-hf"
    with pytest.raises(ValueError, match="methods lora, qlora, full, head"):
        recipe_of("trec", "prefix")


def test_weights_in_a_pickle_are_refused(tmp_path):
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    with pytest.raises(FineTuningError, match=r"pytorch_model\.bin, which is a pickle.*save_pretrained"):
        find_model(str(tmp_path))


def test_a_folder_without_weights_is_refused(tmp_path):
    with pytest.raises(FineTuningError, match="has no weights"):
        find_model(str(tmp_path))


def test_a_name_that_is_nothing_is_refused():
    with pytest.raises(FineTuningError, match="smollm2-135m, stories260k"):
        find_model("gpt-5")


def test_a_gated_model_without_a_token_says_what_to_do(monkeypatch):
    import httpx
    from huggingface_hub.errors import GatedRepoError
    from transformers import AutoConfig

    def gated(*_, **__):
        request = httpx.Request("GET", "http://127.0.0.1/meta-llama/Llama-2-7b-hf/resolve/main/config.json")
        answer = httpx.Response(401, request=request)
        raise OSError("You are trying to access a gated repo.") from GatedRepoError("401 Client Error", response=answer)

    monkeypatch.setattr(AutoConfig, "from_pretrained", gated)
    with pytest.raises(FineTuningError, match=r"accept Meta's licence.*HF_TOKEN.*smollm2-135m"):
        load_config("meta-llama/Llama-2-7b-hf", ("a", "b"), 0)


def test_a_batch_that_can_not_be_shared_is_refused(recipe, tmp_path, monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "3")
    with pytest.raises(FineTuningError, match="make --batch-size a multiple"):
        hf_trainer.arguments(recipe("lora"), tmp_path, 10, grouped=True)


def test_an_adapter_that_is_not_there_is_answered_with_the_known_ones():
    with pytest.raises(FineTuningError, match="there is no adapter “nowhere”"):
        TextClassifier.from_pretrained("nowhere")


def test_a_folder_without_its_description_is_refused(tmp_path):
    with pytest.raises(FineTuningError, match=r"no classifier\.json"):
        TextClassifier.from_pretrained(str(tmp_path))


def test_the_record_says_what_was_read_and_what_was_chosen(recipe, task, tmp_path):
    folder, record = done(recipe("lora", epochs=1), task, tmp_path)
    assert record.dataset.splits == {"train": 64, "validation": 8, "test": 8}
    assert record.config["labels"] == ["HUM", "NUM"]
    assert json.loads((folder / "classifier.json").read_text())["max_length"] == 32
    assert record.weights.file == "adapter_model.safetensors"
    card = (folder / "README.md").read_text()
    assert f"Run `{record.id}`" in card
    assert "HUM, NUM" in card
    told = json.loads((folder / "adapter_config.json").read_text())
    assert told["base_model_name_or_path"] == record.config["model"]


def test_the_peak_of_memory_is_counted_in_gib():
    assert 0.05 < fine_tuning.peak_memory() < 64
