"""Some sentence pairs of Tatoeba that the book carries with it, so that its chapters need no corpus.

Two files: some pairs of the training split, and the whole test split. `reconstruct corpora sample SPLIT` writes them
anew. CC BY 2.0 FR: where the sentences are shown, tatoeba.org and manythings.org are named.
"""

import hashlib
from typing import Literal

from reconstructing_transformer._data import book_folder
from reconstructing_transformer.translation.cleaning import Pair
from reconstructing_transformer.translation.corpora import Corpus
from reconstructing_transformer.translation.splits import sentence_key

Split = Literal["train", "test"]

FILES: dict[Split, str] = {"train": "tatoeba-train-sample.tsv", "test": "tatoeba-test.tsv"}
PAIRS = 4_000  # of the training split


def sample_of(corpus: Corpus, split: Split = "train", amount: int = PAIRS) -> list[Pair]:
    """Choose the pairs that the book carries: those of the test split all, of the training split as good as at random.

    Args:
        corpus: which has them.
        split: of the corpus.
        amount: how many of the training split; always the same ones, no English sentence twice.

    Returns:
        The pairs.
    """
    if split == "test":
        return list(corpus.test)
    ordered = sorted(corpus.train, key=lambda pair: hashlib.sha256("\t".join(pair).encode()).digest())
    chosen: dict[str, Pair] = {}
    for pair in ordered:
        if len(chosen) < amount:
            chosen.setdefault(sentence_key(pair[1]), pair)
    return list(chosen.values())


def as_tsv(corpus: Corpus, pairs: list[Pair]) -> str:
    """Write pairs down, German TAB English, below three lines that say whose they are.

    Args:
        corpus: where they come from.
        pairs: the pairs.

    Returns:
        The content of the file.
    """
    head = [
        f"{corpus.attribution}.",
        f"Licence: {corpus.licence}.",
        f"From {', '.join(map(':'.join, corpus.checksums.items()))}",
    ]
    return "".join(f"# {line}\n" for line in head) + "".join(f"{german}\t{english}\n" for german, english in pairs)


def load_sample(split: Split = "train") -> list[Pair]:
    """Read what the book carries of Tatoeba, everyday sentences in German and English.

    Args:
        split: "train" for 4,000 pairs that translators have learned from, "test" for all 2,000 that none has seen.

    Returns:
        The pairs, the same every time.
    """
    lines = (book_folder("data") / FILES[split]).read_text(encoding="utf-8").removesuffix("\n").split("\n")
    pairs = [line.split("\t") for line in lines if not line.startswith("# ")]
    return [(german, english) for german, english in pairs]
