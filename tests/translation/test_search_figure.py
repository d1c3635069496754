"""The tree of a beam search shows each candidate, where it came from, and what became of it."""

import math

import matplotlib.pyplot as plt
import pytest
import torch
from matplotlib.colors import to_hex

from reconstructing_transformer.figures import ACCENT, SECOND
from reconstructing_transformer.translation.beam import Candidate, beam_search, search_tree
from reconstructing_transformer.translation.model import TranslationModel
from reconstructing_transformer.translation.search_figure import draw_search, percent, search_data
from reconstructing_transformer.translation.tokeniser import END, Tokeniser

TOKENISER = Tokeniser.train(["a bc abc cab a bc", "bc a abc a cab a"], 60)
A, B, C = TOKENISER.encode(["a bc abc"])[0][:3]
TREE = [
    [Candidate(None, A, math.log(0.6), "live"), Candidate(None, B, math.log(0.4), "live")],
    [
        Candidate(1, END, math.log(0.39), "ended"),
        Candidate(0, C, math.log(0.3), "live"),
        Candidate(0, B, math.log(0.2), "dropped"),
    ],
]


@pytest.fixture(autouse=True)
def no_window():
    plt.switch_backend("agg")
    yield
    plt.close("all")


def words(figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].texts]


def test_every_candidate_is_there_with_its_probability():
    figure = draw_search(TREE, TOKENISER, best=[B])
    assert words(figure) == ["begin", "a", "60 %", "bc", "40 %", "⏎", "39 %", *_word(C), "30 %", "bc", "20 %"]


def _word(token: int) -> list[str]:
    return TOKENISER.tokens([token])


def test_the_data_are_the_tree():
    data = search_data(TREE, TOKENISER)
    assert data["tree"]["candidate"].tolist() == ["1a", "1b", "2a", "2b", "2c"]
    assert data["tree"]["parent"].tolist() == ["begin", "begin", "1b", "1a", "1a"]
    assert data["tree"]["fate"].tolist() == ["live", "live", "ended", "live", "dropped"]
    assert data["probabilities"].values == pytest.approx([0.6, 0.4, 0.39, 0.3, 0.2])


def test_two_ways_are_marked_as_far_as_they_go():
    figure = draw_search(TREE, TOKENISER, best=[B], beside=[A, B, C])
    colours = [to_hex(line.get_color()) for line in figure.axes[0].lines]
    assert [colours.count(colour) for colour in (ACCENT, SECOND)] == [2, 2]
    assert colours[1] == colours[2] == ACCENT  # to 1b, and on to its end


def test_siblings_stand_below_their_parent_and_nothing_stands_on_anything_else():
    figure = draw_search(TREE, TOKENISER, best=[B])
    places = [text.get_position() for text in figure.axes[0].texts[1::2]]
    ended, first, second = places[2:]
    assert first[0] < second[0] < ended[0], "the children of 1a on the left, that of 1b on the right"
    assert len({(round(x, 3), round(y, 3)) for x, y in places}) == len(places)
    figure.draw_without_rendering()
    for text in figure.axes[0].texts:
        box = text.get_window_extent()
        assert figure.bbox.x0 <= box.x0
        assert box.x1 <= figure.bbox.x1
        assert figure.bbox.y0 <= box.y0
        assert box.y1 <= figure.bbox.y1


def test_a_real_search_can_be_drawn_and_its_best_way_reaches_the_end():
    torch.manual_seed(1)
    model = TranslationModel(len(TOKENISER), N=1, d_model=16, d_ff=16, h=2, dropout=0.0).eval()
    source = torch.tensor([A, B, END])
    tree = search_tree(model, source, beam_size=3, alpha=0.0, most=6)
    [[best]] = beam_search(model, source.unsqueeze(0), beam_size=3, alpha=0.0, most=6)
    figure = draw_search(tree, TOKENISER, best.tokens)
    red = [line for line in figure.axes[0].lines if to_hex(line.get_color()) == ACCENT]
    assert len(red) == len(best.tokens) + best.ended
    assert len(search_data(tree, TOKENISER)["tree"]) == sum(map(len, tree))


@pytest.mark.parametrize(
    ("probability", "written"),
    [(1.0, "100 %"), (0.31, "31 %"), (0.0996, "10 %"), (0.031, "3.1 %"), (0.0031, "0.3 %"), (0.0004, "< 0.1 %")],
)
def test_probabilities_are_written_in_few_digits(probability, written):
    assert percent(probability) == written


def test_long_words_are_cut():
    long = Tokeniser.train(["immeasurableness immeasurableness"], 60)
    [token] = long.encode(["immeasurableness"])[0]
    figure = draw_search([[Candidate(None, token, -0.1, "live")]], long, best=[])
    assert words(figure)[1] == "immeasur…"
