"""Checks: each equation of LLaMA-2's parts against a reference that this package did not produce.

A reference is PyTorch's or transformers' own code, or the formula as it is printed, written out in NumPy's float64.
Each check draws one random case and returns the largest absolute error.
"""

import math

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from reconstructing_transformer.equations import check
from reconstructing_transformer.llama.attention import grouped_query_attention
from reconstructing_transformer.llama.feed_forward import swiglu
from reconstructing_transformer.llama.normalisation import rms_norm
from reconstructing_transformer.llama.rotary import (
    halve,
    rotary_angles,
    rotary_score,
    rotate,
    rotation_matrix,
)
from reconstructing_transformer.transformer.checks import (
    LETTER_BY_LETTER,
    attention_by_letter,
    draw,
    largest_error,
    numbers,
    sizes,
)


@check("zhang2019-4", of=rms_norm, reference="torch.nn.functional.rms_norm", tolerance=1e-12)
def norm_is_pytorchs(rng: np.random.Generator) -> float:
    """PyTorch's kernel, with LLaMA's ε."""
    batch, n = sizes(rng, 2)
    a, g = draw(rng, batch, n), draw(rng, n)
    return largest_error(rms_norm(a, g, 1e-5), functional.rms_norm(a, (n,), g, 1e-5))


@check("zhang2019-4", of=rms_norm, reference=LETTER_BY_LETTER, tolerance=1e-12)
def norm_is_the_formula(rng: np.random.Generator) -> float:
    """Eq. 4 number by number, without an ε."""
    n = sizes(rng, 1)[0]
    a, g = draw(rng, n), draw(rng, n)
    x, gain = numbers(a, g)
    rms = math.sqrt(sum(x[i] ** 2 for i in range(n)) / n)
    return largest_error(rms_norm(a, g, 0.0), np.array([x[i] / rms * gain[i] for i in range(n)]))


@check("su2021-15", of=rotation_matrix, reference=LETTER_BY_LETTER, tolerance=1e-12)
def matrix_is_the_formula(rng: np.random.Generator) -> float:
    """Eq. 15 entry by entry."""
    half, m = sizes(rng, 2)
    d = 2 * half
    expected = np.zeros((d, d))
    for i in range(1, half + 1):
        angle = m * 10_000 ** (-2 * (i - 1) / d)
        a, b = 2 * i - 2, 2 * i - 1
        expected[a, a] = expected[b, b] = math.cos(angle)
        expected[a, b], expected[b, a] = -math.sin(angle), math.sin(angle)
    return largest_error(rotation_matrix(m, d), expected)


@check("su2021-16", of=rotary_score, reference=LETTER_BY_LETTER, tolerance=1e-9)
def score_is_of_turned_vectors(rng: np.random.Generator) -> float:
    """Query and key are turned, each by its own position, as the left side of Eq. 16 has it."""
    half, d_model = sizes(rng, 2)
    m, n = (int(place) for place in rng.integers(0, 1_000, size=2))
    x_m, x_n, W_q, W_k = (
        draw(rng, d_model),
        draw(rng, d_model),
        draw(rng, 2 * half, d_model),
        draw(rng, 2 * half, d_model),
    )

    def turned(vector: np.ndarray, place: int) -> np.ndarray:
        pairs = vector[0::2] + 1j * vector[1::2]
        angles = place * 10_000.0 ** (-np.arange(half) / half)
        return pairs * np.exp(1j * angles)

    asks, asked, by_q, by_k = numbers(x_m, x_n, W_q, W_k)
    score = np.real(np.vdot(turned(by_q @ asks, m), turned(by_k @ asked, n)))
    return largest_error(rotary_score(x_m, x_n, W_q, W_k, m, n), np.array(score))


@check("su2021-34", of=rotate, reference="transformers' apply_rotary_pos_emb", tolerance=1e-5)
def turn_is_transformers(rng: np.random.Generator) -> float:
    """Transformers turns halves; its order of the numbers is brought into ours and back."""
    from transformers.models.llama.modeling_llama import apply_rotary_pos_emb

    half, length = sizes(rng, 2)
    d = 2 * half
    x = draw(rng, 1, 1, length, d)
    angles = rotary_angles(torch.arange(length), d)
    twice = torch.cat((angles, angles), -1)[None].double()
    theirs, _ = apply_rotary_pos_emb(in_halves(x), in_halves(x), twice.cos(), twice.sin())
    return largest_error(in_halves(rotate(x, angles)), theirs)


def in_halves(x: torch.Tensor) -> torch.Tensor:
    """The numbers of a vector in transformers' order."""
    return halve(x.flatten(0, -2).T.contiguous(), 1).T.view(x.shape)


@check("shazeer2020-6", of=swiglu, reference="transformers' LlamaMLP", tolerance=1e-12)
def gate_is_transformers(rng: np.random.Generator) -> float:
    """The network of transformers' LLaMA with our weights."""
    from transformers import LlamaConfig
    from transformers.models.llama.modeling_llama import LlamaMLP

    batch, d_model, d_ff = sizes(rng, 3)
    theirs = LlamaMLP(
        LlamaConfig(hidden_size=d_model, intermediate_size=d_ff, num_attention_heads=1, head_dim=2)
    ).double()
    W, V, W_2 = draw(rng, d_model, d_ff), draw(rng, d_model, d_ff), draw(rng, d_ff, d_model)
    for layer, weight in ((theirs.gate_proj, W), (theirs.up_proj, V), (theirs.down_proj, W_2)):
        layer.weight = nn.Parameter(weight.T)
    x = draw(rng, batch, d_model)
    return largest_error(swiglu(x, W, V, W_2), theirs(x))


@check("ainslie2023-gqa", of=grouped_query_attention, reference=LETTER_BY_LETTER, tolerance=1e-12)
def groups_share_keys(rng: np.random.Generator) -> float:
    """Each query head with the keys and values of its group, which the formula numbers from 1."""
    g, times, n, m, d_k = sizes(rng, 5, most=4)
    h = g * times
    Q, K, V = draw(rng, h, n, d_k), draw(rng, g, m, d_k), draw(rng, g, m, d_k)
    q, k, v = numbers(Q, K, V)
    groups = [math.ceil(i * g / h) for i in range(1, h + 1)]
    expected = np.stack([attention_by_letter(q[i], k[j - 1], v[j - 1]) for i, j in enumerate(groups)])
    return largest_error(grouped_query_attention(Q, K, V, need_weights=True)[0], expected)


@check("ainslie2023-gqa", of=grouped_query_attention, reference="torch's SDPA, enable_gqa", tolerance=1e-12)
def groups_are_pytorchs(rng: np.random.Generator) -> float:
    """PyTorch's own kernel, which shares the keys without repeating them."""
    g, times, n, d_k = sizes(rng, 4, most=4)
    Q, K, V = draw(rng, 2, g * times, n, d_k), draw(rng, 2, g, n, d_k), draw(rng, 2, g, n, d_k)
    mask = torch.ones(n, n, dtype=torch.bool).tril()
    theirs = functional.scaled_dot_product_attention(Q, K, V, is_causal=True, enable_gqa=True)
    return largest_error(grouped_query_attention(Q, K, V, mask)[0], theirs)
