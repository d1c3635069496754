"""Sixteen numbers for all weights: the levels of 4-bit types, between -1 and 1, and those of an 8-bit one.

A type is its levels, in ascending order; a code is the number of a level. NF4 is Dettmers et al. 2023, §3.
"""

import torch
from jaxtyping import Float
from torch import Tensor

from reconstructing_transformer.equations import deviation, implements

OFFSET = 0.9677083  # 1 - ½(1/32 + 1/30): half a share of 16 levels and half a share of 15, and the mean of the two


@implements("dettmers2023-4")
def quantile_midpoints(k: int) -> Float[Tensor, " levels"]:
    """Eq. 4 as it is printed: q_i = ½ (Q_X(i / (2^k + 1)) + Q_X((i + 1) / (2^k + 1))), for i = 1 … 2^k - 1.

    Args:
        k: number of bits.

    Returns:
        Levels in ascending order, not yet normalised. For i = 0 and i = 2^k the equation is infinite.
    """
    Q_X = torch.special.ndtri  # the quantile function of the standard normal distribution
    i = torch.arange(1, 2**k, dtype=torch.float64)
    return (Q_X(i / (2**k + 1)) + Q_X((i + 1) / (2**k + 1))) / 2


@deviation(
    "dettmers2023-4",
    title="The authors' table, not the printed formula",
    reason="Eq. 4 is infinite at its ends, and so leaves 15 of 16 levels for four bits, alike on both sides of zero. "
    "The authors' program takes quantiles themselves, not the midpoints of two: eight above zero and seven below it, "
    "evenly spaced in probability up to 0.9677083, zero between them, all divided by the largest. Those are the levels "
    "that the paper prints in its Appendix E.",
)
@implements("dettmers2023-4")
def normal_float(k: int = 4) -> Float[Tensor, " levels"]:
    """The levels of k-bit NormalFloat: quantiles of the normal distribution, with a zero, from -1 to 1.

    Args:
        k: number of bits.

    Returns:
        2^k levels in ascending order, in float32 all through, as the authors' program computes them.
    """
    Q_X = torch.special.ndtri
    above = torch.linspace(OFFSET, 0.5, 2 ** (k - 1) + 1)[:-1]  # probabilities, without that of zero
    below = torch.linspace(OFFSET, 0.5, 2 ** (k - 1))[:-1]
    q = torch.cat([-Q_X(below.double()), torch.zeros(1), Q_X(above.double()).flip(0)]).float()
    return q / q.max()


def four_bit_float() -> Float[Tensor, " levels"]:
    """The levels of FP4: a sign, two bits of exponent, one of mantissa, as bitsandbytes orders its exponents.

    Returns:
        15 different levels in ascending order; the sixteenth code is a second zero, which nobody needs.
    """
    positive = torch.tensor([1 / 16, 2, 3, 4, 6, 8, 12]) / 12
    return torch.cat([-positive.flip(0), torch.zeros(1), positive])


def four_bit_integer() -> Float[Tensor, " levels"]:
    """The levels of INT4: the integers from -7 to 7, evenly spaced.

    Returns:
        15 levels in ascending order; symmetric, so that zero is one of them.
    """
    return torch.arange(-7, 8) / 7


def eight_bit_dynamic() -> Float[Tensor, " levels"]:
    """The levels of the 8-bit type that bitsandbytes stores its constants in: seven decades, finer towards one.

    Returns:
        256 levels in ascending order.
    """
    decades = []
    for exponent in range(7):
        edges = torch.linspace(0.1, 1, 2**exponent + 1)
        decades.append(10.0 ** (exponent - 6) * (edges[:-1] + edges[1:]) / 2)
    positive = torch.cat(decades)
    return torch.cat([-positive.flip(0), torch.zeros(1), positive, torch.ones(1)])
