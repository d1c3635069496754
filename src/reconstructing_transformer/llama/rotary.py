"""Rotary positions (Su et al. 2021): queries and keys are turned by their positions, and the angle between counts."""

import math

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor

from reconstructing_transformer.equations import deviation, implements


def rotary_angles(positions: Int[Tensor, " length"], d: int, base: float = 10_000.0) -> Float[Tensor, "length half"]:
    """The angle m·θ_i by which position m turns the i-th pair of numbers, with θ_i = base^(−2(i−1)/d), i = 1 … d/2.

    Args:
        positions: m, one a token.
        d: width of a head; even.
        base: 10,000 in the paper. The larger it is, the slower the slow pairs turn.

    Returns:
        Angles in radians, taken in float64 and given in float32: at position 8,000 float32 alone would be off by 5e-4.

    Raises:
        ValueError: d is odd.
    """
    if d % 2:
        raise ValueError(f"numbers are turned in pairs, so a head must have an even width; got d={d}")
    theta = base ** (-torch.arange(0, d, 2, dtype=torch.float64, device=positions.device) / d)
    return (positions.double()[:, None] * theta).float()


@implements("su2021-15")
def rotation_matrix(m: int, d: int, base: float = 10_000.0) -> Float[Tensor, "d d"]:
    """The matrix R^d_{Θ,m} of Eq. 15: a rotation of each pair of neighbouring numbers, each by its own angle.

    Args:
        m: the position, or a difference of two.
        d: width of a head; even.
        base: of the angles.

    Returns:
        The matrix, in float64.
    """
    R = torch.zeros(d, d, dtype=torch.float64)
    for i in range(d // 2):
        theta = base ** (-2 * i / d)
        c, s = (torch.tensor(f(m * theta), dtype=torch.float64) for f in (math.cos, math.sin))
        R[2 * i : 2 * i + 2, 2 * i : 2 * i + 2] = torch.stack([torch.stack([c, -s]), torch.stack([s, c])])
    return R


@deviation(
    "su2021-34",
    title="Another order of the numbers, elsewhere",
    reason="The paper turns neighbours, $x_1$ with $x_2$, and so do we. Hugging Face turns $x_i$ with $x_{i+d/2}$: "
    "the same rotation of numbers in another order. `interleave` brings the rows of their $W_q$ and $W_k$ into "
    "the paper's.",
    pytorch="transformers' LLaMA has the order of halves; Meta's own code has the paper's.",
)
@implements("su2021-34", R=None, d=None, m=None, theta="angles")
def rotate(
    x: Float[Tensor, "*batch length d"], angles: Float[Tensor, "length half"]
) -> Float[Tensor, "*batch length d"]:
    """R^d_{Θ,m} x without the matrix, Eq. 34 of Su et al. 2021: two products and a sum instead of d² of them.

    Args:
        x: queries or keys, one a position.
        angles: of each position and pair, as `rotary_angles` gives them.

    Returns:
        The turned vectors, as long as they were.
    """
    cos, sin = (f(angles).to(x.dtype).repeat_interleave(2, -1) for f in (torch.cos, torch.sin))
    turned = torch.stack((-x[..., 1::2], x[..., 0::2]), -1).flatten(-2)  # (−x_2, x_1, −x_4, x_3, …)
    return x * cos + turned * sin


@implements("su2021-16", q_m=None, k_n=None, R="rotation_matrix")
def rotary_score(
    x_m: Float[Tensor, " d_model"],
    x_n: Float[Tensor, " d_model"],
    W_q: Float[Tensor, "d d_model"],
    W_k: Float[Tensor, "d d_model"],
    m: int,
    n: int,
) -> Float[Tensor, ""]:
    """q_mᵀ k_n as Eq. 16 has it: one rotation by the distance n − m, where m and n themselves no longer occur.

    Args:
        x_m: the word that asks.
        x_n: the word that is asked.
        W_q: projection of queries.
        W_k: projection of keys.
        m: position of the first.
        n: position of the second.

    Returns:
        The score, before it is divided by √d.
    """
    return x_m @ W_q.T @ rotation_matrix(n - m, len(W_q)).to(x_m.dtype) @ W_k @ x_n


def interleave(W: Float[Tensor, "rows d_model"], heads: int) -> Float[Tensor, "rows d_model"]:
    """Bring the rows of a projection from Hugging Face's order, first halves then second, into the paper's: pairs.

    Args:
        W: W_q or W_k of all heads, one below the other.
        heads: how many.

    Returns:
        The same rows: 1, d/2+1, 2, d/2+2, … of each head.
    """
    return rearrange(W, "(h two half) d_model -> (h half two) d_model", h=heads, two=2)


def halve(W: Float[Tensor, "rows d_model"], heads: int) -> Float[Tensor, "rows d_model"]:
    """Undo `interleave`.

    Args:
        W: W_q or W_k in the paper's order.
        heads: how many.
    """
    return rearrange(W, "(h half two) d_model -> (h two half) d_model", h=heads, two=2)
