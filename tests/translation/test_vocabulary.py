"""What the book carries of Tatoeba is Tatoeba's, and what it says of vocabularies is what is counted there."""

import pytest
from typer.testing import CliRunner

from reconstructing_transformer import cli
from reconstructing_transformer._data import book_folder
from reconstructing_transformer.translation import corpora
from reconstructing_transformer.translation.sample import FILES, PAIRS, as_tsv, load_sample, sample_of
from reconstructing_transformer.translation.splits import sentence_key
from reconstructing_transformer.translation.tokeniser import SPECIALS
from reconstructing_transformer.translation.vocabulary import (
    SIZES,
    book_vocabularies,
    count_costs,
    unknown_share,
    words_of,
)
from tests.translation.small import NUMBERS


@pytest.mark.parametrize(("split", "amount"), [("train", PAIRS), ("test", 2_000)])
def test_a_sample_has_as_many_pairs_as_it_should_and_both_sides_of_each(split, amount):
    pairs = load_sample(split)
    assert len(pairs) == amount
    assert all(side.strip() for pair in pairs for side in pair)
    assert len({sentence_key(english) for _, english in pairs}) == amount


def test_nobody_has_learned_a_sentence_of_the_test():
    german, english = (set(side) for side in zip(*load_sample("train"), strict=True))
    for theirs, ours in load_sample("test"):
        assert theirs not in german
        assert ours not in english


@pytest.mark.parametrize("file", FILES.values())
def test_the_file_of_a_sample_is_small_and_says_whose_it_is(file):
    content = (book_folder("data") / file).read_bytes()
    assert len(content) < 300_000
    first, licence = content.decode().split("\n")[:2]
    assert "tatoeba.org" in first
    assert "manythings.org" in first
    assert "CC BY 2.0 FR" in licence


@pytest.mark.parametrize("split", FILES)
def test_the_samples_are_what_the_corpus_gives(split, tatoeba):
    pairs = load_sample(split)
    content = (book_folder("data") / FILES[split]).read_text(encoding="utf-8")
    assert content == as_tsv(tatoeba, sample_of(tatoeba, split))
    assert set(pairs) <= set(getattr(tatoeba, split))


def test_a_sample_is_the_same_whatever_the_order_of_the_corpus():
    chosen = sample_of(NUMBERS, amount=50)
    assert len(set(chosen)) == 50
    assert sample_of(corpora.Corpus(**{**vars(NUMBERS), "train": NUMBERS.train[::-1]}), amount=50) == chosen


@pytest.mark.parametrize("split", FILES)
def test_the_command_prints_the_file(split, monkeypatch):
    monkeypatch.setattr(corpora, "_tatoeba", lambda newer_export=False: NUMBERS)
    done = CliRunner().invoke(cli.app, ["corpora", "sample", split])
    assert done.exit_code == 0
    assert done.stdout == as_tsv(NUMBERS, sample_of(NUMBERS, split))


@pytest.mark.parametrize("command", [["sample", "test"], ["vocabularies"]])
def test_without_the_corpus_the_command_says_where_to_put_it(command, bare):
    done = CliRunner().invoke(cli.app, ["corpora", *command])
    assert done.exit_code == 2
    assert "deu-eng.tsv" in done.stderr


def test_the_books_vocabularies_are_those_of_the_corpus(tatoeba):
    frozen = book_vocabularies()
    assert tuple(frozen) == SIZES
    for size in (SIZES[0], 8_000):
        assert frozen[size] == count_costs(tatoeba.train, tatoeba.test, size)


def test_what_a_vocabulary_costs_is_counted_on_what_it_cuts():
    small, large = (count_costs(NUMBERS.train, NUMBERS.test, size) for size in (60, 120))
    assert small.pieces <= 60 < large.pieces <= 120
    assert len(SPECIALS) < small.english < small.pieces
    assert large.german_length < small.german_length
    assert large.english_length < small.english_length
    assert large.rare > small.rare
    # German numbers are written as one word: whoever knows words alone has never seen most of them.
    assert 0 < large.unknown_words <= small.unknown_words < 1


def test_a_word_is_unknown_if_it_is_not_among_the_most_frequent():
    train, test = words_of(["ja, ja!", "ja nein"]), words_of(["ja nein vielleicht"])
    assert train == [["ja", ",", "ja", "!"], ["ja", "nein"]]
    assert unknown_share(train, test, len(SPECIALS) + 1) == pytest.approx(2 / 3)
    assert unknown_share(train, test, len(SPECIALS) + 4) == pytest.approx(1 / 3)
