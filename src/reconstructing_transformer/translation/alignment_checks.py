"""The check of the alignment error rate: the formulas as they are printed, counted cell by cell."""

import numpy as np

from reconstructing_transformer.equations import check
from reconstructing_transformer.transformer.checks import LETTER_BY_LETTER
from reconstructing_transformer.translation.alignment import agreement


@check("och2003-aer", of=agreement, reference=LETTER_BY_LETTER, tolerance=1e-12)
def agreement_is_the_formula(rng: np.random.Generator) -> float:
    """Links as tables of yes and no, a row a word of the source, a column a word of the target."""
    words, others = rng.integers(1, 9, size=2).tolist()
    found, sure = rng.random((2, words, others)) < rng.uniform(0.1, 0.9)
    possible = sure | (rng.random((words, others)) < 0.3)
    found[0, 0] = sure[-1, -1] = possible[-1, -1] = True  # no formula becomes 0/0
    A_and_S = A_and_P = size_A = size_S = 0.0
    for i in range(words):
        for j in range(others):
            A_and_S += found[i, j] and sure[i, j]
            A_and_P += found[i, j] and possible[i, j]
            size_A += found[i, j]
            size_S += sure[i, j]
    expected = [A_and_S / size_S, A_and_P / size_A, 1 - (A_and_S + A_and_P) / (size_A + size_S)]
    ours = agreement(*({(int(i), int(j)) for i, j in np.argwhere(table)} for table in (found, sure, possible)))
    return float(np.abs(np.subtract(ours, expected)).max())
