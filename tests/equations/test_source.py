"""A snippet is what a reader compares with the equation: the code, and nothing that stands around it."""

import pytest

from reconstructing_transformer.equations.source import snippet

FILE = '''"""A module."""


@decorated(
    by=this,
)
def double(x: "n d_k", *, factor=2) -> float:
    """Twice a number.

    In two paragraphs.
    """

    scaled = factor * x.real  # why not
    return round(scaled, ndigits=3)


class Doubling:
    """A class."""

    size: int = 2

    @decorated
    def forward(self, x):
        """Twice."""
        return self.size * x

    class Inner:
        def backward(self, x):
            def nested(y):
                """Half."""
                return y / 2

            return nested(x)


async def later(x):
    return x


if True:
    def hidden(x):
        return x
'''


@pytest.fixture
def cut(tmp_path):
    path = tmp_path / "module.py"
    path.write_text(FILE, encoding="utf-8")
    return lambda name: snippet(path, name)


def test_a_snippet_has_neither_decorators_nor_docstring(cut):
    assert cut("double").code == (
        'def double(x: "n d_k", *, factor=2) -> float:\n'
        "    scaled = factor * x.real  # why not\n"
        "    return round(scaled, ndigits=3)"
    )


def test_a_snippet_knows_its_lines(cut):
    lines = FILE.splitlines()
    found = cut("double")
    assert lines[found.line - 1].startswith("def double")
    assert lines[found.last_line - 1].endswith("ndigits=3)")


def test_a_method_is_cut_out_at_the_margin(cut):
    assert cut("Doubling.forward").code == "def forward(self, x):\n    return self.size * x"


def test_a_class_is_cut_out_without_the_docstrings_and_decorators_inside(cut):
    code = cut("Doubling").code
    assert code.startswith("class Doubling:\n    size: int = 2\n")
    assert "A class" not in code
    assert "Twice" not in code
    assert "Half" not in code
    assert "@" not in code
    assert "    def forward(self, x):\n        return self.size * x" in code


def test_a_method_of_an_inner_class_is_found(cut):
    assert cut("Doubling.Inner.backward").code == (
        "def backward(self, x):\n    def nested(y):\n        return y / 2\n\n    return nested(x)"
    )


def test_an_asynchronous_function_is_found(cut):
    assert cut("later").code == "async def later(x):\n    return x"


def test_the_names_are_those_that_the_code_uses(cut):
    names = cut("double").names
    assert {"x", "factor", "scaled", "real", "ndigits", "round"} <= names
    assert "Twice" not in names
    assert "double" not in names


@pytest.mark.parametrize("name", ["triple", "Doubling.backward", "hidden", "double.nested"])
def test_a_definition_that_is_not_there_is_named_with_its_file(cut, name):
    with pytest.raises(LookupError, match=rf"module\.py: no definition named {name}"):
        cut(name)


def test_a_file_that_changes_is_read_again(tmp_path):
    path = tmp_path / "module.py"
    path.write_text("def one():\n    return 1\n", encoding="utf-8")
    assert "return 1" in snippet(path, "one").code
    path.write_text("def one():\n    return 1.0\n", encoding="utf-8")
    assert "return 1.0" in snippet(path, "one").code
