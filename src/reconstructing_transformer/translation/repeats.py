"""How often a corpus says the same thing: what a cut at random would give away, and what an honest one can't help.

What was counted is frozen in `book/data/repeats.json`, without a word of the corpora; `freeze` counts anew.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from pydantic import BaseModel, ConfigDict, TypeAdapter

from reconstructing_transformer._data import book_folder
from reconstructing_transformer.translation.corpora import Corpus
from reconstructing_transformer.translation.splits import sentence_key

FILE = "repeats.json"


class Repeats(BaseModel):
    """How often the sentences of a training split occur in it, and how near the test's sentences come to them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    english: dict[int, int]
    """How many English sentences stand in one pair, in two, and so on; case, punctuation and spacing left aside."""

    german: dict[int, int]
    """The same of German sentences."""

    near_english: int
    """English sentences of the test that differ in one word, and no more, from one in training."""

    near_german: int
    """The same of German sentences."""


Frozen = TypeAdapter(dict[str, Repeats])


def group_sizes(sentences: Iterable[str]) -> dict[int, int]:
    """Count how many sentences occur once, how many twice, and so on.

    Args:
        sentences: of one language.

    Returns:
        How many sentences there are, by how often they occur; case, punctuation and spacing play no part.
    """
    return dict(sorted(Counter(Counter(map(sentence_key, sentences)).values()).items()))


def _with_holes(sentence: str) -> Iterator[tuple[str, ...]]:
    """The words of a sentence, with a hole in the place of each in turn."""
    words = [key for word in sentence.split() if (key := sentence_key(word))]
    for place in range(len(words)):
        yield (*words[:place], "", *words[place + 1 :])


def near_copies(test: Sequence[str], train: Iterable[str]) -> list[str]:
    """Find the sentences of a test that have a near copy: the same words in the same order, but for one at most.

    Args:
        test: sentences of one language.
        train: sentences of the same language.

    Returns:
        Those of the test, in their order. Case and punctuation play no part. A sentence of one word has no near copies:
        with a hole in it nothing would be left to be alike.
    """
    seen = {holes for sentence in train for holes in _with_holes(sentence) if len(holes) > 1}
    return [sentence for sentence in test if not seen.isdisjoint(_with_holes(sentence))]


def repeats_of(corpus: Corpus) -> Repeats:
    """Count what is said twice.

    Args:
        corpus: the pairs.

    Returns:
        The counts.
    """
    train, test = (list(zip(*pairs, strict=True)) for pairs in (corpus.train, corpus.test))
    return Repeats(
        german=group_sizes(train[0]),
        english=group_sizes(train[1]),
        near_german=len(near_copies(test[0], train[0])),
        near_english=len(near_copies(test[1], train[1])),
    )


def freeze(corpora: Iterable[Corpus]) -> str:
    """Count what several corpora say twice, for the book.

    Args:
        corpora: the pairs.

    Returns:
        The content of the file, as JSON.
    """
    return Frozen.dump_json({corpus.name: repeats_of(corpus) for corpus in corpora}, indent=1).decode() + "\n"


def book_repeats(name: str) -> Repeats:
    """Read what was counted on a whole corpus.

    Args:
        name: `multi30k` or `tatoeba`.

    Returns:
        The counts.

    Raises:
        ValueError: the book has none of this corpus.
    """
    frozen = Frozen.validate_json((book_folder("data") / FILE).read_bytes())
    if name not in frozen:
        raise ValueError(f"the book has counted repeats of {', '.join(frozen)}; got {name!r}")
    return frozen[name]
