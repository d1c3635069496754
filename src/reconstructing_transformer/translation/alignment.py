"""Which words of two sentences translate each other: links, by hand and by attention, and how well they agree."""

import re
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from reconstructing_transformer._data import book_folder
from reconstructing_transformer.equations import deviation, implements
from reconstructing_transformer.translation.tokeniser import Tokeniser
from reconstructing_transformer.translation.translator import Attention, Translator

FILE = "alignments.tsv"
WORD = re.compile(r"\w+(?:['’]\w+)*")
LINK = re.compile(r"(\d+)([-?])(\d+)")

Links = AbstractSet[tuple[int, int]]
"""Pairs of a source word and a target word, both counted from 0."""


class Agreement(NamedTuple):
    """How well some links agree with those made by hand."""

    recall: float
    precision: float
    AER: float


@deviation(
    "och2003-aer",
    title="Not a single link",
    reason="The formulas are $0/0$ where nothing was found or nobody is sure of anything. Who finds nothing makes no "
    "mistake, and where nothing is sure nothing can be missed: we say precision 1, recall 1, AER 0.",
)
@implements("och2003-aer")
def agreement(A: Links, S: Links, P: Links) -> Agreement:
    """AER = 1 − (|A ∩ S| + |A ∩ P|) / (|A| + |S|), §5 of Och & Ney 2003.

    Args:
        A: the links that were found.
        S: the links of which a person is sure.
        P: the links that are possible, those of S among them.

    Returns:
        Recall of what is sure, precision by what is possible, and the alignment error rate.

    Raises:
        ValueError: a link is sure and not possible.
    """
    if not S <= P:
        raise ValueError(f"what is sure is possible, too; got {sorted(S - P)[:3]} in S and not in P")
    recall = len(A & S) / len(S) if S else 1.0
    precision = len(A & P) / len(A) if A else 1.0
    AER = 1 - (len(A & S) + len(A & P)) / (len(A) + len(S)) if A or S else 0.0
    return Agreement(recall, precision, AER)


def words_of(sentence: str) -> list[str]:
    """Cut a sentence into words: runs of letters and digits, with the apostrophes inside them, and no punctuation.

    Args:
        sentence: of either language.

    Returns:
        The words.
    """
    return WORD.findall(sentence)


@dataclass(frozen=True)
class AlignedPair:
    """A sentence, its translation, and which of their words translate each other, as a person sees it."""

    german: str
    english: str
    sure: frozenset[tuple[int, int]]
    """The paper's S: links of a German and an English word, both counted from 0."""

    possible: frozenset[tuple[int, int]]
    """The paper's P, those of S among them."""

    @cached_property
    def german_words(self) -> list[str]:
        """The words of the sentence."""
        return words_of(self.german)

    @cached_property
    def english_words(self) -> list[str]:
        """The words of its translation."""
        return words_of(self.english)


def read_pair(line: str) -> AlignedPair:
    """Read a pair as `alignments.tsv` has it: German, English and links, with tabs between them.

    Args:
        line: of the file; a link is `i-j` where it is sure, `i?j` where it is possible.

    Returns:
        The pair.

    Raises:
        ValueError: the line has other parts, or a link is none, or links a word that is not there.
    """
    parts = line.split("\t")
    if len(parts) != 3:
        raise ValueError(f"a line has German, English and links, with two tabs; got {len(parts)} parts in {line!r}")
    german, english, written = parts
    sizes = len(words_of(german)), len(words_of(english))
    links: dict[str, set[tuple[int, int]]] = {"-": set(), "?": set()}
    for text in written.split():
        if (link := LINK.fullmatch(text)) is None:
            raise ValueError(f"a link is written 3-4 where it is sure and 3?4 where it is possible; got {text!r}")
        i, j = int(link[1]), int(link[3])
        if i >= sizes[0] or j >= sizes[1]:
            raise ValueError(f"{german!r} has {sizes[0]} words, {english!r} {sizes[1]}; no link can be {text}")
        links[link[2]].add((i, j))
    return AlignedPair(german, english, frozenset(links["-"]), frozenset(links["-"] | links["?"]))


def load_alignments() -> list[AlignedPair]:
    """Read the sentences that were aligned by hand for this book. No translator of it has learned from them.

    Returns:
        The pairs, the same every time.
    """
    lines = (book_folder("data") / FILE).read_text(encoding="utf-8").splitlines()
    return [read_pair(line) for line in lines if not line.startswith("# ")]


def read_along(translator: Translator, german: str, english: str) -> Attention:
    """Let a translator write a given translation, and watch it.

    Args:
        translator: whose weights are wanted.
        german: what it reads.
        english: what it has to write, whatever it would have written.

    Returns:
        All its weights. Row t is what it looked at when it had to write piece t.
    """
    [source], [written] = (translator.tokeniser.encode([side]) for side in (german, english))
    return translator.watch(source, written)


def words_of_pieces(tokeniser: Tokeniser, sentence: str) -> list[int | None]:
    """Say of each piece of a sentence which of its words it is a part of.

    Args:
        tokeniser: which cuts the sentence.
        sentence: in NFC.

    Returns:
        The index of a word for each piece, None for punctuation and for the end, which is the last.

    Raises:
        ValueError: the sentence does not come back from its pieces, so that nobody knows which is where.
    """
    (pieces,) = tokeniser.encode([sentence])
    spans = [match.span() for match in WORD.finditer(sentence)]
    ends = [len(text) for text in tokeniser.decode([pieces[: k + 1] for k in range(len(pieces))])]
    if ends and ends[-1] != len(sentence):
        raise ValueError(f"{sentence!r} does not come back from its pieces; bring it into NFC by `unicodedata` first")
    inside = [[i for i, (start, stop) in enumerate(spans) if start < end <= stop] for end in ends]
    return [*(found[0] if found else None for found in inside), None]


def membership(words: Sequence[int | None]) -> Float[Tensor, "pieces words"]:
    """Write down which piece belongs to which word, as a matrix of zeros and ones.

    Args:
        words: a word for each piece, as `words_of_pieces` returns them.

    Returns:
        The matrix: a row a piece, a column a word.
    """
    count = 1 + max((word for word in words if word is not None), default=-1)
    matrix = torch.zeros(len(words), count)
    for piece, word in enumerate(words):
        if word is not None:
            matrix[piece, word] = 1
    return matrix


def between_words(
    weights: Float[Tensor, "*maps n m"], target: Sequence[int | None], source: Sequence[int | None]
) -> Float[Tensor, "*maps target_words source_words"]:
    """Turn weights between pieces into weights between words.

    What a word gets is the sum of what its pieces get. What a word gives is the mean of what its pieces give.

    Args:
        weights: cross-attention, a row a piece of the target.
        target: a word for each row.
        source: a word for each column.

    Returns:
        The weights. A row no longer sums to one: what lay on punctuation and on the end is left out.
    """
    rows, columns = membership(target).to(weights), membership(source).to(weights)
    return (rows / rows.sum(0)).T @ weights @ columns


def strongest_links(weights: Float[Tensor, "target_words source_words"]) -> set[tuple[int, int]]:
    """Link each target word to the source word that it gives most.

    Args:
        weights: between words; any score will do.

    Returns:
        One link a target word.
    """
    return {(int(source), target) for target, source in enumerate(weights.argmax(-1))}
