"""The papers' equations, the code that implements them, and the checks that tie the two.

The ground floor of the package: it imports none of the other parts and nothing heavy. A part says which equation a
function computes (`implements`), where it leaves the paper (`deviation`), and how the function was compared with a
reference that it did not produce (`check`). `gather` puts the three together and names every place where they drift
apart.
"""

from reconstructing_transformer.equations.evidence import CheckResult, Evidence, Problem, gather
from reconstructing_transformer.equations.papers import Equation, Paper, PaperError, Symbol, load_papers
from reconstructing_transformer.equations.registry import check, deviation, implements

__all__ = [
    "CheckResult",
    "Equation",
    "Evidence",
    "Paper",
    "PaperError",
    "Problem",
    "Symbol",
    "check",
    "deviation",
    "gather",
    "implements",
    "load_papers",
]
