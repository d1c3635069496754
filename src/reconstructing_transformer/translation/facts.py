"""What can be said of a corpus without a word of it: for pages that show one that may not be handed on.

A frozen file of them is in `book/data/`; `reconstruct corpora facts NAME` writes it anew.
"""

from collections import Counter
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from reconstructing_transformer._data import book_folder
from reconstructing_transformer.translation.corpora import Corpus
from reconstructing_transformer.translation.tokeniser import VOCABULARY, Tokeniser


class Step(BaseModel):
    """What one step of the cleaning did."""

    model_config = ConfigDict(extra="forbid")

    step: str
    before: int
    after: int
    changed: int


class CorpusFacts(BaseModel):
    """Where a corpus comes from, what was done to it, and how long its sentences are."""

    model_config = ConfigDict(extra="forbid")

    name: str
    licence: str
    attribution: str
    checksums: dict[str, str]
    splits: dict[str, int]
    cleaning: list[Step]
    vocabulary: int
    target_tokens: int
    lengths: list[tuple[int, int, int]]
    """Pieces of German, pieces of English, and how many training pairs are so long."""

    def pairs(self) -> tuple[list[int], list[int]]:
        """Spell the lengths out: one number a training pair, of German and of English, the shortest first."""
        german = [length for length, _, count in self.lengths for _ in range(count)]
        english = [length for _, length, count in self.lengths for _ in range(count)]
        return german, english


def facts_of(corpus: Corpus, vocabulary: int = VOCABULARY) -> CorpusFacts:
    """Learn a vocabulary from a corpus's training split, and count.

    Args:
        corpus: the pairs.
        vocabulary: pieces of both languages together.

    Returns:
        The facts, the same for the same corpus.
    """
    german, english = zip(*corpus.train, strict=True)
    tokeniser, target_tokens = Tokeniser.train([*german, *english], vocabulary).numbered_for(english)
    sides = [[len(pieces) for pieces in tokeniser.encode(side)] for side in (german, english)]
    return CorpusFacts(
        name=corpus.name,
        licence=corpus.licence,
        attribution=corpus.attribution,
        checksums=corpus.checksums,
        splits={"train": len(corpus.train), "validation": len(corpus.validation), "test": len(corpus.test)},
        cleaning=[Step(**count._asdict()) for count in corpus.counts],
        vocabulary=len(tokeniser),
        target_tokens=target_tokens,
        lengths=sorted((*lengths, count) for lengths, count in Counter(zip(*sides, strict=True)).items()),
    )


def book_facts(name: str) -> CorpusFacts:
    """Read the facts that were frozen into the book.

    Args:
        name: of the corpus.

    Returns:
        The facts.

    Raises:
        FileNotFoundError: the book has none of this corpus.
    """
    return CorpusFacts.model_validate_json(facts_file(name).read_bytes())


def facts_file(name: str) -> Path:
    """The file in the book that has a corpus's facts."""
    return book_folder("data") / f"{name}.json"
