"""The three attentions of an encoder-decoder stand where they belong, and are the weights that were given."""

import matplotlib.pyplot as plt
import pytest
import torch

from reconstructing_transformer.figures.attention_places import attention_places
from reconstructing_transformer.figures.figure import OWN_DATA

SOURCE, TARGET = ["Ich", "gehe", ".", "⏎"], ["I", "am", "going", ".", "⏎"]
ENCODER, DECODER, CROSS = (torch.rand(n, m).softmax(-1) for n, m in ((4, 4), (5, 5), (5, 4)))


@pytest.fixture
def figure():
    plt.switch_backend("agg")
    yield attention_places(ENCODER, DECODER.tril(), CROSS, SOURCE, TARGET)
    plt.close("all")


def test_each_map_has_its_own_tokens(figure):
    drawn = [data for _, data in figure.__dict__[OWN_DATA]]
    assert [tuple(data.axes.values()) for data in drawn] == [
        (SOURCE, SOURCE),
        (TARGET, ["begin", *TARGET[:-1]]),
        (TARGET, SOURCE),
    ]
    for data, weights in zip(drawn, (ENCODER, DECODER.tril(), CROSS), strict=True):
        assert torch.equal(torch.as_tensor(data.values), weights)


def test_the_cross_attention_stands_above_the_decoder_and_beside_the_memory(figure):
    encoder, decoder, cross = (axes.get_position() for axes in figure.axes[:3])
    assert cross.y0 > decoder.y1
    assert cross.x0 == decoder.x0 > encoder.x1
    assert [text.get_text() for text in figure.axes[3].texts[:3]] == [
        "encoder self-attention",
        "decoder self-attention",
        "cross-attention",
    ]
    assert "memory" in [text.get_text() for text in figure.axes[3].texts]


def test_all_that_is_drawn_lies_inside_the_figure(figure):
    figure.draw_without_rendering()
    whole = figure.bbox
    for axes in figure.axes:
        box = axes.get_tightbbox()
        assert whole.x0 <= box.x0
        assert box.x1 <= whole.x1
        assert whole.y0 <= box.y0
        assert box.y1 <= whole.y1
