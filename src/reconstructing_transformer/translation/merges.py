"""Byte-pair encoding by hand: the pair of pieces that occurs most often becomes one piece, time and again.

`Tokeniser` learns by the library `tokenizers`, which does the same in a hundredth of the time.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise

Pieces = tuple[str, ...]
Merge = tuple[str, str]


def count_pairs(words: Mapping[Pieces, int]) -> Counter[Merge]:
    """Count how often each two pieces stand side by side.

    Args:
        words: words in pieces, and how often each occurs.

    Returns:
        The number of times of each pair. Pieces of different words are no pair.
    """
    counts: Counter[Merge] = Counter()
    for pieces, times in words.items():
        for pair in pairwise(pieces):
            counts[pair] += times
    return counts


def join(pieces: Sequence[str], pair: Merge) -> Pieces:
    """Make one piece of two, wherever they stand side by side.

    Args:
        pieces: of a word.
        pair: the two.

    Returns:
        The pieces of the same word; fewer, if the pair was among them.
    """
    joined: list[str] = []
    for piece in pieces:
        if joined and (joined[-1], piece) == pair:
            joined[-1] += piece
        else:
            joined.append(piece)
    return tuple(joined)


def learn_merges(words: Mapping[str, int], amount: int) -> list[Merge]:
    """Learn which pairs to join, and in which order.

    Args:
        words: words, and how often each occurs.
        amount: how many pairs; fewer where no pair occurs twice any more.

    Returns:
        The pairs, the most frequent first. Of two that are as frequent, it is the one whose pieces are older:
        characters are born in the order of Unicode, joined pieces after them.
    """
    age = {letter: number for number, letter in enumerate(sorted(set("".join(words))))}
    cut = {tuple(word): times for word, times in words.items()}
    merges: list[Merge] = []
    while len(merges) < amount and (counts := count_pairs(cut)):
        best = min(counts, key=lambda pair: (-counts[pair], age[pair[0]], age[pair[1]]))
        if counts[best] < 2:
            break
        merges.append(best)
        age.setdefault("".join(best), len(age))
        cut = {join(pieces, best): times for pieces, times in cut.items()}
    return merges


def cut_word(word: str, merges: Sequence[Merge]) -> Pieces:
    """Cut a word into the pieces that were learnt: down to its characters, and together again.

    Args:
        word: any word.
        merges: the pairs to join, in the order in which they were learnt.

    Returns:
        Its pieces. A character that was never seen stays as it is.
    """
    rank = {pair: number for number, pair in enumerate(merges)}
    pieces: Pieces = tuple(word)
    while known := [pair for pair in pairwise(pieces) if pair in rank]:
        pieces = join(pieces, min(known, key=rank.__getitem__))
    return pieces
