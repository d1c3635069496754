"""Checks: LoRA and QLoRA against peft, bitsandbytes, and the formulas as they are printed."""

import statistics
from types import ModuleType

import numpy as np
import torch
from torch import nn

from reconstructing_transformer.equations import check
from reconstructing_transformer.llama.levels import normal_float, quantile_midpoints
from reconstructing_transformer.llama.lora import LoRALinear
from reconstructing_transformer.llama.qlora import QLoRALinear
from reconstructing_transformer.llama.quantisation import (
    dequantise_int8,
    double_dequantise,
    quantise_int8,
    unpack,
)
from reconstructing_transformer.transformer.checks import (
    LETTER_BY_LETTER,
    draw,
    drawn,
    largest_error,
    numbers,
    sizes,
)

BITSANDBYTES = "bitsandbytes.functional.dequantize_4bit"


def bitsandbytes() -> ModuleType:
    """The functions of bitsandbytes."""
    import bitsandbytes.functional

    return bitsandbytes.functional


def peft_layer(ours: LoRALinear, alpha: float | int) -> nn.Module:
    """The LoRA layer of peft, with the weights of ours."""
    from peft import LoraConfig
    from peft.tuners.lora import Linear

    d, k = ours.W_0.weight.shape
    base = nn.Linear(k, d, ours.W_0.bias is not None, dtype=ours.W_0.weight.dtype)
    base.load_state_dict(ours.W_0.state_dict())
    rank = len(ours.A)
    theirs = Linear(base, "default", LoraConfig(r=rank, lora_alpha=alpha), r=rank, lora_alpha=alpha)
    with torch.no_grad():
        theirs.lora_A["default"].weight.copy_(ours.A)
        theirs.lora_B["default"].weight.copy_(ours.B)
    return theirs.to(ours.A.dtype)


def draw_layer(rng: np.random.Generator, alpha: float | int) -> LoRALinear:
    """Draw a layer with random weights, B too."""
    rank, d, k = sizes(rng, 3)
    return drawn(rng, LoRALinear(nn.Linear(rank + k, rank + d, bool(rng.integers(2))), rank, alpha))


@check("hu2022-3", of=LoRALinear.forward, reference="peft.tuners.lora.Linear", tolerance=1e-12)
def lora_is_pefts(rng: np.random.Generator) -> float:
    """Outputs, and the gradients of both factors, as peft has them."""
    alpha = float(rng.uniform(0.5, 32))
    ours = draw_layer(rng, alpha)
    theirs = peft_layer(ours, alpha)
    x, slope = draw(rng, 3, ours.W_0.in_features), draw(rng, 3, ours.W_0.out_features)
    outputs = [layer(x) for layer in (ours, theirs)]
    for h in outputs:
        h.backward(slope)
    pairs = [(ours.A.grad, theirs.lora_A["default"].weight.grad), (ours.B.grad, theirs.lora_B["default"].weight.grad)]
    return max(largest_error(mine, other) for mine, other in [(outputs[0], outputs[1]), *pairs])


def draw_by_letter(rng: np.random.Generator) -> tuple[LoRALinear, torch.Tensor, np.ndarray]:
    """A layer without bias, an input, and the equation's output, number by number."""
    rank, d, k = sizes(rng, 3, most=4)
    layer = drawn(rng, LoRALinear(nn.Linear(k + rank, d + rank, bias=False), rank, 2 * rank))
    x = draw(rng, k + rank)
    W, A, B, v = numbers(layer.W_0.weight, layer.A, layer.B, x)
    h = []
    for a in range(d + rank):
        inner = [sum(A[j, b] * v[b] for b in range(k + rank)) for j in range(rank)]
        h.append(sum(W[a, b] * v[b] for b in range(k + rank)) + 2 * sum(B[a, j] * inner[j] for j in range(rank)))
    return layer, x, np.array(h)


@check("hu2022-3", of=LoRALinear.forward, reference=LETTER_BY_LETTER, tolerance=1e-12)
@check("dettmers2023-3", of=LoRALinear.forward, reference=LETTER_BY_LETTER, tolerance=1e-12)
def lora_is_the_formula(rng: np.random.Generator) -> float:
    """W_0 x, and twice B A x."""
    layer, x, h = draw_by_letter(rng)
    return largest_error(layer(x), h)


@check("dettmers2023-1", of=quantise_int8, reference=LETTER_BY_LETTER, tolerance=1e-12)
def integers_are_the_formula(rng: np.random.Generator) -> float:
    """Each number divided by the largest, times 127, rounded."""
    X = draw(rng, *sizes(rng, 2))
    X_Int8, c = quantise_int8(X)
    flat = X.flatten().tolist()
    expected = 127 / max(abs(x) for x in flat)
    integers = np.array([round(expected * x) for x in flat]).reshape(X.shape)
    return max(largest_error(X_Int8.double(), integers.astype(float)), abs(c.item() - expected))


@check("dettmers2023-2", of=dequantise_int8, reference=LETTER_BY_LETTER, tolerance=1e-12)
def dequantised_integers_are_the_formula(rng: np.random.Generator) -> float:
    """Each integer divided by the constant."""
    X_Int8, c = torch.from_numpy(rng.integers(-127, 128, size=7).astype(np.int8)), draw(rng).abs() + 1
    return largest_error(dequantise_int8(c, X_Int8), np.array([x / c.item() for x in X_Int8.tolist()]))


@check(
    "dettmers2023-4",
    of=quantile_midpoints,
    reference="Python's statistics.NormalDist, letter by letter",
    tolerance=1e-12,
    cases=5,
)
def midpoints_are_the_formula(rng: np.random.Generator) -> float:
    """Eq. 4 for some number of bits."""
    k = int(rng.integers(2, 9))
    Q = statistics.NormalDist().inv_cdf
    expected = [(Q(i / (2**k + 1)) + Q((i + 1) / (2**k + 1))) / 2 for i in range(1, 2**k)]
    return largest_error(quantile_midpoints(k), np.array(expected))


@check("dettmers2023-4", of=normal_float, reference="bitsandbytes' table", tolerance=1e-7, cases=1)
def levels_are_bitsandbytes(rng: np.random.Generator) -> float:
    """The sixteen levels of NF4."""
    return largest_error(normal_float(4), bitsandbytes().get_4bit_type("nf4", device="cpu"))


def draw_weights(rng: np.random.Generator) -> torch.Tensor:
    """Draw weights as large as those of a model, in float32.

    Rows are whole blocks: where they aren't, bitsandbytes de-quantises wrongly on a processor.
    """
    rows, columns = sizes(rng, 2)
    return (draw(rng, 10 * rows, 64 * columns) * rng.uniform(0.01, 1)).float()


class InBitsandbytes:
    """Weights that bitsandbytes has put into NF4 with double quantisation: its codes and constants, and what they mean.

    Args:
        W: the weights.
    """

    def __init__(self, W: torch.Tensor) -> None:
        library = bitsandbytes()
        self.packed, state = library.quantize_4bit(W, blocksize=64, compress_statistics=True, quant_type="nf4")
        self.codes = unpack(self.packed.flatten(), W.shape)
        self.c_1, self.c_2, self.mean = state.state2.absmax, state.absmax, state.offset
        self.weights = library.dequantize_4bit(self.packed, state)


@check("dettmers2023-6", of=double_dequantise, reference=BITSANDBYTES, tolerance=1e-7)
def double_dequantisation_is_bitsandbytes(rng: np.random.Generator) -> float:
    """Our reading of the codes and constants that bitsandbytes has written."""
    theirs = InBitsandbytes(draw_weights(rng))
    ours = double_dequantise(theirs.c_1, theirs.c_2, theirs.codes, normal_float(4), theirs.mean)
    return largest_error(ours, theirs.weights)


@check("dettmers2023-5", of=QLoRALinear.forward, reference=f"{BITSANDBYTES}, NumPy", tolerance=1e-3)
def qlora_is_bitsandbytes(rng: np.random.Generator) -> float:
    """Codes and weights by bitsandbytes, products by NumPy in double precision; ours is in single precision."""
    W = draw_weights(rng)
    theirs = InBitsandbytes(W)
    layer = QLoRALinear(nn.Linear(W.size(1), W.size(0), bias=False), 3, 6)
    mine = {"W_NF4": theirs.packed.flatten(), "c_1": theirs.c_1, "c_2": theirs.c_2, "mean": theirs.mean}
    layer.W.load_state_dict(mine, strict=False)
    with torch.no_grad():
        layer.L_2.copy_(draw(rng, 3, W.size(0)))
    X = draw(rng, 4, W.size(1)).float()
    V, L_1, L_2, x = numbers(*(tensor.double() for tensor in (theirs.weights, layer.L_1, layer.L_2, X)))
    return largest_error(layer(X).double(), x @ V.T + 2 * x @ L_1 @ L_2)
