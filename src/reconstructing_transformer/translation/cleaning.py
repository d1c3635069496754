"""Cleaning sentence pairs: what is mended, what is left out, and the books kept about it."""

import html
import re
import unicodedata
from collections.abc import Callable, Iterable
from typing import NamedTuple

Pair = tuple[str, str]

LONGEST = 400  # characters
RATIO, LEEWAY = 2.5, 10  # a side may have this many times the other's characters, and some more

ENTITY = re.compile(r"&(?:#\d+|#[xX][0-9a-fA-F]+|\w+);")
JOINERS = "\u200c\u200d"  # control characters that scripts and emoji need


class Count(NamedTuple):
    """What one step of the cleaning did to the pairs."""

    step: str
    before: int
    after: int
    changed: int


def without_entities(text: str) -> str:
    """Write `&amp;` as &, and so on: in a corpus, HTML is an accident."""
    return ENTITY.sub(lambda found: html.unescape(found[0]), text)


def without_controls(text: str) -> str:
    """Leave out control characters, soft hyphens, spaces of no width and halves of characters; white space stays."""
    return "".join(
        letter
        for letter in text
        if letter.isspace() or letter in JOINERS or unicodedata.category(letter) not in ("Cc", "Cf", "Cs")
    )


def composed(text: str) -> str:
    """Write ä as one character and not as an a with two dots (Unicode's NFC)."""
    return unicodedata.normalize("NFC", text)


def single_spaced(text: str) -> str:
    """Put one plain space wherever there is white space of any kind, and none at the ends."""
    return " ".join(text.split())


def tidy(text: str) -> str:
    """Bring a sentence into the form in which the model learns and reads: composed, single-spaced, no controls.

    Args:
        text: any text.

    Returns:
        The same, for a reader; tidied again, it does not change.
    """
    return single_spaced(composed(without_controls(text)))


# Composed after the controls are gone: one of them may have stood between a letter and its dots.
EDITS: dict[str, Callable[[str], str]] = {
    "HTML entities": without_entities,
    "control characters": without_controls,
    "Unicode NFC": composed,
    "white space": single_spaced,
}


def _has_both_sides(pair: Pair) -> bool:
    return all(pair)


def _is_not_too_long(pair: Pair) -> bool:
    return max(map(len, pair)) <= LONGEST


def _matches_in_length(pair: Pair) -> bool:
    shorter, longer = sorted(map(len, pair))
    return longer <= RATIO * shorter + LEEWAY


FILTERS: dict[str, Callable[[Pair], bool]] = {
    "an empty side": _has_both_sides,
    f"more than {LONGEST} characters": _is_not_too_long,
    f"one side more than {RATIO} × the other + {LEEWAY} characters": _matches_in_length,
}


def clean(pairs: Iterable[Pair]) -> tuple[list[Pair], list[Count]]:
    """Mend what can be mended in sentence pairs, and leave out what can't be learnt from.

    Args:
        pairs: German and English.

    Returns:
        The pairs that are left, in their order, and what each step did: first the edits, which change pairs, then the
        filters, which remove some, the last of them duplicates.
    """
    kept, counts = list(pairs), []
    for step, edit in EDITS.items():
        edited = [(edit(german), edit(english)) for german, english in kept]
        changed = sum(old != new for old, new in zip(kept, edited, strict=True))
        counts.append(Count(step, len(kept), len(edited), changed))
        kept = edited
    for step, is_good in FILTERS.items():
        good = [pair for pair in kept if is_good(pair)]
        counts.append(Count(step, len(kept), len(good), 0))
        kept = good
    unique = list(dict.fromkeys(kept))
    counts.append(Count("duplicates", len(kept), len(unique), 0))
    return unique, counts
