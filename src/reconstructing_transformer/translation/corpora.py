"""The three corpora, German and English: numbers, Multi30k and Tatoeba."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from reconstructing_transformer._data import digest
from reconstructing_transformer.translation.cleaning import Count, Pair, clean
from reconstructing_transformer.translation.sources import CorpusError, fetch, fetch_archive
from reconstructing_transformer.translation.splits import split_by_english

__all__ = ["CORPORA", "Corpus", "CorpusError", "Count", "Pair", "load_corpus"]

# Hashes of the unpacked texts: 29,000, 1,014 and 1,000 lines.
MULTI30K_HOME = "https://raw.githubusercontent.com/multi30k/dataset/master/data/task1/raw"
MULTI30K = {
    "train.de": "sha256:2c2b73fd2b548fbcde3a875e0a78d6ee94d498bfdee6bd3eae3945779e9ddf72",
    "train.en": "sha256:460a15fbd157e34a7a9957ee388c1ca247fe47af3ef25fb50442af6c274e0fc6",
    "val.de": "sha256:660e09eb7e1da2f856ea13ee5ad3cf6d36b3d5b0b733c857e94c5747a3dfc660",
    "val.en": "sha256:1f2a23d992769b5b3d209b0a10dd0b77c08cceb1f20dfb97ed0aafa49d107227",
    "test_2016_flickr.de": "sha256:4be6b5b3236b79c25475c6bb829800a7ce559e9ba7a1f6c2394fe4d40be46d16",
    "test_2016_flickr.en": "sha256:399a4382932c1aadd3ceb9bef1008d388a64c76d4ae4e9d4728c6f4301cac182",
}

# The home has one file, which each export replaces, a few times a year. A hash of it would be wrong within weeks, and
# without one nobody could repeat the book's numbers. They come from one export, therefore, known by its hash, whoever
# keeps it; another export is taken only by somebody who says so, and then its hash is what the record has.
TATOEBA_HOME = "https://www.manythings.org/anki/deu-eng.zip"
TATOEBA_EXPORT = "2018-05-13"
TATOEBA = {"deu-eng.tsv": "sha256:ed25db2249bf3312a9eba6af81d692921c53b1bce6a31386ced1707240a48902"}
HELD_OUT = 2_000

NUMBERS_IN_TRAINING, NUMBERS_HELD_OUT = 20_000, 1_000


@dataclass(frozen=True)
class Corpus:
    """Sentence pairs, German and English, in three parts, and where they come from.

    Args:
        name: what `load_corpus` knows it by.
        train: the pairs to learn from, cleaned.
        validation: the pairs to watch the training by.
        test: the pairs to be judged by.
        checksums: `algorithm:digest` of each file; for numbers, of each part's text.
        licence: under which terms.
        attribution: whom to name wherever the corpus is used.
        counts: what each step of the cleaning and of the cut did to the pairs that became the training set.
    """

    name: str
    train: list[Pair]
    validation: list[Pair]
    test: list[Pair]
    checksums: dict[str, str]
    licence: str
    attribution: str
    counts: list[Count]


def _lines(text: str) -> list[str]:
    """The lines of a file. They end at line feeds alone: `splitlines` would cut at U+2028 and its like, too."""
    return text.removesuffix("\n").split("\n")


def _numbers() -> Corpus:
    """Numbers in words; the code draws them, and the same ones always."""
    from reconstructing_transformer.translation.numbers import distinct_pairs

    parts = {"train": distinct_pairs(NUMBERS_IN_TRAINING, seed=0)}
    parts |= {part: distinct_pairs(NUMBERS_HELD_OUT, seed=0, part=part) for part in ("validation", "test")}
    return Corpus(
        name="numbers",
        **parts,
        checksums={part: digest(_as_text(pairs).encode(), "sha256") for part, pairs in parts.items()},
        licence="none is needed: the numbers are generated",
        attribution="Words by num2words (LGPL-2.1)",
        counts=[],
    )


def _as_text(pairs: Sequence[Pair]) -> str:
    return "".join(f"{german}\t{english}\n" for german, english in pairs)


def _multi30k() -> Corpus:
    """Multi30k. Validation and test stay as they are, to the letter: others are judged by them, too."""
    texts = fetch("multi30k", MULTI30K, MULTI30K_HOME)
    parts = {
        part: list(zip(_lines(texts[f"{part}.de"]), _lines(texts[f"{part}.en"]), strict=True))
        for part in ("train", "val", "test_2016_flickr")
    }
    train, counts = clean(parts["train"])
    return Corpus(
        name="multi30k",
        train=train,
        validation=parts["val"],
        test=parts["test_2016_flickr"],
        checksums=dict(MULTI30K),
        licence="for research, not for commerce (the terms of Flickr30k)",
        attribution="Multi30K (Elliott et al. 2016), github.com/multi30k/dataset",
        counts=counts,
    )


def _columns(line: str) -> tuple[str, str]:
    """The first two columns; a line that has only one gets an empty second, which the cleaning will not let pass."""
    first, second = [*line.split("\t"), ""][:2]
    return first, second


def _tatoeba_rows(newer_export: bool) -> tuple[list[Pair], Mapping[str, str]]:
    """German and English of the export that was asked for, and its hash."""
    if newer_export:
        text, checksum = fetch_archive("tatoeba", "deu-eng.zip", "deu.txt", TATOEBA_HOME)
        rows = [_columns(line) for line in _lines(text)]
        return [(german, english) for english, german in rows], {"deu-eng.zip": checksum}
    hint = (
        f"It is the export of {TATOEBA_EXPORT}, German TAB English, and {TATOEBA_HOME} has the newest export only: "
        "whoever wants that one asks for it by `newer_export=True`. Results on it are not comparable with the book's."
    )
    texts = fetch("tatoeba", TATOEBA, home=None, hint=hint)
    return [_columns(line) for line in _lines(texts["deu-eng.tsv"])], TATOEBA


def _tatoeba(newer_export: bool = False) -> Corpus:
    """Tatoeba's everyday sentences, cut so that no English sentence is in two parts."""
    rows, checksums = _tatoeba_rows(newer_export)
    pairs, cleaned = clean(rows)
    try:
        train, validation, test, cut = split_by_english(pairs, HELD_OUT)
    except ValueError as error:
        raise CorpusError(f"this export of Tatoeba ({', '.join(checksums)}) is too small: {error}") from error
    return Corpus(
        name="tatoeba",
        train=train,
        validation=validation,
        test=test,
        checksums=dict(checksums),
        licence="CC BY 2.0 FR",
        attribution="Sentences from tatoeba.org, paired by manythings.org/anki",
        counts=cleaned + cut,
    )


CORPORA: dict[str, Callable[[], Corpus]] = {"numbers": _numbers, "multi30k": _multi30k, "tatoeba": _tatoeba}


def load_corpus(name: str, *, newer_export: bool = False) -> Corpus:
    """Load a corpus: from `$RECONSTRUCT_DATA/name`, from the cache, or from its official home.

    Args:
        name: `numbers`, `multi30k` or `tatoeba`.
        newer_export: of Tatoeba alone: take whatever export its home has today, or the `deu-eng.zip` that is at hand,
            instead of the one that the book's numbers come from. The cut is made by the same rule.

    Returns:
        The corpus, the same every time.

    Raises:
        ValueError: there is no such corpus, or it has no exports.
        CorpusError: the corpus can't be had; the message says what was tried and where to put which file.
    """
    if name not in CORPORA:
        raise ValueError(f"there is no corpus {name!r}; choose one of {', '.join(CORPORA)}")
    if newer_export and name != "tatoeba":
        raise ValueError(f"newer_export is for tatoeba; {name} has no exports")
    return _tatoeba(newer_export) if name == "tatoeba" else CORPORA[name]()
