"""One call makes the view that is explored, the figure that stands in for it, and the data of both."""

import base64
import json

import matplotlib.pyplot as plt
import pytest
import torch
from bs4 import BeautifulSoup

from reconstructing_transformer.figures import Start, patch_image, show_attention
from reconstructing_transformer.figures.explore import weights_of
from reconstructing_transformer.transformer import Transformer, record

WORDS = {"id": "heads", "caption": "Weights.", "alt": "Some maps"}
TOKENS = ["the", "crane", "lays"]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("RECONSTRUCT_FIGURES", str(tmp_path))
    return tmp_path


@pytest.fixture
def recording():
    torch.manual_seed(0)
    model = Transformer(11, N=2, d_model=8, d_ff=8, h=2).eval()
    with record(model) as recorded, torch.no_grad():
        model(torch.randint(11, (4, 3)), torch.randint(11, (4, 5)))
    return recorded


def island(figure) -> dict:
    return json.loads(BeautifulSoup(figure.view, "html.parser").script.string)


def test_layers_are_the_attentions_of_that_name(recording):
    weights = weights_of(recording, "decoder.layers.*.cross_attention", 3)
    assert weights.shape == (2, 2, 5, 3)
    for layer in range(2):
        assert torch.equal(weights[layer], recording[f"decoder.layers.{layer}.cross_attention"].weights[3])


def test_a_name_that_nothing_has_is_answered_with_all_names(recording):
    with pytest.raises(ValueError, match=r"no attention named 'coder' was recorded; there are: encoder\.layers\.0"):
        weights_of(recording, "coder", 0)


def test_attentions_that_differ_in_shape_are_no_layers_of_one_view(recording):
    with pytest.raises(ValueError, match="have different shapes"):
        weights_of(recording, "*", 0)


def test_view_and_data_hold_the_same_weights(recording, folder):
    at = "encoder.layers.*.self_attention"
    figure = show_attention(recording, TOKENS, at=at, example=1, **WORDS)
    weights = weights_of(recording, at, 1)
    data = json.loads((folder / "heads.data.json").read_text(encoding="utf-8"))
    assert [axis["name"] for axis in data["axes"]] == ["layer", "head", "query", "key"]
    assert data["axes"][2]["labels"] == TOKENS
    assert torch.allclose(torch.tensor(data["values"]), weights.to(torch.get_default_dtype()), atol=1e-6)
    seen = torch.frombuffer(bytearray(base64.b64decode(island(figure)["weights"])), dtype=torch.uint8)
    assert (seen.view(weights.shape) / 255 - weights).abs().max() <= 0.5 / 255 + 1e-6


def test_the_data_say_what_rows_and_columns_are(folder):
    weights = torch.rand(2, 3, 3, 3).softmax(-1)

    def axes(**names) -> dict[str, list[str]]:
        show_attention(weights, TOKENS, **names, **WORDS)
        return {axis["name"]: axis["labels"] for axis in json.loads((folder / "heads.data.json").read_text())["axes"]}

    turned = axes(rows=["head 1", "head 2"], columns=["layer 1", "layer 2", "layer 3"])
    assert list(turned) == ["head", "layer", "query", "key"]
    assert turned["layer"] == ["layer 1", "layer 2", "layer 3"]
    assert list(axes(rows=["first word", "last word"])) == ["layer", "head", "query", "key"]
    means = axes(rows=["mean", "largest"], columns=["layer 1", "layer 2", "layer 3"])
    assert list(means) == ["head", "layer", "query", "key"]
    alike = axes(rows=["layer 1", "layer 2"], columns=["layer 7", "layer 8", "layer 9"])
    assert list(alike) == ["layer", "head", "query", "key"]


def test_the_still_figure_stands_inside_the_view(recording):
    figure = show_attention(recording, TOKENS, at="encoder.*", **WORDS)
    page = BeautifulSoup(figure.view, "html.parser")
    assert page.select_one("attention-view .static-figure svg")["aria-label"] == "Some maps"
    assert str(page.select_one(".static-figure")).count("<text") == page.select_one("svg").decode().count("<text")


def test_few_tokens_are_named_and_many_are_not():
    few = show_attention(torch.full((2, 3, 3), 1 / 3), TOKENS, **WORDS)
    many = show_attention(torch.full((4, 30, 30), 1 / 30), [f"token{i}" for i in range(30)], **WORDS)
    assert "crane" in few.svg
    assert "token3" not in many.svg
    assert plt.get_fignums() == []


def test_names_of_layers_and_heads_stand_in_both(recording):
    names = {"rows": ["lower", "upper"], "columns": ["left", "right"]}
    figure = show_attention(recording, TOKENS, at="encoder.*", start=Start(1, 0, 2), **names, **WORDS)
    for name in ("lower", "upper", "left", "right"):
        assert name in figure.svg
    assert island(figure)["rows"] == ["lower", "upper"]
    assert island(figure)["start"] == {"row": 1, "column": 0, "query": 2}


def test_an_image_is_its_own_tokens(folder):
    pixels = torch.zeros(8, 8)
    pixels[2:6, 3:5] = 1
    weights = torch.rand(2, 3, 17, 17).softmax(-1)
    figure = show_attention(weights, image=patch_image(pixels, 2), rollout=weights[0, 0], **WORDS)
    seen = island(figure)
    assert (seen["image"]["rows"], seen["image"]["columns"], seen["image"]["class_token"]) == (4, 4, True)
    assert [extra["name"] for extra in seen["extra"]] == ["rollout"]
    assert {path.name for path in folder.glob("*.json")} >= {"heads-map-1.data.json", "heads-map-2.data.json"}
