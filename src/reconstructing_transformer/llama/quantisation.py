"""Numbers in four and eight bits (Dettmers et al. 2023, §2 and §3), block by block.

A code is the number of a level; a block's constant is its largest magnitude, by which it was divided.
"""

import torch
from einops import rearrange
from jaxtyping import Float, Int8, UInt8
from torch import Tensor
from torch.nn import functional

from reconstructing_transformer.equations import deviation, implements
from reconstructing_transformer.llama.levels import eight_bit_dynamic

BLOCK = 64  # weights that share a constant
CONSTANTS_BLOCK = 256  # constants that share a constant


@implements("dettmers2023-1", absmax="amax")
def quantise_int8(X_FP32: Float[Tensor, "*shape"]) -> tuple[Int8[Tensor, "*shape"], Float[Tensor, ""]]:
    """X^Int8 = round(127 / absmax(X^FP32) · X^FP32), Eq. 1.

    Args:
        X_FP32: numbers, not all of them zero.

    Returns:
        The integers from -127 to 127, and the constant c = 127 / absmax(X).

    Raises:
        ValueError: all numbers are zero, or there are none.
    """
    if not X_FP32.any():
        raise ValueError("absmax quantisation divides by the largest magnitude; got nothing but zeros")
    c_FP32 = 127 / X_FP32.abs().amax()
    X_Int8 = (c_FP32 * X_FP32).round().to(torch.int8)
    return X_Int8, c_FP32


@implements("dettmers2023-2")
def dequantise_int8(c_FP32: Float[Tensor, ""], X_Int8: Int8[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """dequant(c, X^Int8) = X^Int8 / c, Eq. 2.

    Args:
        c_FP32: the constant that `quantise_int8` gave.
        X_Int8: the integers.

    Returns:
        Numbers that differ from the original ones by half a step at most.
    """
    return X_Int8 / c_FP32


def in_blocks(X: Tensor, size: int) -> Tensor:
    """Write out a tensor in rows of `size` numbers, the last one filled up with zeros.

    Args:
        X: any tensor.
        size: numbers a block.

    Returns:
        A row a block.
    """
    flat = X.reshape(-1)
    return rearrange(functional.pad(flat, (0, -flat.numel() % size)), "(blocks size) -> blocks size", size=size)


def quantise(
    X: Float[Tensor, "*shape"], levels: Float[Tensor, " levels"], block: int = BLOCK
) -> tuple[UInt8[Tensor, "*shape"], Float[Tensor, " blocks"]]:
    """Divide each block by its largest magnitude, and take the nearest level for each number.

    Args:
        X: numbers.
        levels: of the type, in ascending order, from -1 to 1.
        block: how many numbers, in the order of memory, share a constant.

    Returns:
        The codes, and each block's constant.
    """
    blocks = in_blocks(X, block)
    absmax = blocks.abs().amax(-1)
    # A multiplication, not a division: so bitsandbytes does it, and the last bit decides who is nearest.
    scaled = blocks * (1 / absmax.clamp(min=1e-38))[:, None]
    halfway = (levels[1:] + levels[:-1]) / 2
    codes = torch.bucketize(scaled, halfway).to(torch.uint8)
    return codes.reshape(-1)[: X.numel()].view(X.shape), absmax


def dequantise(
    codes: UInt8[Tensor, "*shape"],
    absmax: Float[Tensor, " blocks"],
    levels: Float[Tensor, " levels"],
    block: int = BLOCK,
) -> Float[Tensor, "*shape"]:
    """Look up each code's level, and multiply each block by its constant.

    Args:
        codes: as `quantise` gives them.
        absmax: each block's constant.
        levels: of the type that they were quantised to.
        block: how many numbers share a constant.

    Returns:
        Numbers near the original ones.
    """
    blocks = in_blocks(levels[codes.int()], block) * absmax[:, None]
    return blocks.reshape(-1)[: codes.numel()].view(codes.shape)


def quantise_constants(
    absmax: Float[Tensor, " blocks"],
) -> tuple[Float[Tensor, " groups"], UInt8[Tensor, " blocks"], Float[Tensor, ""]]:
    """Quantise the constants in turn, to eight bits: *double quantisation*, §3.

    They are all positive; their mean is subtracted first, so that both halves of the levels are used.

    Args:
        absmax: each block's constant.

    Returns:
        c_1, one constant for 256 of them; c_2, their codes; and their mean.
    """
    mean = absmax.mean()
    c_2, c_1 = quantise(absmax - mean, eight_bit_dynamic().to(absmax.device), CONSTANTS_BLOCK)
    return c_1, c_2, mean


@deviation(
    "dettmers2023-6",
    title="The mean of the constants",
    reason="Eq. 6 does not show it. The paper subtracts the mean of the constants before it quantises them (§3), so it "
    "must be added again. The eight-bit type is the authors' program's, a dynamic one; the paper says *8-bit floats*.",
)
@implements("dettmers2023-6")
def double_dequantise(
    c_1: Float[Tensor, " groups"],
    c_2: UInt8[Tensor, " blocks"],
    W_4bit: UInt8[Tensor, "*shape"],
    levels: Float[Tensor, " levels"],
    mean: Float[Tensor, ""],
) -> Float[Tensor, "*shape"]:
    """doubleDequant(c_1, c_2, W) = dequant(dequant(c_1, c_2), W), Eq. 6: the constants first, then the weights.

    Args:
        c_1: the constants of the constants.
        c_2: the codes of the constants.
        W_4bit: the codes of the weights.
        levels: of the weights' type.
        mean: of the constants.

    Returns:
        The weights, in the levels' precision.
    """
    absmax = dequantise(c_2, c_1, eight_bit_dynamic().to(c_1), CONSTANTS_BLOCK) + mean
    return dequantise(W_4bit, absmax, levels)


def pack(codes: UInt8[Tensor, "*shape"]) -> UInt8[Tensor, " bytes"]:
    """Put two codes of four bits into each byte, the first of them into its upper half.

    Args:
        codes: from 0 to 15.

    Returns:
        Half as many bytes; one code of zero is added where their number is odd.
    """
    first, second = in_blocks(codes, 2).unbind(-1)
    return first << 4 | second


def unpack(packed: UInt8[Tensor, " bytes"], shape: torch.Size) -> UInt8[Tensor, "..."]:
    """Take the codes out of their bytes.

    Args:
        packed: as `pack` gives them.
        shape: of the codes.

    Returns:
        The codes.
    """
    return torch.stack([packed >> 4, packed & 15], dim=-1).view(-1)[: shape.numel()].view(shape)


def bits_per_parameter(double: bool, bits: int = 4) -> float:
    """How many bits a weight takes, its share of the constants included.

    Args:
        double: whether the constants are quantised, too.
        bits: of a code.

    Returns:
        4.5 for NF4, and 4.127 with double quantisation.
    """
    constants = (8 + 32 / CONSTANTS_BLOCK) / BLOCK if double else 32 / BLOCK
    return bits + constants
