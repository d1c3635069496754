"""Byte-pair encoding written by hand learns, and cuts, what the library `tokenizers` does."""

import json
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from reconstructing_transformer.translation.merges import count_pairs, cut_word, join, learn_merges
from reconstructing_transformer.translation.numbers import spell


def trained_by_the_library(words: dict[str, int], amount: int) -> tuple[list[tuple[str, str]], Tokenizer]:
    """The merges that `tokenizers` learns from the same words, and its tokeniser."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    size = len(set("".join(words))) + amount
    trainer = trainers.BpeTrainer(vocab_size=size, min_frequency=2, show_progress=False)
    tokenizer.train_from_iterator([" ".join([word] * times) for word, times in words.items()], trainer)
    return [(left, right) for left, right in json.loads(tokenizer.to_str())["model"]["merges"]], tokenizer


def counted(words: list[str]) -> dict[str, int]:
    return dict(Counter(words))


# Where a letter stands twice in a row, `tokenizers` keeps its books a little differently while it learns.
WORDS = st.lists(
    st.text("abcdeß", min_size=1, max_size=9).filter(lambda word: all(a != b for a, b in pairwise(word))), min_size=1
)


@given(words=WORDS, amount=st.integers(0, 12))
def test_the_same_pairs_are_joined_in_the_same_order(words, amount):
    theirs, _ = trained_by_the_library(counted(words), amount)
    assert learn_merges(counted(words), amount) == theirs


@given(words=WORDS, other=st.text("abcdeß", min_size=1, max_size=12))
def test_a_new_word_is_cut_in_the_same_places(words, other):
    theirs, tokenizer = trained_by_the_library(counted(words + list("abcdeß")), 12)
    assert list(cut_word(other, theirs)) == tokenizer.encode(other).tokens


def test_the_same_is_learnt_from_numbers_in_words():
    words = Counter(word for number in range(1_000) for text in spell(number) for word in text.split())
    theirs, tokenizer = trained_by_the_library(words, 150)
    ours = learn_merges(words, 150)
    assert len(ours) == 150
    assert ours == theirs
    new = "neunhundertneunundneunzigtausend"
    assert list(cut_word(new, ours)) == tokenizer.encode(new).tokens


def test_pairs_are_counted_within_words_and_as_often_as_the_words_occur():
    assert count_pairs({("a", "b", "a"): 3, ("b", "a"): 2}) == {("a", "b"): 3, ("b", "a"): 5}


def test_joining_goes_from_left_to_right_and_takes_each_piece_once():
    assert join(("a", "a", "a"), ("a", "a")) == ("aa", "a")
    assert join(("a", "b", "c"), ("a", "c")) == ("a", "b", "c")


@pytest.mark.parametrize("word", ["", "Haus", "日本"])
def test_no_letter_is_lost(word):
    assert "".join(cut_word(word, [("a", "u"), ("au", "s"), ("H", "aus")])) == word


def test_what_occurs_once_is_not_joined():
    assert learn_merges({"abc": 1}, 5) == []
    assert learn_merges({"abc": 2}, 5) == [("a", "b"), ("ab", "c")]
    assert learn_merges({}, 5) == []
