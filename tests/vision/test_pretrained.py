"""Weights go to disk and come back; what is no model is named."""

import json
import re

import pytest
import torch

from reconstructing_transformer.vision import RECIPES, from_pretrained, save_pretrained
from reconstructing_transformer.vision.pretrained import CONFIG, WEIGHTS, PretrainedError
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
