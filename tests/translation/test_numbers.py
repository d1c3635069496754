"""Numbers in words: endless, the same for the same seed, and never the ones that a model is judged by."""

from itertools import islice

import pytest

from reconstructing_transformer.translation import corpora
from reconstructing_transformer.translation.corpora import load_corpus
from reconstructing_transformer.translation.numbers import (
    distinct_pairs,
    draw_numbers,
    number_pairs,
    part_of,
    spell,
)


@pytest.mark.parametrize(
    ("number", "pair"),
    [
        (0, ("null", "zero")),
        (42, ("zweiundvierzig", "forty-two")),
        (101, ("einhunderteins", "one hundred and one")),
        (101_000, ("einhunderteintausend", "one hundred and one thousand")),
        (30_017, ("dreißigtausendsiebzehn", "thirty thousand and seventeen")),
        (
            999_999,
            (
                "neunhundertneunundneunzigtausendneunhundertneunundneunzig",
                "nine hundred and ninety-nine thousand, nine hundred and ninety-nine",
            ),
        ),
    ],
)
def test_numbers_are_written_as_both_languages_write_them(number, pair):
    assert spell(number) == pair


@pytest.mark.parametrize("number", [-1, 1_000_000])
def test_numbers_outside_of_the_corpus_are_refused(number):
    with pytest.raises(ValueError, match="999,999"):
        spell(number)


def test_a_tenth_of_the_numbers_is_for_the_test_and_the_small_ones_are_for_training():
    parts = [part_of(number) for number in range(20_000)]
    assert set(parts[:100]) == {"train"}
    assert parts.count("test") / 20_000 == pytest.approx(0.1, abs=0.01)
    assert parts.count("validation") / 20_000 == pytest.approx(0.1, abs=0.01)


def test_training_goes_on_for_ever_and_never_meets_a_number_of_the_test():
    drawn = list(islice(draw_numbers(seed=3), 5_000))
    assert {part_of(number) for number in drawn} == {"train"}
    assert {len(str(number)) for number in drawn} == {1, 2, 3, 4, 5, 6}


def test_a_seed_decides_the_drawing():
    first, again, other = (list(islice(number_pairs(seed), 50)) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_a_corpus_of_small_numbers_can_be_drawn():
    assert max(islice(draw_numbers(seed=0, below=5_000), 2_000)) < 5_000
    assert len(set(distinct_pairs(200, seed=0, part="test", below=10_000))) == 200


@pytest.mark.parametrize(("part", "below"), [("test", 100), ("training", 100), ("train", 0), ("train", 10**7)])
def test_numbers_that_there_are_not_are_refused_instead_of_sought_for_ever(part, below):
    with pytest.raises(ValueError, match=r"part|below"):
        next(draw_numbers(seed=0, part=part, below=below))


def test_more_different_numbers_than_there_are_can_not_be_drawn():
    assert len(distinct_pairs(100, seed=0, below=100)) == 100
    with pytest.raises(ValueError, match="101"):
        distinct_pairs(101, seed=0, below=100)


def test_the_corpus_is_the_same_every_time_and_its_parts_share_no_number(monkeypatch):
    monkeypatch.setattr(corpora, "NUMBERS_IN_TRAINING", 400)
    monkeypatch.setattr(corpora, "NUMBERS_HELD_OUT", 60)
    corpus = load_corpus("numbers")
    assert [len(part) for part in (corpus.train, corpus.validation, corpus.test)] == [400, 60, 60]
    assert len({*corpus.train, *corpus.validation, *corpus.test}) == 520
    assert load_corpus("numbers").checksums == corpus.checksums
