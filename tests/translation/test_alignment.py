"""Links by hand are what they should be, links by attention are what the weights say, and the error counts both."""

import math
import unicodedata
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from reconstructing_transformer.equations.evidence import run_check
from reconstructing_transformer.equations.registry import registered
from reconstructing_transformer.equations.source import snippet
from reconstructing_transformer.translation import TranslationModel, Translator, alignment, alignment_checks
from reconstructing_transformer.translation.alignment import (
    agreement,
    between_words,
    load_alignments,
    membership,
    read_along,
    read_pair,
    strongest_links,
    words_of,
    words_of_pieces,
)
from reconstructing_transformer.translation.beam import beam_search
from reconstructing_transformer.translation.interventions import changed_cross_attention, log_probabilities, without
from reconstructing_transformer.translation.splits import sentence_key
from reconstructing_transformer.translation.tokeniser import BEGIN, END
from tests.translation.conftest import SENTENCES

PAIRS = load_alignments()
GERMAN, ENGLISH = SENTENCES[0], SENTENCES[4]


@pytest.fixture(scope="module")
def translator(tokeniser) -> Translator:
    torch.manual_seed(5)
    model = TranslationModel(len(tokeniser), None, N=2, d_model=16, d_ff=32, h=2, dropout=0.3)
    return Translator(model, tokeniser, longest=60)


@pytest.fixture
def read(translator) -> tuple[torch.Tensor, torch.Tensor]:
    (source,), (target,) = translator.tokeniser.encode([GERMAN]), translator.tokeniser.encode([ENGLISH])
    return torch.tensor([[*source, END]]), torch.tensor([[BEGIN, *target, END]])


# What was linked by hand -------------------------------------------------------------------------------------------


def test_forty_everyday_sentences_were_linked():
    assert len(PAIRS) == 40
    assert (
        len({sentence_key(pair.german) for pair in PAIRS}) == len({sentence_key(pair.english) for pair in PAIRS}) == 40
    )
    for pair in PAIRS:
        assert 5 <= len(pair.german_words) <= 12
        assert 5 <= len(pair.english_words) <= 12


def test_every_english_word_has_a_german_one_and_most_links_are_sure():
    for pair in PAIRS:
        assert {j for _, j in pair.possible} == set(range(len(pair.english_words))), pair.english
        assert len(pair.sure) >= len(pair.possible - pair.sure), pair.german


def test_what_is_sure_is_possible_and_what_is_written_twice_was_one_of_both():
    for pair in PAIRS:
        assert pair.sure <= pair.possible
        assert pair.sure


def test_names_and_numbers_that_look_alike_are_linked():
    found = [
        ((i, j) in pair.sure, german)
        for pair in PAIRS
        for i, german in enumerate(pair.german_words)
        for j, english in enumerate(pair.english_words)
        if german == english and german in {"Tom", "Hamburg", "Berlin"}
    ]
    assert len(found) >= 3
    assert all(sure for sure, _ in found)


def test_no_translator_has_learned_from_these_sentences(tatoeba):
    learned = {sentence_key(side) for pair in tatoeba.train + tatoeba.validation + tatoeba.test for side in pair}
    assert not [side for pair in PAIRS for side in (pair.german, pair.english) if sentence_key(side) in learned]


def test_the_file_says_what_its_signs_mean():
    text = (Path(alignment.book_folder("data")) / alignment.FILE).read_text(encoding="utf-8")
    assert "i-j surely" in text.splitlines()[0]
    assert "CC BY 4.0" in text


def test_a_line_is_a_pair_with_its_links():
    pair = read_pair("Er hat's gesehen.\tHe saw it.\t0-0 1?2 2-1")
    assert (pair.german_words, pair.english_words) == (["Er", "hat's", "gesehen"], ["He", "saw", "it"])
    assert (pair.sure, pair.possible) == ({(0, 0), (2, 1)}, {(0, 0), (1, 2), (2, 1)})


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("Er geht.\tHe goes.", "2 parts"),
        ("Er geht.\tHe goes.\t0-0 1:1", "got '1:1'"),
        ("Er geht.\tHe goes.\t0-0 2-1", "has 2 words.*no link can be 2-1"),
    ],
)
def test_a_line_that_is_none_is_refused(line, complaint):
    with pytest.raises(ValueError, match=complaint):
        read_pair(line)


# The error ---------------------------------------------------------------------------------------------------------


def test_the_error_by_hand():
    S, P = {(0, 0), (1, 2)}, {(0, 0), (1, 2), (2, 1), (2, 2)}
    assert agreement({(0, 0), (2, 1), (1, 1)}, S, P) == (1 / 2, 2 / 3, 1 - (1 + 2) / (3 + 2))
    assert agreement(S, S, P).AER == 0
    assert agreement({(5, 5)}, S, P) == (0, 0, 1)


def test_without_a_link_nothing_is_wrong_and_all_is_missed():
    assert agreement(set(), {(0, 0)}, {(0, 0)}) == (0, 1, 1)
    assert agreement({(0, 0)}, set(), set()) == (1, 0, 1)
    assert agreement(set(), set(), set()) == (1, 1, 0)


def test_what_is_sure_has_to_be_possible():
    with pytest.raises(ValueError, match="in S and not in P"):
        agreement(set(), {(0, 0)}, set())


LINKS = st.frozensets(st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=12)


@given(LINKS, LINKS, LINKS)
def test_the_error_is_a_share_and_zero_where_all_that_is_sure_was_found_and_all_that_was_found_is_possible(A, S, more):
    P = S | more
    found = agreement(A, S, P)
    assert 0 <= found.AER <= 1
    assert (found.AER == 0) == (S <= A <= P)
    assert (found.recall == found.precision == 1) == (found.AER == 0)


CHECKS = [
    entry for entry in registered(["reconstructing_transformer.translation"])[2] if entry.equation == "och2003-aer"
]


@pytest.mark.parametrize(
    ("says", "changed"),
    [
        ("len(A & S) + len(A & P)", "2 * len(A & S)"),
        ("(len(A) + len(S))", "(len(A) + len(P))"),
        ("len(A & P) / len(A)", "len(A & S) / len(A)"),
        ("AER = 1 - ", "AER = "),
        ("AER = 1 - ", "AER = 1 - "),
    ],
)
def test_a_changed_formula_is_noticed_and_the_same_code_passes(monkeypatch, says, changed):
    code = snippet(Path(alignment.__file__), "agreement").code
    assert says in code, "the mutation no longer fits the code: write it anew"
    namespace = dict(vars(alignment))
    exec(code.replace(says, changed), namespace)
    monkeypatch.setattr(alignment_checks, "agreement", namespace["agreement"])
    (entry,) = CHECKS
    assert run_check(replace(entry, cases=30)).passed == (says == changed)


# From pieces to words ----------------------------------------------------------------------------------------------


def test_a_word_is_a_run_of_letters_with_its_apostrophes():
    assert words_of("„Ich bin's“, sagte sie – um 7!") == ["Ich", "bin's", "sagte", "sie", "um", "7"]
    assert words_of("She didn’t.") == ["She", "didn’t"]
    assert words_of("…") == []


@pytest.mark.parametrize("sentence", SENTENCES)
def test_each_piece_belongs_to_the_word_that_it_is_a_part_of(tokeniser, sentence):
    (pieces,) = tokeniser.encode([sentence])
    owners = words_of_pieces(tokeniser, sentence)
    assert len(owners) == len(pieces) + 1
    assert owners[-1] is None
    built = ["".join(tokeniser.decode([[piece]])[0].strip() for piece, word in zip(pieces, owners, strict=False)
                     if word == index) for index in range(len(words_of(sentence)))]  # fmt: skip
    assert built == words_of(sentence)


def test_what_does_not_come_back_from_its_pieces_is_refused(tokeniser):
    with pytest.raises(ValueError, match="does not come back"):
        words_of_pieces(tokeniser, unicodedata.normalize("NFD", "Ein Fahrrad für mich."))


def test_a_word_gets_the_sum_of_its_pieces_and_gives_their_mean():
    weights = torch.tensor([[0.1, 0.2, 0.3, 0.4], [0.5, 0.1, 0.1, 0.3], [0.0, 0.0, 0.6, 0.4], [0.2, 0.2, 0.2, 0.4]])
    found = between_words(weights, [0, 1, 1, None], [0, 0, 1, None])
    torch.testing.assert_close(found, torch.tensor([[0.3, 0.3], [0.3, 0.35]]))


def test_words_share_what_their_row_does_not_give_to_punctuation():
    weights = torch.rand(3, 2, 5, 6).softmax(-1)
    source = [0, 0, 1, None, 2, None]
    found = between_words(weights, [0, None, 1, 1, None], source)
    left_out = weights[..., [3, 5]].sum(-1)
    given = torch.stack([1 - left_out[..., 0], 1 - left_out[..., 2:4].mean(-1)], dim=-1)
    torch.testing.assert_close(found.sum(-1), given)
    assert membership(source).sum(0).tolist() == [2, 1, 1]


def test_each_target_word_is_linked_to_its_strongest():
    assert strongest_links(torch.tensor([[0.1, 0.7], [0.6, 0.3], [0.2, 0.3]])) == {(1, 0), (0, 1), (1, 2)}


# Watching, and meddling --------------------------------------------------------------------------------------------


def test_a_given_translation_is_followed_piece_by_piece(translator):
    seen = read_along(translator, GERMAN, ENGLISH)
    assert seen.cross.shape == (2, 2, len(seen.target), len(seen.source))
    assert seen.encoder.shape[-2:] == (len(seen.source),) * 2
    assert torch.equal(seen.decoder, seen.decoder.tril())
    torch.testing.assert_close(seen.cross.sum(-1), torch.ones(2, 2, len(seen.target)))


def test_weights_that_are_left_as_they_are_change_nothing(translator, read):
    before = log_probabilities(translator.model, *read)
    with changed_cross_attention(translator.model, lambda layer, weights: weights):
        torch.testing.assert_close(log_probabilities(translator.model, *read), before)
    assert log_probabilities(translator.model, *read).equal(before), "all is as it was"


def test_each_layer_is_changed_under_its_number_and_all_are_restored_after_an_error(translator, read):
    asked = []
    kept = [layer.cross_attention for layer in translator.model.decoder.layers]

    def fail(layer: int, weights: torch.Tensor) -> torch.Tensor:
        asked.append((layer, tuple(weights.shape)))
        if layer == 1:
            raise RuntimeError("enough")
        return weights

    with pytest.raises(RuntimeError, match="enough"), changed_cross_attention(translator.model, fail):
        log_probabilities(translator.model, *read)
    shape = (1, 2, read[1].size(1) - 1, read[0].size(1))
    assert asked == [(0, shape), (1, shape)]
    assert [layer.cross_attention for layer in translator.model.decoder.layers] == kept


def test_to_hide_places_is_what_a_mask_does(translator, read):
    source, target = read
    hidden = torch.zeros(source.size(1), dtype=torch.bool)
    hidden[[0, 2, 3]] = True
    model = translator.model.eval()
    with torch.no_grad():
        states = model.decode(target[:, :-1], model.encode(source), ~hidden[None, None])
        masked = model.logits(states).log_softmax(-1).gather(-1, target[:, 1:, None]).squeeze(-1)
    with changed_cross_attention(model, lambda layer, weights: without(weights, hidden[None])):
        changed = log_probabilities(model, source, target)
    torch.testing.assert_close(changed, masked, rtol=1e-4, atol=1e-5)
    assert (changed - log_probabilities(model, source, target)).abs().max() > 1e-4


def test_a_translation_is_as_likely_as_the_search_says(translator, read):
    ((best,),) = beam_search(translator.model, read[0], beam_size=1)
    target = torch.tensor([[BEGIN, *best.tokens, *[END] * best.ended]])
    found = log_probabilities(translator.model, read[0], target)
    assert found.shape == (1, len(best.tokens) + best.ended)
    assert math.isclose(found.sum().item(), best.log_probability, rel_tol=1e-4)
