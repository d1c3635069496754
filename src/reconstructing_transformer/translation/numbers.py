"""Numbers in words: a corpus that is never exhausted, needs no network, and makes attention cross.

“zweiundvierzig” is “forty-two”: German names the units before the tens, English after them.
"""

import hashlib
import random
from collections.abc import Iterator

from num2words import num2words

from reconstructing_transformer.translation.cleaning import Pair

BELOW = 1_000_000
PATIENCE = 10_000  # draws in a row that were in vain before one gives up
PARTS = ("train", "validation", "test")


def spell(number: int) -> Pair:
    """Write a number in words.

    Args:
        number: from 0 to 999,999.

    Returns:
        German and English.

    Raises:
        ValueError: it is outside of this range.
    """
    if not 0 <= number < BELOW:
        raise ValueError(f"the numbers of this corpus go from 0 to {BELOW - 1:,}; got {number:,}")
    german = num2words(number, lang="de").replace("einstausend", "eintausend")  # it is einhunderteintausend
    return german, num2words(number, lang="en")


def part_of(number: int) -> str:
    """To which part a number belongs, for ever: a tenth to the test, a tenth to validation, by its hash.

    The numbers below 100 are all in training: their words are what the others are made of.

    Args:
        number: from 0 on.

    Returns:
        `train`, `validation` or `test`.
    """
    lot = hashlib.sha256(str(number).encode()).digest()[0] % 10 if number >= 100 else 9
    return {0: "test", 1: "validation"}.get(lot, "train")


def draw_numbers(seed: int, part: str = "train", below: int = BELOW) -> Iterator[int]:
    """Draw numbers of one part without end: first the number of digits, then the digits, so that short ones occur.

    Args:
        seed: another one draws others.
        part: `train`, `validation` or `test`; no number is in two of them.
        below: what all numbers are smaller than.

    Yields:
        Numbers, some of them again and again.

    Raises:
        ValueError: there is no such part, or there are no such numbers.
    """
    if part not in PARTS:
        raise ValueError(f"a part is one of {', '.join(PARTS)}; got {part!r}")
    if not 1 <= below <= BELOW:
        raise ValueError(f"numbers are below 1 to {BELOW:,}; got {below:,}")
    rng = random.Random(seed)
    in_vain = 0
    while in_vain < PATIENCE:
        digits = rng.randint(1, len(str(below - 1)))
        number = rng.randrange(10 ** (digits - 1) if digits > 1 else 0, 10**digits)
        if number < below and part_of(number) == part:
            in_vain = 0
            yield number
        else:
            in_vain += 1
    raise ValueError(f"there are no numbers below {below:,} in the part {part}: all that are below 100 are in training")


def number_pairs(seed: int, part: str = "train", below: int = BELOW) -> Iterator[Pair]:
    """Draw numbers of one part without end, as `draw_numbers` does, and write them in words.

    Args:
        seed: another one draws others.
        part: `train`, `validation` or `test`.
        below: what all numbers are smaller than.

    Yields:
        German and English.

    Raises:
        ValueError: there is no such part, or there are no such numbers.
    """
    return map(spell, draw_numbers(seed, part, below))


def distinct_pairs(amount: int, seed: int, part: str = "train", below: int = BELOW) -> list[Pair]:
    """Draw numbers of one part, none twice, and write them in words.

    Args:
        amount: how many.
        seed: another one draws others.
        part: `train`, `validation` or `test`.
        below: what all numbers are smaller than.

    Returns:
        German and English, in the order of the drawing.

    Raises:
        ValueError: there is no such part, or it has not that many numbers.
    """
    drawn: dict[int, None] = {}
    latest = 0
    for turn, number in enumerate(draw_numbers(seed, part, below)):
        if len(drawn) == amount:
            break
        if number not in drawn:
            drawn[number], latest = None, turn
        elif turn - latest > PATIENCE:
            raise ValueError(f"{amount:,} different numbers below {below:,} are not to be had in the part {part}")
    return [spell(number) for number in drawn]
