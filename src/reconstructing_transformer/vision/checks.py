"""Checks: each equation of this part's papers against a reference that this package did not produce.

A reference is PyTorch's own modules, or the formula as it is printed, written out in NumPy's float64. Each check draws
one random case and returns the largest absolute error.
"""

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from reconstructing_transformer.equations import check
from reconstructing_transformer.transformer.checks import (
    LETTER_BY_LETTER,
    attention_by_letter,
    draw,
    drawn,
    largest_error,
    numbers,
    sizes,
)
from reconstructing_transformer.transformer.recording import record
from reconstructing_transformer.vision.attention import MultiHeadSelfAttention
from reconstructing_transformer.vision.model import ClassToken, EncoderLayer
from reconstructing_transformer.vision.patches import PatchEmbedding
from reconstructing_transformer.vision.rollout import attention_rollout


def draw_embedding(rng: np.random.Generator) -> tuple[PatchEmbedding, Tensor]:
    """Draw a patch embedding with random weights, and images for it."""
    P, side, C, D, batch = sizes(rng, 5, most=4)
    embedding = drawn(rng, PatchEmbedding(P * side, P, C, D, bias=False))
    return embedding, draw(rng, batch, C, P * side, P * side)


@check("dosovitskiy2021-1", of=PatchEmbedding.forward, reference=LETTER_BY_LETTER, tolerance=1e-12)
def embedding_is_the_formula(rng: np.random.Generator) -> float:
    """Cut out each patch, multiply it by E, put the class token first, add the positions: pixel by pixel."""
    embedding, images = draw_embedding(rng)
    E, x_class, E_pos, pixels = numbers(embedding.E.weight, embedding.x_class, embedding.E_pos, images)
    P, C, side = embedding.P, pixels.shape[1], pixels.shape[2] // embedding.P
    expected = np.zeros((len(pixels), side * side + 1, len(E)))
    for b, image in enumerate(pixels):
        rows = [list(x_class)]
        for top in range(0, side * P, P):
            for left in range(0, side * P, P):
                x_p = [(c, y, x) for c in range(C) for y in range(P) for x in range(P)]
                rows.append(
                    [sum(image[c, top + y, left + x] * E[d, c, y, x] for c, y, x in x_p) for d in range(len(E))]
                )
        expected[b] = np.array(rows) + E_pos
    return largest_error(embedding(images), expected)


def draw_layer(rng: np.random.Generator) -> tuple[EncoderLayer, Tensor]:
    """Draw a layer with random weights, and a sequence for it."""
    heads, D_h, d_ff, batch, N = sizes(rng, 5, most=4)
    layer = drawn(rng, EncoderLayer(heads * (D_h + 1), heads, d_ff))  # at least two wide: one number has no spread
    return layer, draw(rng, batch, N, heads * (D_h + 1))


def pytorch_attention(MSA: MultiHeadSelfAttention) -> nn.MultiheadAttention:
    """PyTorch's attention with the weights of ours."""
    D = MSA.U_msa.in_features
    theirs = nn.MultiheadAttention(D, MSA.heads, batch_first=True, bias=MSA.U_msa.bias is not None).double()
    with torch.no_grad():
        theirs.in_proj_weight.copy_(MSA.U_qkv.weight)
        theirs.out_proj.weight.copy_(MSA.U_msa.weight)
        if MSA.U_msa.bias is not None:
            theirs.in_proj_bias.copy_(MSA.U_qkv.bias)
            theirs.out_proj.bias.copy_(MSA.U_msa.bias)
    return theirs


@check(
    "dosovitskiy2021-2",
    of=EncoderLayer.between_patches,
    reference="torch.nn.MultiheadAttention on torch.nn.functional.layer_norm",
    tolerance=1e-11,
)
def attention_sublayer_is_pytorchs(rng: np.random.Generator) -> float:
    """Normalise, attend, add."""
    layer, z = draw_layer(rng)
    normal = functional.layer_norm(z, z.shape[-1:], layer.LN_1.g, layer.LN_1.b)
    attended, _ = pytorch_attention(layer.MSA)(normal, normal, normal, need_weights=False)
    return largest_error(layer.between_patches(z), attended + z)


@check(
    "dosovitskiy2021-3",
    of=EncoderLayer.within_patches,
    reference="GELU by Python's math.erf on torch.nn.functional.layer_norm",
    tolerance=1e-11,
)
def mlp_sublayer_is_the_formula(rng: np.random.Generator) -> float:
    """Normalise, two linear maps with the Gaussian's distribution function between them, add."""
    layer, z = draw_layer(rng)
    normal = functional.layer_norm(z, z.shape[-1:], layer.LN_2.g, layer.LN_2.b)
    inner, outer = layer.MLP.inner, layer.MLP.outer
    W_1, b_1, W_2, b_2, x = numbers(inner.weight, inner.bias, outer.weight, outer.bias, normal)
    gelu = np.vectorize(lambda a: a * (1 + math.erf(a / math.sqrt(2))) / 2)
    return largest_error(layer.within_patches(z), gelu(x @ W_1.T + b_1) @ W_2.T + b_2 + z.numpy())


@check("dosovitskiy2021-4", of=ClassToken.forward, reference="torch.nn.functional.layer_norm", tolerance=1e-12)
def class_token_is_pytorchs(rng: np.random.Generator) -> float:
    """The vector at place 0, normalised."""
    batch, length, D = sizes(rng, 3)
    pool, z_L = drawn(rng, ClassToken(D + 1)), draw(rng, batch, length, D + 1)
    expected = functional.layer_norm(z_L.select(1, 0), (D + 1,), pool.LN.g, pool.LN.b)
    return largest_error(pool(z_L), expected)


def draw_attention(rng: np.random.Generator, bias: bool) -> tuple[MultiHeadSelfAttention, Tensor]:
    """Draw an attention with random weights, and a sequence for it."""
    heads, D_h, batch, N = sizes(rng, 4, most=4)
    return drawn(rng, MultiHeadSelfAttention(heads * D_h, heads, bias)), draw(rng, batch, N, heads * D_h)


@check("dosovitskiy2021-5", of=MultiHeadSelfAttention.project, reference=LETTER_BY_LETTER, tolerance=1e-12)
def projection_is_the_formula(rng: np.random.Generator) -> float:
    """Each head's queries, keys and values by that head's own columns of U_qkv, without biases."""
    attention, z = draw_attention(rng, bias=False)
    U, x = numbers(attention.U_qkv.weight.T, z)
    D, D_h = U.shape[0], U.shape[0] // attention.heads
    worst = 0.0
    for third, ours in enumerate(attention.project(z)):
        for head in range(attention.heads):
            first = third * D + head * D_h
            worst = max(worst, largest_error(ours[:, head], x @ U[:, first : first + D_h]))
    return worst


def draw_heads(rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Draw queries, keys and values of one head."""
    N, D_h = sizes(rng, 2)
    return draw(rng, 1, N, D_h), draw(rng, 1, N, D_h), draw(rng, 1, N, D_h)


@check("dosovitskiy2021-6", of=MultiHeadSelfAttention.attend, reference=LETTER_BY_LETTER, tolerance=1e-12)
def weights_are_the_formula(rng: np.random.Generator) -> float:
    """The weights A that a recording sees."""
    attention, (q, k, v) = MultiHeadSelfAttention(1, 1), draw_heads(rng)
    with record(attention):
        _, A = attention.attend(q, k, v)
    rows, columns = numbers(q[0], k[0])
    scores = [
        [math.exp(sum(a * b for a, b in zip(r, c, strict=True)) / math.sqrt(len(r))) for c in columns] for r in rows
    ]
    return largest_error(A[0], np.array([[score / sum(row) for score in row] for row in scores]))


@check("dosovitskiy2021-7", of=MultiHeadSelfAttention.attend, reference=LETTER_BY_LETTER, tolerance=1e-12)
def head_is_the_formula(rng: np.random.Generator) -> float:
    """One head's output, by the kernel that runs when nobody records."""
    attention, (q, k, v) = MultiHeadSelfAttention(1, 1), draw_heads(rng)
    SA, _ = attention.attend(q, k, v)
    return largest_error(SA[0], attention_by_letter(*numbers(q[0], k[0], v[0])))


@check("dosovitskiy2021-8", of=MultiHeadSelfAttention.forward, reference="torch.nn.MultiheadAttention", tolerance=1e-11)
def multi_head_is_pytorchs(rng: np.random.Generator) -> float:
    """All heads, with biases or without."""
    attention, z = draw_attention(rng, bias=bool(rng.integers(2)))
    expected, _ = pytorch_attention(attention)(z, z, z, need_weights=False)
    return largest_error(attention(z), expected)


@check("abnar2020-1", of=attention_rollout, reference=LETTER_BY_LETTER, tolerance=1e-12)
def rollout_is_the_formula(rng: np.random.Generator) -> float:
    """Backwards from the last layer, path by path: the recursion as the paper prints it."""
    layers, h, n = sizes(rng, 3, most=4)
    weights = draw(rng, layers, h, n, n).softmax(-1)
    W = weights.numpy()

    def mixed(layer: int, a: int, b: int) -> float:
        return sum(W[layer, head, a, b] for head in range(h)) / h / 2 + (a == b) / 2

    def rolled(layer: int, a: int, b: int) -> float:
        if layer == 0:
            return mixed(0, a, b)
        return sum(mixed(layer, a, c) * rolled(layer - 1, c, b) for c in range(n))

    return largest_error(
        attention_rollout(weights), np.array([[rolled(layers - 1, a, b) for b in range(n)] for a in range(n)])
    )
