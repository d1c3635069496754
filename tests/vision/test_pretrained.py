"""Weights go to disk and come back; what is no model is named."""

import json
import re

import pytest
import torch

from reconstructing_transformer._data import book_folder, digest
from reconstructing_transformer.tracking.store import book_records
from reconstructing_transformer.vision import RECIPES, from_pretrained, save_pretrained
from reconstructing_transformer.vision.pretrained import CARD, CONFIG, WEIGHTS, PretrainedError, model_card
from reconstructing_transformer.vision.zoo import MODELS, build


@pytest.fixture
def saved(tmp_path):
    save_pretrained(build("feed-forward"), tmp_path / "model", RECIPES["feed-forward"])
    return tmp_path / "model"


@pytest.mark.parametrize("name", MODELS)
def test_a_model_comes_back_as_it_went(name, tmp_path):
    model, images = build(name).eval(), torch.randn(3, 1, 28, 28)
    assert save_pretrained(model, tmp_path, RECIPES[name]) == tmp_path / WEIGHTS
    back = from_pretrained(tmp_path)
    assert not back.training
    assert torch.equal(back(images), model(images))


def test_a_name_that_is_no_model_gets_the_list():
    with pytest.raises(PretrainedError, match="no model “resnet”; there are small-vit, deep-vit"):
        from_pretrained("resnet")


def test_a_released_models_name_is_not_that_of_a_folder_that_lies_about(tmp_path, monkeypatch):
    (tmp_path / "cnn").mkdir()
    monkeypatch.chdir(tmp_path)
    assert not from_pretrained("cnn").training


def test_weights_that_were_cut_off_are_named(saved):
    (saved / WEIGHTS).write_bytes((saved / WEIGHTS).read_bytes()[:-10])
    with pytest.raises(PretrainedError, match=re.escape(str(saved))):
        from_pretrained(saved)


def test_weights_of_another_model_are_refused(saved):
    (saved / CONFIG).write_text(json.dumps({"model": "cnn"}), encoding="utf-8")
    with pytest.raises(PretrainedError, match="are not those of a cnn"):
        from_pretrained(saved)


@pytest.mark.parametrize("config", ["{", '{"model": "cnn", "extra": 1}', '{"model": "resnet"}'])
def test_a_configuration_that_is_none_is_named(saved, config):
    (saved / CONFIG).write_text(config, encoding="utf-8")
    with pytest.raises(PretrainedError, match="holds no model"):
        from_pretrained(saved)


RECORDS = book_records("vision-transformer")
RELEASED = [record for record in RECORDS if record.seed == 1]


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.id)
def test_each_record_was_made_by_the_recipe_that_the_command_uses(record):
    assert record.config == RECIPES[record.model].model_dump(exclude={"model", "seed"})
    assert record.command == f"reconstruct train vision --model {record.model} --seed {record.seed}"
    assert record.parameters == sum(parameter.numel() for parameter in build(record.model).parameters())


@pytest.mark.parametrize("record", RELEASED, ids=lambda record: record.model)
def test_released_weights_and_card_are_those_of_the_record(record):
    folder = book_folder("models") / record.model
    assert digest((folder / WEIGHTS).read_bytes(), "sha256") == f"sha256:{record.weights.sha256}"
    assert (folder / CARD).read_text(encoding="utf-8") == model_card(record)
    assert not from_pretrained(record.model).training


def test_all_released_weights_fit_in_15_megabytes():
    assert RELEASED
    assert sum((book_folder("models") / record.model / WEIGHTS).stat().st_size for record in RELEASED) < 15e6
