import pytest
import torch

from reconstructing_transformer.transformer import Transformer
from reconstructing_transformer.transformer.reversal import (
    BEGIN,
    END,
    LETTERS,
    LONGEST,
    PAD,
    SHORTEST,
    SYMBOLS,
    draw_words,
    exact_match,
    reverse,
    to_tokens,
    to_words,
    train,
    write,
)

SMALL = {"N": 1, "d_model": 32, "d_ff": 64, "h": 2, "dropout": 0.0}


@pytest.fixture(autouse=True)
def float32():
    torch.set_default_dtype(torch.float32)


def test_no_word_is_drawn_twice():
    words = draw_words(3000)
    assert len(set(words)) == 3000
    assert {len(word) for word in words} == set(range(SHORTEST, LONGEST + 1))
    assert set("".join(words)) == set(LETTERS)


def test_the_same_seed_draws_the_same_words_and_another_one_others():
    assert draw_words(50) == draw_words(50)
    assert draw_words(50, seed=1) != draw_words(50)


def test_a_row_ends_and_is_padded():
    assert to_tokens(["abc", "a"]).tolist() == [[3, 4, 5, END], [3, END, PAD, PAD]]
    assert to_tokens(["ab"], begin=True).tolist() == [[BEGIN, 3, 4, END]]


def test_words_come_back_from_their_tokens():
    words = draw_words(50)
    assert to_words(to_tokens(words, begin=True)) == words


def test_a_word_without_an_end_is_read_as_far_as_it_goes():
    assert to_words(torch.tensor([[BEGIN, 3, 4], [BEGIN, 3, END]])) == ["ab", "a"]


class Copies(Transformer):
    """Writes what it reads, letter for letter, and then ends."""

    def encode(self, source, source_mask=None):
        return torch.nn.functional.one_hot(source, len(SYMBOLS)).float()

    def decode(self, target, memory, source_mask=None):
        return memory[:, : target.size(1)]

    def logits(self, x):
        return x


def test_writing_stops_when_all_have_come_to_their_end():
    assert to_words(write(Copies(1, **SMALL), to_tokens(["abc", "jihgfe"]), most=9)) == ["abc", "jihgfe"]


def test_writing_stops_at_the_most_in_any_case():
    assert to_words(write(Copies(1, **SMALL), to_tokens(["abc", "jihgfe"]), most=5)) == ["abc", "jihgf"]


def test_writing_is_what_the_model_finds_likeliest_given_what_it_has_written():
    model = Transformer(len(SYMBOLS), **SMALL).eval()
    source = to_tokens(["abc", "jih"])
    written = write(model, source)
    forced = model(source, written[:, :-1]).argmax(-1)
    assert torch.equal(forced, written[:, 1:])


def test_exact_match_counts_whole_words():
    words = ["aba", "abc", "cdc", "cdd"]
    assert reverse(Copies(1, **SMALL), words) == words
    assert exact_match(Copies(1, **SMALL), words) == 0.5


@pytest.mark.parametrize("seed", [3, 4])
def test_a_small_transformer_reverses_words_that_it_has_never_seen(seed):
    """Two seeds more than the chapter shows; word for word, without help."""
    words = draw_words(5500, seed)
    unseen, seen = words[:500], words[500:]
    assert not set(unseen) & set(seen)
    torch.manual_seed(seed)
    model = Transformer(len(SYMBOLS), **SMALL)
    losses = train(model, seen)
    assert losses[-1] < 0.3 * losses[0]
    assert exact_match(model, unseen) >= 0.99
