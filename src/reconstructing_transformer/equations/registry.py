"""What the code says of itself: which equation it implements, where it leaves the paper, how it was checked."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeVar, runtime_checkable

import numpy as np

Defined = TypeVar("Defined", bound=Callable | type)


@runtime_checkable
class Comparison(Protocol):
    """A check's body: compare function and reference on one random case, and return the largest error."""

    __module__: str
    __qualname__: str
    __name__: str

    def __call__(self, rng: np.random.Generator) -> float:
        """Return the largest absolute error of the case that the generator makes."""
        ...


@dataclass(frozen=True)
class Place:
    """Where something is defined."""

    module: str
    qualname: str

    @classmethod
    def of(cls, defined: Callable | type) -> "Place":
        """Return the place of a function or class."""
        return cls(defined.__module__, defined.__qualname__)

    def __str__(self) -> str:
        return f"{self.module}.{self.qualname}"


@dataclass(frozen=True)
class Implementation:
    """A function or class that computes an equation. `names` maps symbols to Python names; None: not in the code."""

    equation: str
    place: Place
    names: Mapping[str, str | None]


@dataclass(frozen=True)
class Deviation:
    """Where a function leaves the paper, and why."""

    equation: str
    place: Place
    title: str
    reason: str
    pytorch: str | None


@dataclass(frozen=True)
class Check:
    """A comparison of an implementation with a reference that our code did not produce."""

    equation: str
    place: Place
    implementation: Place
    reference: str
    tolerance: float
    cases: int
    compare: Comparison


_implementations: dict[tuple[Place, str], Implementation] = {}
_deviations: dict[tuple[Place, str, str], Deviation] = {}
_checks: dict[tuple[Place, str], Check] = {}


def implements(equation: str, **names: str | None) -> Callable[[Defined], Defined]:
    """Say that a function or class computes an equation. It is returned as it came: a call costs nothing more.

    Args:
        equation: id of the equation in `book/papers`.
        names: the Python name of each symbol that the code writes differently (`W_O="output_projection"`), or None for
            a symbol that the code does not need. All other symbols must stand in the code as they are called.
    """

    def register(defined: Defined) -> Defined:
        place = Place.of(defined)
        _implementations[place, equation] = Implementation(equation, place, names)
        return defined

    return register


def deviation(equation: str, *, title: str, reason: str, pytorch: str | None = None) -> Callable[[Defined], Defined]:
    """Record, beside the code, that it leaves the paper's equation, and why.

    Args:
        equation: id of the equation in `book/papers`.
        title: the deviation in a few words.
        reason: what the paper says, what we do, and why, in a sentence or two of Markdown.
        pytorch: what `torch.nn.Transformer` does, where a reader who compares the two would wonder.
    """

    def register(defined: Defined) -> Defined:
        place = Place.of(defined)
        _deviations[place, equation, title] = Deviation(equation, place, title, reason, pytorch)
        return defined

    return register


def check(
    equation: str, *, of: Callable | type, reference: str, tolerance: float, cases: int = 50
) -> Callable[[Comparison], Comparison]:
    """Make a function a check of an equation: it is called with a fresh seeded generator for each case.

    Args:
        equation: id of the equation in `book/papers`.
        of: the implementation that is compared.
        reference: what it is compared with: a library's dotted name, or “NumPy, letter by letter”.
        tolerance: the largest absolute error that passes.
        cases: number of random cases.
    """

    def register(compare: Comparison) -> Comparison:
        place = Place.of(compare)
        _checks[place, equation] = Check(equation, place, Place.of(of), reference, tolerance, cases, compare)
        return compare

    return register


def _within(place: Place, modules: list[str]) -> bool:
    return any(place.module == module or place.module.startswith(f"{module}.") for module in modules)


def registered(modules: list[str]) -> tuple[list[Implementation], list[Deviation], list[Check]]:
    """What the modules, and those below them, have registered so far, in the order of registration."""
    return (
        [entry for entry in _implementations.values() if _within(entry.place, modules)],
        [entry for entry in _deviations.values() if _within(entry.place, modules)],
        [entry for entry in _checks.values() if _within(entry.place, modules)],
    )
