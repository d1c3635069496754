"""What the code says of itself is kept, and changes nothing about the code."""

from reconstructing_transformer.equations import check, deviation, implements
from reconstructing_transformer.equations.registry import Place, registered


def test_a_function_that_implements_an_equation_is_the_very_same_object():
    def double(x):
        return 2 * x

    assert implements("toy2020-1", a=None)(double) is double
    assert deviation("toy2020-1", title="A title", reason="A reason")(double) is double
    assert vars(double) == {}


def test_a_class_that_implements_an_equation_is_the_very_same_object():
    class Doubling:
        pass

    assert implements("toy2020-1")(Doubling) is Doubling


def test_a_check_is_the_very_same_function():
    def compare(rng):
        return 0.0

    assert check("toy2020-1", of=compare, reference="itself", tolerance=0.0)(compare) is compare


def test_a_place_is_named_by_module_and_qualified_name():
    assert str(Place.of(Place.of)) == "reconstructing_transformer.equations.registry.Place.of"


def made_by(module):
    """A function that says that it was defined in a module of that name."""

    def function(x):
        return x

    function.__module__, function.__qualname__ = module, "function"
    return function


def test_only_what_the_asked_modules_registered_comes_back():
    inside, below, beside = (implements("toy2020-1")(made_by(name)) for name in ("box", "box.below", "boxer"))
    implementations, deviations, checks = registered(["box"])
    assert [entry.place for entry in implementations] == [Place.of(inside), Place.of(below)]
    assert Place.of(beside) not in [entry.place for entry in implementations]
    assert deviations == []
    assert checks == []


def test_a_module_that_is_imported_again_registers_nothing_twice():
    again = made_by("imported.again")
    for _ in range(2):
        implements("toy2020-1")(again)
        deviation("toy2020-1", title="A title", reason="A reason")(again)
        check("toy2020-1", of=again, reference="itself", tolerance=0.0)(again)
    assert [len(entries) for entries in registered(["imported.again"])] == [1, 1, 1]


def test_symbols_keep_the_names_that_the_code_gives_them():
    implements("toy2020-1", W_O="output_projection", d_k=None)(made_by("named"))
    (implementation,), _, _ = registered(["named"])
    assert implementation.names == {"W_O": "output_projection", "d_k": None}
