"""Cutting a corpus of near-duplicates into training, validation and test so that none of them leaks."""

import hashlib
import unicodedata
from collections.abc import Sequence

from reconstructing_transformer.translation.cleaning import Count, Pair


def sentence_key(sentence: str) -> str:
    """What sentences have in common that differ in case, punctuation or spacing alone.

    Args:
        sentence: a sentence.

    Returns:
        Its letters and digits, case-folded.
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", sentence).casefold())
    return "".join(letter for letter in folded if letter.isalnum())


def _lot(text: str) -> bytes:
    """A text's place in an order that is as good as random, and the same for ever, whatever else is in the corpus."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def split_by_english(pairs: Sequence[Pair], held_out: int) -> tuple[list[Pair], list[Pair], list[Pair], list[Count]]:
    """Cut pairs by their English sentences: many pairs share one, and a random cut would test what was learnt by heart.

    Each held-out pair has an English and a German sentence of its own. No pair in training has, but for case,
    punctuation and spacing, the English or the German sentence of a held-out pair. Which sentences are held out is
    decided by their hashes: the order of the pairs plays no part, and a later state of the corpus holds out mostly the
    same ones.

    Args:
        pairs: German and English.
        held_out: number of pairs in the test set, and in the validation set.

    Returns:
        Training, validation and test set, and what each step took away.

    Raises:
        ValueError: there are not enough different sentences.
    """
    keys = [(sentence_key(german), sentence_key(english)) for german, english in pairs]
    variants: dict[str, list[int]] = {}
    for index, (_, english) in enumerate(keys):
        variants.setdefault(english, []).append(index)
    german_out: dict[str, int] = {}
    chosen: list[int] = []
    for english in sorted(variants, key=_lot):
        index = min(variants[english], key=lambda index: _lot("\t".join(pairs[index])))
        if keys[index][0] not in german_out:
            german_out[keys[index][0]] = index
            chosen.append(index)
        if len(chosen) == 2 * held_out:
            break
    else:
        raise ValueError(
            f"{2 * held_out:,} pairs can't be held out of {len(pairs):,}: they have only {len(chosen):,} sentences of "
            "their own"
        )
    test, validation = set(chosen[:held_out]), set(chosen[held_out:])
    english_out = {keys[index][1] for index in chosen}
    steps = {
        "held out for the test": lambda index: index not in test,
        "held out for validation": lambda index: index not in validation,
        "English sentence of a held-out pair": lambda index: keys[index][1] not in english_out,
        "German sentence of a held-out pair": lambda index: keys[index][0] not in german_out,
    }
    left, counts = list(range(len(pairs))), []
    for step, stays in steps.items():
        after = [index for index in left if stays(index)]
        counts.append(Count(step, len(left), len(after), 0))
        left = after
    parts = [[pairs[index] for index in part] for part in (left, chosen[held_out:], chosen[:held_out])]
    return parts[0], parts[1], parts[2], counts
