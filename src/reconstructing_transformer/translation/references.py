"""What else people wrote for the German sentences of Tatoeba's test: a sentence has more than one right translation.

The test split has one English sentence for each German one; what else the corpus has for it is in no split. The book
carries it, so that a chapter can ask how much a single reference hides. CC BY 2.0 FR: where the sentences are shown,
tatoeba.org and manythings.org are named.
"""

from collections.abc import Iterable

from reconstructing_transformer._data import book_folder
from reconstructing_transformer.translation.cleaning import Pair, clean
from reconstructing_transformer.translation.corpora import Corpus
from reconstructing_transformer.translation.sample import as_tsv
from reconstructing_transformer.translation.sources import fetch
from reconstructing_transformer.translation.splits import sentence_key

FILE = "tatoeba-test-references.tsv"


def other_translations(pairs: Iterable[Pair], test: Iterable[Pair]) -> list[Pair]:
    """Find what else a corpus has for the German sentences of a test.

    Args:
        pairs: the whole corpus, cleaned.
        test: the test split, each German sentence once.

    Returns:
        The test's German sentences, each with another English one, in the test's order. English sentences that differ
        in case, punctuation or spacing alone count as one.
    """
    place = {sentence_key(german): (number, german) for number, (german, _) in enumerate(test)}
    known = {(sentence_key(german), sentence_key(english)) for german, english in test}
    found = []
    for german, english in pairs:
        keys = sentence_key(german), sentence_key(english)
        if keys[0] in place and keys not in known:
            known.add(keys)
            found.append((*place[keys[0]], english))
    return [(german, english) for _, german, english in sorted(found, key=lambda one: one[0])]


def freeze(corpus: Corpus) -> str:
    """Write the file anew.

    Args:
        corpus: Tatoeba, of an export that is at hand as `deu-eng.tsv`: what was cut away is wanted, too.

    Returns:
        The content of the file.
    """
    [text] = fetch("tatoeba", corpus.checksums, home=None).values()
    pairs, _ = clean([tuple(line.split("\t")[:2]) for line in text.splitlines()])
    return as_tsv(corpus, other_translations(pairs, corpus.test))


def load_references() -> dict[str, list[str]]:
    """Read what the book carries: further English translations of German sentences of the test.

    Returns:
        English sentences by German sentence. One that is not there has no other translation in the corpus.
    """
    lines = (book_folder("data") / FILE).read_text(encoding="utf-8").removesuffix("\n").split("\n")
    others: dict[str, list[str]] = {}
    for german, english in (line.split("\t") for line in lines if not line.startswith("# ")):
        others.setdefault(german, []).append(english)
    return others
