"""A text that is longer than a translator can read, in parts that it can: sentence by sentence, by spaCy."""

from collections.abc import Callable, Iterator, Sequence
from functools import cache

from reconstructing_transformer.translation.tokeniser import Tokeniser

Measure = Callable[[Sequence[str]], list[int]]


@cache
def _sentence_ends() -> Callable[[str], object]:
    import spacy  # slow to import, and no short sentence needs it

    pipeline = spacy.blank("de")
    pipeline.add_pipe("sentencizer")
    pipeline.max_length = 2**31
    return pipeline


def sentences(text: str) -> list[str]:
    """Cut a text behind the points, question marks and exclamation marks that end a sentence.

    Args:
        text: German prose.

    Returns:
        The sentences, without white space around them.
    """
    return [stripped for sentence in _sentence_ends()(text).sents if (stripped := sentence.text.strip())]


def _cut_words(sentence: str, most: int, measure: Measure) -> Iterator[str]:
    """A sentence that is too long itself: as many words at a time as fit; a word that does not fit, by its letters."""
    letters = most - 1  # the space before a word may be a piece, too
    words = [word[at : at + letters] for word in sentence.split() for at in range(0, len(word), letters)]
    begun: list[str] = []
    room = most
    for word, pieces in zip(words, measure(words), strict=True):
        if begun and pieces > room:
            yield " ".join(begun)
            begun, room = [], most
        begun.append(word)
        room -= pieces
    if begun:
        yield " ".join(begun)


def passages(text: str, most: int, tokeniser: Tokeniser) -> list[str]:
    """Cut a text into parts that are short enough, at the ends of sentences where that is possible.

    Args:
        text: one line of any length.
        most: pieces that a part may have, at least two.
        tokeniser: it counts them. No piece of it spans two words, and none is shorter than a character.

    Returns:
        The text itself where it is short enough; otherwise its sentences, and of those that are too long the parts, at
        white space or, within a word of `most` letters and more, anywhere. Nothing but white space is left out.
    """

    def measure(texts: Sequence[str]) -> list[int]:
        return [len(pieces) for pieces in tokeniser.encode(texts)]

    if measure([text])[0] <= most:
        return [text]
    parts = sentences(text)
    return [
        part
        for sentence, pieces in zip(parts, measure(parts), strict=True)
        for part in ([sentence] if pieces <= most else _cut_words(sentence, most, measure))
    ]
