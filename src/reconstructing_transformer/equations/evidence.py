"""The evidence: what the code says of the papers' equations, what the checks measured, where the two drift apart."""

import importlib
import pkgutil
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
from pydantic import BaseModel, computed_field

from reconstructing_transformer.equations.papers import Equation, Paper
from reconstructing_transformer.equations.registry import Check, Deviation, Implementation, Place, registered
from reconstructing_transformer.equations.source import Snippet, snippet

ROOT_PACKAGE = "reconstructing_transformer"


class ImplementationFact(BaseModel):
    """An implementation as it stands in the source: where, what code, and the Python name of each symbol."""

    equation: str
    module: str
    qualname: str
    file: Path
    line: int
    last_line: int
    code: str
    names: dict[str, str | None]

    @property
    def name(self) -> str:
        """The dotted name."""
        return f"{self.module}.{self.qualname}"


class DeviationFact(BaseModel):
    """A deviation, with the line of the function that it stands beside."""

    equation: str
    module: str
    qualname: str
    file: Path
    line: int
    title: str
    reason: str
    pytorch: str | None = None


class CheckResult(BaseModel):
    """What a check measured."""

    equation: str
    implementation: str
    reference: str
    cases: int
    max_error: float
    tolerance: float
    check: str
    file: Path
    line: int
    failure: str | None = None

    @computed_field
    @property
    def passed(self) -> bool:
        """Whether every case ran and the largest error stayed within the tolerance (a NaN does not)."""
        return self.failure is None and self.max_error <= self.tolerance


class Problem(BaseModel):
    """A drift between paper, code and check, with its place."""

    message: str
    file: Path
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}"


class Evidence(BaseModel):
    """Everything that the book's pages say about equations, as plain data that can be cached between builds."""

    implementations: list[ImplementationFact] = []
    deviations: list[DeviationFact] = []
    results: list[CheckResult] = []
    problems: list[Problem] = []
    files: list[Path] = []

    def implementations_of(self, equation: str) -> list[ImplementationFact]:
        """The functions that compute an equation."""
        return [fact for fact in self.implementations if fact.equation == equation]

    def results_of(self, equation: str) -> list[CheckResult]:
        """What the checks of an equation measured."""
        return [result for result in self.results if result.equation == equation]

    def deviations_of(self, equation: str) -> list[DeviationFact]:
        """Where the code leaves an equation's paper."""
        return [fact for fact in self.deviations if fact.equation == equation]


class _Located(NamedTuple):
    file: Path
    snippet: Snippet


def parts_with_checks() -> list[str]:
    """The parts of the package that implement equations: those with a module of checks."""
    root = importlib.import_module(ROOT_PACKAGE)
    return [
        f"{ROOT_PACKAGE}.{part.name}"
        for part in pkgutil.iter_modules(root.__path__)
        if part.ispkg and any(any((Path(folder) / part.name).glob("*checks.py")) for folder in root.__path__)
    ]


def import_all(modules: list[str]) -> None:
    """Import the modules and all below them, so that what they register is known.

    Raises:
        ModuleNotFoundError: a part needs a library that is not installed. The message names part and remedy.
    """
    for name in modules:
        try:
            module = importlib.import_module(name)
            for below in pkgutil.walk_packages(getattr(module, "__path__", []), f"{name}."):
                importlib.import_module(below.name)
        except ModuleNotFoundError as error:
            extra = name.removeprefix(f"{ROOT_PACKAGE}.")
            raise ModuleNotFoundError(
                f"{name} needs “{error.name}”, which is not installed; "
                f"install it with the part's extra: pip install 'reconstructing-transformer[{extra}]'",
                name=error.name,
            ) from error


def _locate(place: Place) -> _Located:
    file = Path(sys.modules[place.module].__file__ or "")
    return _Located(file, snippet(file, place.qualname))


def run_check(entry: Check) -> CheckResult:
    """Run a check on all its cases, each with a generator of its own, and keep the largest error.

    A case that raises ends the check and becomes its `failure`; it never stops the others from being measured.
    """
    file, place = _locate(entry.place)
    largest, failure = 0.0, None
    for case in range(entry.cases):
        try:
            error = float(entry.compare(np.random.default_rng([case, len(entry.equation)])))
        except Exception as raised:
            failure = f"case {case} raised {type(raised).__name__}: {raised}"
            break
        largest = max(largest, error) if np.isfinite(error) else float("inf")
    return CheckResult(
        equation=entry.equation,
        implementation=str(entry.implementation),
        reference=entry.reference,
        cases=entry.cases,
        max_error=largest,
        tolerance=entry.tolerance,
        check=str(entry.place),
        file=file,
        line=place.line,
        failure=failure,
    )


def _implementation_fact(entry: Implementation, equation: Equation | None) -> ImplementationFact:
    file, found = _locate(entry.place)
    symbols = equation.symbols if equation else {}
    return ImplementationFact(
        equation=entry.equation,
        module=entry.place.module,
        qualname=entry.place.qualname,
        file=file,
        line=found.line,
        last_line=found.last_line,
        code=found.code,
        names={symbol: entry.names.get(symbol, symbol) for symbol in symbols},
    )


def _deviation_fact(entry: Deviation) -> DeviationFact:
    file, found = _locate(entry.place)
    return DeviationFact(
        equation=entry.equation,
        module=entry.place.module,
        qualname=entry.place.qualname,
        file=file,
        line=found.line,
        title=entry.title,
        reason=entry.reason,
        pytorch=entry.pytorch,
    )


def _name_problems(entry: Implementation, equation: Equation) -> list[Problem]:
    """Symbols that the equation lacks, or that the code does not show."""
    file, found = _locate(entry.place)
    problems = []
    for symbol in entry.names.keys() - equation.symbols.keys():
        known = ", ".join(equation.symbols)
        message = f"{equation.id}: {entry.place} maps the symbol “{symbol}”, which the equation does not have ({known})"
        problems.append(Problem(message=message, file=file, line=found.line))
    for symbol in equation.symbols:
        name = entry.names.get(symbol, symbol)
        if name is not None and name not in found.names:
            message = (
                f"{equation.id}: {entry.place} shows no “{name}” for the symbol “{symbol}”; name it so in the code, "
                f"or map it: @implements(…, {symbol}=…)"
            )
            problems.append(Problem(message=message, file=file, line=found.line))
    return problems


def _unknown(entry: Implementation | Deviation | Check, papers: dict[str, Paper]) -> Problem:
    file, found = _locate(entry.place)
    kind = type(entry).__name__.lower()
    known = ", ".join(papers)
    message = f"{entry.equation}: no such equation (named by the {kind} {entry.place}; papers: {known})"
    return Problem(message=message, file=file, line=found.line)


def _missing(
    paper: Paper, equation: Equation, implementations: list[Implementation], checks: list[Check]
) -> list[Problem]:
    """What an equation needs and does not have."""
    here = {"file": paper.path, "line": paper.line_of(equation.id)}
    mine = [entry for entry in implementations if entry.equation == equation.id]
    if not mine:
        return [Problem(message=f"{equation.id}: no function implements this equation", **here)]
    checked = {entry.implementation for entry in checks if entry.equation == equation.id}
    problems = [
        Problem(message=f"{equation.id}: no check compares {entry.place} with a reference", **here)
        for entry in mine
        if entry.place not in checked
    ]
    for place in checked - {entry.place for entry in mine}:
        problems.append(
            Problem(message=f"{equation.id}: a check compares {place}, which does not implement it", **here)
        )
    return problems


def _failed(result: CheckResult) -> Problem:
    what = result.failure or f"largest error {result.max_error:.3g}, allowed {result.tolerance:.3g}"
    message = f"{result.equation}: {result.implementation} does not agree with {result.reference}: {what}"
    return Problem(message=message, file=result.file, line=result.line)


def gather(papers: dict[str, Paper], modules: list[str] | None = None, only: str | None = None) -> Evidence:
    """Import the parts, run their checks, and say where paper, code and check drift apart.

    Args:
        papers: the papers, by id.
        modules: the parts to look at; all parts with a module `checks` where None.
        only: id of the one equation whose checks are run; all where None.
    """
    modules = parts_with_checks() if modules is None else modules
    import_all(modules)
    implementations, deviations, checks = registered(modules)
    equations = {equation.id: equation for paper in papers.values() for equation in paper.equations}
    entries = [*implementations, *deviations, *checks]
    problems = [_unknown(entry, papers) for entry in entries if entry.equation not in equations]
    for entry in implementations:
        if entry.equation in equations:
            problems += _name_problems(entry, equations[entry.equation])
    for paper in papers.values():
        for equation in paper.equations:
            problems += _missing(paper, equation, implementations, checks)
    results = [run_check(entry) for entry in checks if only in (None, entry.equation)]
    problems += [_failed(result) for result in results if not result.passed]
    places = sorted({_locate(entry.place).file for entry in entries})
    return Evidence(
        implementations=[_implementation_fact(entry, equations.get(entry.equation)) for entry in implementations],
        deviations=[_deviation_fact(entry) for entry in deviations],
        results=results,
        problems=problems
        if only is None
        else [problem for problem in problems if problem.message.startswith(f"{only}:")],
        files=places,
    )
