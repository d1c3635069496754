"""Checks: each equation of this part's papers against a reference that this package did not produce.

A reference is PyTorch's own implementation, or the formula as it is printed, written out index by index in NumPy's
float64 with loops. Each check draws one random case and returns the largest absolute error.
"""

import math
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from reconstructing_transformer.equations import check
from reconstructing_transformer.transformer.attention import scaled_dot_product_attention
from reconstructing_transformer.transformer.embedding import Embedding
from reconstructing_transformer.transformer.feed_forward import PositionwiseFeedForward
from reconstructing_transformer.transformer.label_smoothing import LabelSmoothing
from reconstructing_transformer.transformer.multi_head import MultiHeadAttention
from reconstructing_transformer.transformer.normalisation import layer_norm, layer_statistics
from reconstructing_transformer.transformer.positions import positional_encoding
from reconstructing_transformer.transformer.residual import Residual
from reconstructing_transformer.transformer.schedule import learning_rate

Module = TypeVar("Module", bound=nn.Module)

LETTER_BY_LETTER = "NumPy, letter by letter"


def draw(rng: np.random.Generator, *shape: int) -> Float[Tensor, "..."]:
    """Draw a tensor of standard normal numbers in float64."""
    return torch.from_numpy(rng.standard_normal(shape))


def draw_mask(rng: np.random.Generator, n: int, m: int) -> Bool[Tensor, "n m"]:
    """Draw a mask that leaves each query at least one key."""
    mask = rng.random((n, m)) < 0.7
    mask[np.arange(n), rng.integers(m, size=n)] = True
    return torch.from_numpy(mask)


def drawn(rng: np.random.Generator, module: Module) -> Module:
    """Draw all weights of a module anew, in float64: biases and gains too, which start at 0 and 1."""
    module.double()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(draw(rng, *parameter.shape))
    return module


def numbers(*tensors: Tensor) -> list[np.ndarray]:
    """The tensors as NumPy arrays."""
    return [tensor.detach().numpy() for tensor in tensors]


def sizes(rng: np.random.Generator, count: int, most: int = 6) -> list[int]:
    """Draw sizes from 1 to `most`."""
    return rng.integers(1, most + 1, size=count).tolist()


def largest_error(ours: Tensor, reference: Tensor | np.ndarray) -> float:
    """The largest absolute difference between two tensors of the same shape."""
    reference = torch.as_tensor(reference)
    if ours.shape != reference.shape:
        raise ValueError(f"ours has shape {tuple(ours.shape)}, the reference {tuple(reference.shape)}")
    return (ours.detach() - reference.detach()).abs().max().item()


def attention_by_letter(Q: np.ndarray, K: np.ndarray, V: np.ndarray) -> np.ndarray:
    """Equation 1, number by number."""
    n, d_k = Q.shape
    m, d_v = V.shape
    output = np.zeros((n, d_v))
    for a in range(n):
        exponentials = [math.exp(sum(Q[a, j] * K[b, j] for j in range(d_k)) / math.sqrt(d_k)) for b in range(m)]
        for c in range(d_v):
            output[a, c] = sum(exponentials[b] / sum(exponentials) * V[b, c] for b in range(m))
    return output


@check(
    "vaswani2017-1",
    of=scaled_dot_product_attention,
    reference="torch.nn.functional.scaled_dot_product_attention",
    tolerance=1e-12,
)
def attention_is_pytorchs(rng: np.random.Generator) -> float:
    """Masked attention on a batch."""
    batch, n, m, d_k, d_v = sizes(rng, 5)
    Q, K, V = draw(rng, batch, n, d_k), draw(rng, batch, m, d_k), draw(rng, batch, m, d_v)
    mask = draw_mask(rng, n, m)
    output, _ = scaled_dot_product_attention(Q, K, V, mask)
    return largest_error(output, functional.scaled_dot_product_attention(Q, K, V, attn_mask=mask))


@check("vaswani2017-1", of=scaled_dot_product_attention, reference=LETTER_BY_LETTER, tolerance=1e-12)
def attention_is_the_formula(rng: np.random.Generator) -> float:
    """Attention without a mask, as Equation 1 prints it."""
    n, m, d_k, d_v = sizes(rng, 4)
    Q, K, V = draw(rng, n, d_k), draw(rng, m, d_k), draw(rng, m, d_v)
    output, _ = scaled_dot_product_attention(Q, K, V)
    return largest_error(output, attention_by_letter(*numbers(Q, K, V)))


def draw_multi_head(rng: np.random.Generator, bias: bool) -> MultiHeadAttention:
    """Draw a multi-head attention with random weights."""
    h, d_k = sizes(rng, 2, most=4)
    return drawn(rng, MultiHeadAttention(h * d_k, h, bias))


def pytorchs_multi_head(ours: MultiHeadAttention) -> nn.MultiheadAttention:
    """PyTorch's multi-head attention with our weights."""
    theirs = nn.MultiheadAttention(ours.W_O.in_features, ours.h, batch_first=True, dtype=torch.float64)
    packed = (ours.W_Q, ours.W_K, ours.W_V)
    with torch.no_grad():
        theirs.in_proj_weight.copy_(torch.cat([projection.weight for projection in packed]))
        theirs.in_proj_bias.copy_(torch.cat([projection.bias for projection in packed]))
        theirs.out_proj.weight.copy_(ours.W_O.weight)
        theirs.out_proj.bias.copy_(ours.W_O.bias)
    return theirs


@check(
    "vaswani2017-multi-head",
    of=MultiHeadAttention.forward,
    reference="torch.nn.MultiheadAttention",
    tolerance=1e-12,
)
def multi_head_is_pytorchs(rng: np.random.Generator) -> float:
    """Masked multi-head attention with biases: output and weights."""
    ours = draw_multi_head(rng, bias=True)
    batch, n, m = sizes(rng, 3)
    d_model = ours.W_O.in_features
    Q, K, V = draw(rng, batch, n, d_model), draw(rng, batch, m, d_model), draw(rng, batch, m, d_model)
    mask = draw_mask(rng, n, m)
    output, weights = ours(Q, K, V, mask, need_weights=True)
    # PyTorch's modules mask the other way round: True there means “may not attend”.
    reference = pytorchs_multi_head(ours)(Q, K, V, attn_mask=~mask, average_attn_weights=False)
    return max(largest_error(output, reference[0]), largest_error(weights, reference[1]))


@check("vaswani2017-multi-head", of=MultiHeadAttention.forward, reference=LETTER_BY_LETTER, tolerance=1e-12)
def multi_head_is_the_formula(rng: np.random.Generator) -> float:
    """Multi-head attention without biases and mask, as the paper prints it, a head at a time."""
    ours = draw_multi_head(rng, bias=False)
    n, m = sizes(rng, 2)
    d_model, d_k = ours.W_O.in_features, ours.W_O.in_features // ours.h
    inputs = draw(rng, n, d_model), draw(rng, m, d_model), draw(rng, m, d_model)
    output, _ = ours(*inputs)
    Q, K, V = numbers(*inputs)
    # A linear layer keeps its matrix transposed.
    W_Q, W_K, W_V, W_O = numbers(ours.W_Q.weight.T, ours.W_K.weight.T, ours.W_V.weight.T, ours.W_O.weight.T)
    heads = []
    for i in range(ours.h):
        own = slice(i * d_k, (i + 1) * d_k)
        heads.append(attention_by_letter(Q @ W_Q[:, own], K @ W_K[:, own], V @ W_V[:, own]))
    return largest_error(output, np.concatenate(heads, axis=1) @ W_O)


@check("vaswani2017-2", of=PositionwiseFeedForward.forward, reference=LETTER_BY_LETTER, tolerance=1e-12)
def feed_forward_is_the_formula(rng: np.random.Generator) -> float:
    """The network at each position, as Equation 2 prints it."""
    n, d_model, d_ff = sizes(rng, 3)
    ours = drawn(rng, PositionwiseFeedForward(d_model, d_ff))
    positions = draw(rng, n, d_model)
    W_1, b_1, W_2, b_2 = numbers(ours.W_1, ours.b_1, ours.W_2, ours.b_2)
    reference = np.zeros((n, d_model))
    for a, x in enumerate(positions.numpy()):
        inner = [max(0, sum(x[j] * W_1[j, k] for j in range(d_model)) + b_1[k]) for k in range(d_ff)]
        for c in range(d_model):
            reference[a, c] = sum(inner[k] * W_2[k, c] for k in range(d_ff)) + b_2[c]
    return largest_error(ours(positions), reference)


@check("vaswani2017-residual", of=Residual.forward, reference=LETTER_BY_LETTER, tolerance=1e-12)
def residual_is_the_formula(rng: np.random.Generator) -> float:
    """Around a feed-forward network, with mean and variance as Ba et al. 2016 print them (Eq. 3)."""
    n, d_model = sizes(rng, 2)
    ours = drawn(rng, Residual(d_model, dropout=0.0))
    sublayer = drawn(rng, PositionwiseFeedForward(d_model, 2 * d_model))
    x = draw(rng, n, d_model)
    g, b = numbers(ours.norm.g, ours.norm.b)
    reference = np.zeros((n, d_model))
    for a, total in enumerate(*numbers(x + sublayer(x))):
        mean = sum(total) / d_model
        variance = sum((element - mean) ** 2 for element in total) / d_model
        for c in range(d_model):
            reference[a, c] = g[c] * (total[c] - mean) / math.sqrt(variance + ours.norm.eps) + b[c]
    return largest_error(ours(x, sublayer), reference)


def statistics_by_letter(a: np.ndarray) -> tuple[float, float]:
    """Equation 3 of Ba et al. 2016, number by number."""
    H = len(a)
    mu = sum(a[i] for i in range(H)) / H
    return mu, math.sqrt(sum((a[i] - mu) ** 2 for i in range(H)) / H)


@check("ba2016-3", of=layer_statistics, reference="numpy.std", tolerance=1e-12)
def statistics_are_numpys(rng: np.random.Generator) -> float:
    """Mean and standard deviation of a batch of vectors, without ε."""
    a = draw(rng, *sizes(rng, 3))
    mu, sigma = layer_statistics(a, eps=0.0)
    (values,) = numbers(a)
    of_each = {"axis": -1, "keepdims": True}
    return max(largest_error(mu, np.mean(values, **of_each)), largest_error(sigma, np.std(values, **of_each)))


@check("ba2016-3", of=layer_statistics, reference=LETTER_BY_LETTER, tolerance=1e-12)
def statistics_are_the_formula(rng: np.random.Generator) -> float:
    """Of one vector, without ε, as Equation 3 prints it."""
    (H,) = sizes(rng, 1)
    a = draw(rng, H)
    ours, reference = layer_statistics(a, eps=0.0), statistics_by_letter(a.numpy())
    return max(abs(number.item() - theirs) for number, theirs in zip(ours, reference, strict=True))


@check("ba2016-4", of=layer_norm, reference="torch.nn.functional.layer_norm", tolerance=1e-12)
def layer_norm_is_pytorchs(rng: np.random.Generator) -> float:
    """A batch of vectors, some of them constant, with a random ε."""
    batch, n, H = sizes(rng, 3)
    a, g, b = draw(rng, batch, n, H), draw(rng, H), draw(rng, H)
    a[:, 0] = 1
    eps = 10 ** rng.uniform(-5, 0)
    return largest_error(layer_norm(a, g, b, eps), functional.layer_norm(a, (H,), g, b, eps))


@check("ba2016-4", of=layer_norm, reference=LETTER_BY_LETTER, tolerance=1e-12)
def layer_norm_is_the_formula(rng: np.random.Generator) -> float:
    """One vector, without ε, as Equation 4 prints it; two numbers at least, for one has no deviation to divide by."""
    H = 1 + sizes(rng, 1)[0]
    vectors = draw(rng, H), draw(rng, H), draw(rng, H)
    a, g, b = numbers(*vectors)
    mu, sigma = statistics_by_letter(a)
    reference = np.array([g[i] / sigma * (a[i] - mu) + b[i] for i in range(H)])
    return largest_error(layer_norm(*vectors, eps=0.0), reference)


@check("vaswani2017-embedding", of=Embedding, reference=LETTER_BY_LETTER, tolerance=1e-12)
def embedding_is_the_formula(rng: np.random.Generator) -> float:
    """Tokens to vectors and vectors to logits, by the same matrix."""
    n, vocabulary, d_model = sizes(rng, 3)
    ours = drawn(rng, Embedding(vocabulary, d_model))
    tokens, x = rng.integers(vocabulary, size=n), draw(rng, n, d_model)
    (E,) = numbers(ours.E)
    rows = np.array([[math.sqrt(d_model) * E[t, j] for j in range(d_model)] for t in tokens])
    logits = np.array([[sum(row[j] * E[t, j] for j in range(d_model)) for t in range(vocabulary)] for row in x.numpy()])
    return max(largest_error(ours(torch.from_numpy(tokens)), rows), largest_error(ours.logits(x), logits))


@check("vaswani2017-position", of=positional_encoding, reference=LETTER_BY_LETTER, tolerance=1e-12)
def positions_are_the_formula(rng: np.random.Generator) -> float:
    """Each sine and cosine by itself."""
    (length,) = sizes(rng, 1, most=40)
    d_model = 2 * sizes(rng, 1, most=16)[0]
    reference = np.zeros((length, d_model))
    for pos in range(length):
        for i in range(d_model // 2):
            reference[pos, 2 * i] = math.sin(pos / 10000 ** (2 * i / d_model))
            reference[pos, 2 * i + 1] = math.cos(pos / 10000 ** (2 * i / d_model))
    return largest_error(positional_encoding(length, d_model, torch.float64), reference)


@check("vaswani2017-3", of=learning_rate, reference=LETTER_BY_LETTER, tolerance=1e-15)
def learning_rate_is_the_formula(rng: np.random.Generator) -> float:
    """The formula with roots for its powers, before, at and after the end of the warm-up."""
    d_model, warmup = rng.integers(1, 1025), rng.integers(1, 8001)
    errors = []
    for step in (rng.integers(1, warmup + 1), warmup, warmup + rng.integers(1, 100_000)):
        rising, falling = step / (warmup * math.sqrt(warmup)), 1 / math.sqrt(step)
        reference = (rising if rising < falling else falling) / math.sqrt(d_model)
        errors.append(abs(learning_rate(int(step), int(d_model), int(warmup)) - reference))
    return max(errors)


@check("vaswani2017-smoothing", of=LabelSmoothing.target, reference="torch.nn.CrossEntropyLoss", tolerance=1e-12)
def smoothing_is_pytorchs(rng: np.random.Generator) -> float:
    """The cross-entropy against q', written out and as the loss computes it, some of the positions being padding."""
    n, K = sizes(rng, 2)
    K += 1  # padding and something else
    epsilon, pad = rng.random(), int(rng.integers(K))
    logits, y = draw(rng, n, K), torch.from_numpy(rng.integers(K, size=n))
    y[0] = (pad + 1) % K  # one position counts, or the mean is over none
    ours = LabelSmoothing(K, epsilon, pad)
    theirs = nn.CrossEntropyLoss(label_smoothing=epsilon, ignore_index=pad)(logits, y)
    against_target = -(ours.target(y, torch.float64) * logits.log_softmax(-1)).sum(-1)[y != pad].mean()
    return max(largest_error(against_target, theirs), largest_error(ours(logits, y), theirs))


@check("vaswani2017-smoothing", of=LabelSmoothing.target, reference=LETTER_BY_LETTER, tolerance=1e-12)
def smoothing_is_the_formula(rng: np.random.Generator) -> float:
    """The target q' itself, class by class."""
    n, K = sizes(rng, 2)
    epsilon, y = rng.random(), rng.integers(K, size=n)
    reference = [[(1 - epsilon) * (1 if k == label else 0) + epsilon / K for k in range(K)] for label in y]
    return largest_error(LabelSmoothing(K, epsilon).target(torch.from_numpy(y), torch.float64), np.array(reference))
