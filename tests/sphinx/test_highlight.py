"""Code on a card is Python's own text, coloured, with the equation's symbols marked."""

import pytest
from bs4 import BeautifulSoup

from reconstructing_transformer.sphinx.highlight import highlight_python


def marks(code: str, names: dict[str, str | None]) -> list[tuple[str, str]]:
    page = BeautifulSoup(highlight_python(code, names), "html.parser")
    return [(mark["data-sym"], mark.get_text()) for mark in page.select("[data-sym]")]


@pytest.mark.parametrize(
    "code",
    [
        "def f(Q, K):\n    return Q @ K  # <QK>\n",
        "x = 'a & b' < \"c\"",
        "\n\n  indented = 1\n",
        "",
        "f'{d_k:>3} {x!r}'",
        "s = '''n × d_k\n  m'''",
    ],
)
def test_colouring_changes_no_character_of_the_code(code):
    names = {"Q": "Q", "d_k": "d_k", "x": "x", "n": "n"}
    page = BeautifulSoup(f"<pre>{highlight_python(code, names)}</pre>", "html.parser")
    assert page.get_text() == code


def test_every_occurrence_of_a_symbol_is_marked():
    assert marks("scores = Q @ K / d_k + Q.size(-1)", {"Q": "Q", "d_k": "d_k"}) == [
        ("Q", "Q"),
        ("d_k", "d_k"),
        ("Q", "Q"),
    ]


def test_a_symbol_is_marked_under_its_python_name():
    assert marks("self.output_projection(heads)", {"W_O": "output_projection"}) == [("W_O", "output_projection")]


def test_a_symbol_in_the_shape_of_a_tensor_is_marked():
    assert marks('x: Float[Tensor, "*batch n d_k"]', {"d_k": "d_k", "x": "x"}) == [("x", "x"), ("d_k", "d_k")]


def test_a_part_of_a_name_is_no_symbol():
    assert marks("Query = Q_1 = KQ = 'Qs d_k2'", {"Q": "Q", "K": "K", "d_k": "d_k"}) == []


def test_a_comment_and_a_docstring_are_prose():
    assert marks('def f():\n    """Q."""\n    return 1  # Q', {"Q": "Q"}) == []


def test_a_symbol_without_a_python_name_is_marked_nowhere():
    assert marks("i = 0", {"i": None}) == []
