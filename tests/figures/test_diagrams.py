"""The paper's Figures 1 and 2, drawn anew: all its boxes, in the page's colours, and one thing that crosses."""

import re

import matplotlib.pyplot as plt
import pytest

from reconstructing_transformer.figures import (
    attention_diagram,
    decoder_diagram,
    encoder_diagram,
    multi_head_diagram,
    show,
    steps_diagram,
    transformer_diagram,
    vision_transformer_diagram,
)

ALL = [
    attention_diagram,
    multi_head_diagram,
    encoder_diagram,
    decoder_diagram,
    transformer_diagram,
    vision_transformer_diagram,
    steps_diagram,
]
DIAGRAMS = pytest.mark.parametrize("draw", ALL)


@pytest.fixture(autouse=True)
def headless():
    plt.switch_backend("agg")
    yield
    plt.close("all")


def words(draw) -> list[str]:
    return [text.get_text().replace("\n", " ") for text in draw().axes[0].texts]


def test_an_encoder_layer_looks_around_then_thinks():
    assert words(encoder_diagram).count("multi-head self-attention") == 1
    assert words(encoder_diagram).count("feed-forward") == 1
    assert words(encoder_diagram).count("add & norm") == 2


def test_a_decoder_layer_looks_twice_then_thinks():
    assert words(decoder_diagram).count("masked multi-head self-attention") == 1
    assert words(decoder_diagram).count("multi-head cross-attention") == 1
    assert words(decoder_diagram).count("add & norm") == 3


def test_attention_is_two_products_with_a_softmax_between():
    boxes = words(attention_diagram)
    assert [boxes.count(box) for box in ("Q Kᵀ", "÷ √d_k", "mask, if there is one", "softmax", "weights · V")] == [
        1
    ] * 5


def test_many_heads_are_projections_attentions_and_one_more_projection():
    boxes = words(multi_head_diagram)
    assert all(boxes.count(f"linear, W_{name}") == 1 for name in "QKVO")
    assert boxes.count("attention") == 1


def test_the_whole_has_both_halves():
    boxes = words(transformer_diagram)
    assert [boxes.count(box) for box in ("embedding", "N ×", "add & norm", "softmax")] == [2, 2, 5, 1]
    assert boxes.count("memory") == 1


def test_each_step_to_llama_has_its_own_parts():
    boxes = words(steps_diagram)
    counts = {part: boxes.count(part) for part in ("LayerNorm", "RMSNorm", "+ sinusoids", "SwiGLU network")}
    assert counts == {"LayerNorm": 2 + 3, "RMSNorm": 4 * 3, "+ sinusoids": 3, "SwiGLU network": 2}
    assert [boxes.count(name) for name in ("multi-head attention", "rotary multi-head", "rotary grouped")] == [3, 2, 1]


def test_a_vision_transformers_layer_normalises_before_it_adds():
    boxes = words(vision_transformer_diagram)
    assert [boxes.count(box) for box in ("norm", "multi-head self-attention", "MLP", "L ×")] == [3, 1, 1, 1]
    heights = [(text.get_position()[1], text.get_text()) for text in vision_transformer_diagram().axes[0].texts]
    upwards = [text for _, text in sorted(heights) if text.startswith(("norm", "multi", "MLP", "Eq."))]
    assert [text.replace("\n", " ") for text in upwards] == [
        "Eq. 1",
        *("norm", "multi-head self-attention", "Eq. 2"),
        *("norm", "MLP", "Eq. 3"),
        *sorted(("Eq. 4", "norm")),
    ]


@DIAGRAMS
def test_nothing_is_drawn_outside_the_figure(draw):
    figure = draw()
    figure.canvas.draw()
    whole = figure.bbox
    for artist in (*figure.axes[0].texts, *figure.axes[0].patches):
        extent = artist.get_window_extent()
        assert whole.x0 <= extent.x0 <= extent.x1 <= whole.x1, artist
        assert whole.y0 <= extent.y0 <= extent.y1 <= whole.y1, artist


@DIAGRAMS
def test_all_colours_are_the_pages(draw):
    svg = show(draw(), "diagram", caption="A diagram.", alt="A diagram").svg
    assert not re.search(r"(?:fill|stroke): #", svg)
