"""What a vocabulary of so many pieces costs, counted on a corpus.

What was counted on Tatoeba is frozen in `book/data/tatoeba-vocabularies.json`; `reconstruct corpora vocabularies`
counts anew.
"""

import re
from collections import Counter
from collections.abc import Sequence
from itertools import chain

from pydantic import BaseModel, ConfigDict, TypeAdapter

from reconstructing_transformer._data import book_folder
from reconstructing_transformer.translation.cleaning import Pair
from reconstructing_transformer.translation.corpora import Corpus
from reconstructing_transformer.translation.tokeniser import SPECIALS, Tokeniser

FILE = "tatoeba-vocabularies.json"
SIZES = (125, 250, 500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000)
WORD = re.compile(r"\w+|[^\w\s]+")
RARE = 100  # times in training; below that a piece has hardly been seen


class VocabularyFacts(BaseModel):
    """What was counted for a vocabulary of some size."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pieces: int
    """In the vocabulary, special ones included."""

    english: int
    """Of these, how many the English sentences of training use."""

    german_length: float
    """Pieces of a German sentence, the mean."""

    english_length: float
    """Pieces of an English sentence, the mean."""

    rare: float
    """Share of the vocabulary that occurs less than a hundred times in training."""

    unknown_words: float
    """Share of the test's words that were unknown if the vocabulary had the most frequent words instead of pieces."""


Frozen = TypeAdapter(dict[int, VocabularyFacts])


def words_of(sentences: Sequence[str]) -> list[list[str]]:
    """Cut sentences into words: runs of letters and digits, and runs of signs.

    Args:
        sentences: of any language.

    Returns:
        The words of each.
    """
    return [WORD.findall(sentence) for sentence in sentences]


def unknown_share(train: Sequence[Sequence[str]], test: Sequence[Sequence[str]], size: int) -> float:
    """Say how many words of a test are unknown to a vocabulary of words.

    Args:
        train: sentences in words; the vocabulary has the most frequent ones.
        test: sentences in words.
        size: of the vocabulary, special entries included.

    Returns:
        The share of the test's words, each counted as often as it occurs.
    """
    counts = Counter(word for sentence in train for word in sentence)
    known = {word for word, _ in counts.most_common(size - len(SPECIALS))}
    words = [word for sentence in test for word in sentence]
    return sum(word not in known for word in words) / len(words)


def count_costs(train: Sequence[Pair], test: Sequence[Pair], size: int) -> VocabularyFacts:
    """Learn a vocabulary of a size, and count what it costs.

    Args:
        train: pairs that it is learnt from.
        test: pairs that it has not seen.
        size: the most pieces that it may have.

    Returns:
        What was counted, rounded to four digits behind the point.
    """
    german, english = zip(*train, strict=True)
    tokeniser, target_tokens = Tokeniser.train([*german, *english], size).numbered_for(english)
    sides = [tokeniser.encode(side) for side in (german, english)]
    words = [words_of(list(chain.from_iterable(part))) for part in (train, test)]
    seen = Counter(piece for side in sides for sentence in side for piece in sentence)
    means = [sum(map(len, side)) / len(side) for side in sides]
    return VocabularyFacts(
        pieces=len(tokeniser),
        english=target_tokens,
        german_length=round(means[0], 4),
        english_length=round(means[1], 4),
        rare=round(sum(seen[piece] < RARE for piece in range(len(SPECIALS), len(tokeniser))) / len(tokeniser), 4),
        unknown_words=round(unknown_share(*words, size), 4),
    )


def freeze(corpus: Corpus, sizes: Sequence[int] = SIZES) -> str:
    """Count for vocabularies of several sizes, for the book.

    Args:
        corpus: the pairs.
        sizes: of the vocabularies.

    Returns:
        The content of the file, as JSON.
    """
    facts = {size: count_costs(corpus.train, corpus.test, size) for size in sizes}
    return Frozen.dump_json(facts, indent=1).decode() + "\n"


def book_vocabularies() -> dict[int, VocabularyFacts]:
    """Read what was counted on the whole of Tatoeba.

    Returns:
        What was counted, by the size that was asked for.
    """
    return Frozen.validate_json((book_folder("data") / FILE).read_bytes())
