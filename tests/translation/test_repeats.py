"""What a corpus says twice is counted as it would be by hand, and what is frozen belongs to the corpora of the book."""

import pytest

from reconstructing_transformer.translation.corpora import Corpus
from reconstructing_transformer.translation.facts import book_facts
from reconstructing_transformer.translation.repeats import (
    Frozen,
    book_repeats,
    freeze,
    group_sizes,
    near_copies,
    repeats_of,
)


def small(train: list[tuple[str, str]], test: list[tuple[str, str]]) -> Corpus:
    return Corpus("small", train, [], test, {}, "none", "nobody", [])


def test_sentences_that_differ_in_case_or_punctuation_are_one():
    assert group_sizes(["Go!", "go", "Stay.", "Go away."]) == {1: 2, 2: 1}
    assert group_sizes([]) == {}


def test_a_near_copy_has_one_other_word_in_the_same_place():
    train = ["Tom is tired.", "I like tea a lot.", "Yes."]
    assert near_copies(["tom is late", "Is Tom tired?", "I like tea.", "No."], train) == ["tom is late"]


def test_a_copy_is_a_near_copy_unless_it_is_one_word():
    assert near_copies(["Go away!", "Yes."], ["Go away.", "Yes."]) == ["Go away!"]


def test_a_corpus_is_counted_side_by_side():
    corpus = small(
        [("Geh!", "Go!"), ("Geht!", "Go."), ("Ich bin hier.", "I am here."), ("Ich bin hier!", "I'm here.")],
        [("Ich bin da.", "I am there."), ("Wo bist du?", "Where are you?")],
    )
    found = repeats_of(corpus)
    assert (found.english, found.german) == ({1: 2, 2: 1}, {1: 2, 2: 1})
    assert (found.near_english, found.near_german) == (1, 1)
    assert Frozen.validate_json(freeze([corpus])) == {"small": found}


@pytest.mark.parametrize("name", ["multi30k", "tatoeba"])
def test_what_is_frozen_counts_every_pair_of_the_corpus(name):
    repeats, splits = book_repeats(name), book_facts(name).splits
    for sizes, near in ((repeats.english, repeats.near_english), (repeats.german, repeats.near_german)):
        assert sum(size * count for size, count in sizes.items()) == splits["train"]
        assert 0 <= near <= splits["test"]


def test_a_corpus_that_was_not_counted_is_named_with_those_that_were():
    with pytest.raises(ValueError, match="of multi30k, tatoeba; got 'numbers'"):
        book_repeats("numbers")
