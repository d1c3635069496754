"""Where paper, code and check drift apart, the evidence says so, and says where."""

import sys
from pathlib import Path

import pytest

from reconstructing_transformer.equations import Evidence, gather, load_papers
from reconstructing_transformer.equations.evidence import CheckResult, import_all, parts_with_checks


def only_problem(evidence: Evidence, quoted: str) -> str:
    """The message of the one problem, whose place is the line that says `quoted`."""
    (problem,) = evidence.problems
    line = problem.file.read_text(encoding="utf-8").splitlines()[problem.line - 1]
    assert quoted in line, f"{problem} points at “{line}”"
    assert str(problem) == f"{problem.file}:{problem.line}: {problem.message}"
    return problem.message


@pytest.fixture
def gathered(toy_papers, write_module, module_text):
    """The evidence of the toy module in which something was replaced."""

    def gather_with(old: str = "", new: str = "") -> Evidence:
        assert old in module_text
        return gather(toy_papers, [write_module(module_text.replace(old, new, 1))])

    return gather_with


def test_paper_code_and_check_that_agree_leave_no_problem(gathered):
    evidence = gathered()
    assert evidence.problems == []
    assert [fact.equation for fact in evidence.implementations] == ["toy2020-1", "toy2020-half"]
    assert all(result.passed for result in evidence.results)


def test_the_evidence_says_what_each_equation_stands_on(gathered):
    evidence = gathered()
    (fact,) = evidence.implementations_of("toy2020-1")
    assert fact.qualname == "double"
    assert fact.code == "def double(x):\n    factor = 2\n    return factor * x"
    assert fact.file.read_text(encoding="utf-8").splitlines()[fact.line - 1] == "def double(x):"
    assert fact.names == {"x": "x", "a": "factor"}
    (deviation,) = evidence.deviations_of("toy2020-1")
    assert (deviation.title, deviation.reason) == ("Factor", "The paper leaves it *open*.")
    (result,) = evidence.results_of("toy2020-1")
    assert (result.implementation, result.reference, result.cases) == (fact.name, "addition", 7)
    assert evidence.files == [fact.file]


def test_the_evidence_survives_being_written_down(gathered):
    evidence = gathered()
    assert Evidence.model_validate_json(evidence.model_dump_json()) == evidence


def test_an_equation_that_no_function_implements_is_a_problem(gathered, module_text):
    start, end = module_text.index('@implements("toy2020-half")'), module_text.index('@check("toy2020-1"')
    without = module_text[:start] + module_text[end : module_text.index('@check("toy2020-half"')]
    message = only_problem(gathered(module_text, without), "id: toy2020-half")
    assert message == "toy2020-half: no function implements this equation"


def test_an_implementation_that_no_check_compares_is_a_problem(gathered, module_text):
    without = module_text[: module_text.index('@check("toy2020-half"')]
    message = only_problem(gathered(module_text, without), "id: toy2020-half")
    assert message.startswith("toy2020-half: no check compares toys_")
    assert ".half with a reference" in message


def test_a_second_implementation_needs_a_check_of_its_own(gathered):
    second = '@implements("toy2020-half")\ndef halved(x):\n    return 0.5 * x\n\n\n@check("toy2020-1"'
    message = only_problem(gathered('@check("toy2020-1"', second), "id: toy2020-half")
    assert ".halved with a reference" in message


def test_a_check_that_fails_is_a_problem(gathered):
    message = only_problem(gathered("return x / 2", "return x / 3"), "def half_is_a_product")
    assert message.startswith("toy2020-half: toys_")
    assert "half does not agree with multiplication: largest error 0." in message
    assert message.endswith("allowed 1e-12")


def test_a_check_that_measures_nothing_is_a_problem(gathered):
    message = only_problem(gathered("abs(half(x) - 0.5 * x)", 'float("nan")'), "def half_is_a_product")
    assert "does not agree with multiplication: largest error inf" in message


def test_a_nan_among_good_cases_is_a_problem(gathered):
    once = 'abs(half(x) - 0.5 * x) if rng.random() < 0.8 else float("nan")'
    assert "largest error inf" in only_problem(gathered("abs(half(x) - 0.5 * x)", once), "def half_is_a_product")


def test_a_check_that_raises_is_a_problem_and_stops_no_other(gathered):
    evidence = gathered("x = rng.random()", 'raise RuntimeError("no such thing")')
    message = only_problem(evidence, "def double_is_a_sum")
    assert "does not agree with addition: case 0 raised RuntimeError: no such thing" in message
    assert [result.passed for result in evidence.results] == [False, True]


NAMED_BY = {
    "implementation": ('@implements("toy2020-half")', '@implements("toy2020-9")\n@implements("toy2020-half")', "half"),
    "deviation": ('@deviation("toy2020-1"', '@deviation("toy2020-9"', "double"),
    "check": (
        '@check("toy2020-half"',
        '@check("toy2020-9", of=half, reference="", tolerance=1.0)\n@check("toy2020-half"',
        "half_is_a_product",
    ),
}


@pytest.mark.parametrize("kind", NAMED_BY)
def test_an_equation_that_no_paper_has_is_a_problem(gathered, kind):
    old, new, place = NAMED_BY[kind]
    message = only_problem(gathered(old, new), f"def {place}(")
    assert message.startswith(f"toy2020-9: no such equation (named by the {kind} toys_")
    assert message.endswith(f".{place}; papers: toy2020)")


def test_a_mapped_symbol_that_the_equation_lacks_is_a_problem(gathered):
    message = only_problem(gathered('a="factor"', 'a="factor", b="x"'), "def double(")
    assert message.startswith("toy2020-1: ")
    assert "maps the symbol “b”, which the equation does not have (x, a)" in message


def test_a_symbol_that_the_code_does_not_show_is_a_problem(gathered):
    message = only_problem(gathered(', a="factor"', ""), "def double(")
    assert "shows no “a” for the symbol “a”" in message
    assert "@implements(…, a=…)" in message


def test_a_mapped_name_that_the_code_does_not_show_is_a_problem(gathered):
    message = only_problem(gathered('a="factor"', 'a="multiplier"'), "def double(")
    assert "shows no “multiplier” for the symbol “a”" in message


def test_a_symbol_that_the_code_does_not_need_is_no_problem(gathered):
    assert gathered('a="factor"', "a=None").problems == []


def test_a_check_of_something_that_does_not_implement_the_equation_is_a_problem(gathered):
    evidence = gathered('@check("toy2020-half", of=half', '@check("toy2020-half", of=double')
    messages = sorted(problem.message for problem in evidence.problems)
    assert len(messages) == 2
    assert ".double, which does not implement it" in messages[0]
    assert ".half with a reference" in messages[1]


def test_one_equation_is_measured_alone(toy_papers, write_module, module_text):
    broken = module_text.replace("return x / 2", "return x / 3").replace('reference="addition"', 'reference="sum"')
    name = write_module(broken)
    evidence = gather(toy_papers, [name], only="toy2020-1")
    assert [result.equation for result in evidence.results] == ["toy2020-1"]
    assert evidence.problems == []
    assert len(gather(toy_papers, [name], only="toy2020-half").problems) == 1


def test_every_case_has_random_numbers_of_its_own_and_the_same_ones_again(toy_papers, write_module, module_text):
    drawn = "drawn = []\n\n\n" + module_text.replace(
        "    return abs(double", "    drawn.append(x)\n    return abs(double"
    )
    name = write_module(drawn)
    gather(toy_papers, [name])
    first = list(sys.modules[name].drawn)
    gather(toy_papers, [name])
    assert len(set(first)) == 7
    assert sys.modules[name].drawn == first * 2


def test_modules_below_a_package_are_imported_too(tmp_path, monkeypatch, toy_papers, module_text):
    package = tmp_path / "toybox_of_modules"
    (package / "inner").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "inner" / "__init__.py").write_text("")
    (package / "inner" / "deep.py").write_text(module_text, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    evidence = gather(toy_papers, ["toybox_of_modules"])
    assert evidence.problems == []
    assert {fact.module for fact in evidence.implementations} == {"toybox_of_modules.inner.deep"}


def test_a_part_whose_library_is_missing_says_how_to_install_it(write_module):
    name = write_module("import surely_not_installed\n")
    with pytest.raises(ModuleNotFoundError, match=rf"{name} needs “surely_not_installed”.*pip install"):
        import_all([name])


def test_a_check_passes_up_to_its_tolerance():
    def result(error: float) -> CheckResult:
        return CheckResult(
            equation="toy2020-1", implementation="", reference="", cases=1, max_error=error, tolerance=1e-12,
            check="", file=Path("x.py"), line=1,
        )  # fmt: skip

    assert result(1e-12).passed
    assert result(0.0).passed
    assert not result(1.1e-12).passed
    assert not result(float("nan")).passed


@pytest.fixture(scope="module")
def book():
    papers = load_papers()
    return papers, gather(papers)


def test_the_book_does_not_drift(book):
    assert [str(problem) for problem in book[1].problems] == []


@pytest.mark.parametrize("name", ["1", "2", "3", "multi-head", "residual", "embedding", "position", "smoothing"])
def test_an_equation_of_attention_is_all_you_need_has_code_and_proof(book, name):
    _, evidence = book
    equation = f"vaswani2017-{name}"
    assert evidence.implementations_of(equation)
    assert evidence.results_of(equation)
    assert all(result.passed for result in evidence.results_of(equation))


def test_every_equation_of_the_book_has_code_and_proof(book):
    papers, evidence = book
    equations = [equation.id for paper in papers.values() for equation in paper.equations]
    assert len(equations) >= 8
    assert all(evidence.implementations_of(equation) and evidence.results_of(equation) for equation in equations)


def test_every_part_of_the_package_with_checks_is_looked_at():
    assert "reconstructing_transformer.transformer" in parts_with_checks()
