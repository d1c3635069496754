"""A translator takes whatever it is given, and says what its reader should know."""

import warnings

import pytest
import torch

from reconstructing_transformer.translation import Translation, TranslationModel, TranslationWarning, Translator
from reconstructing_transformer.translation.passages import passages, sentences
from reconstructing_transformer.translation.tokeniser import Tokeniser
from tests.translation.conftest import SENTENCES


@pytest.fixture(scope="module")
def translator(tokeniser) -> Translator:
    """With fresh weights: what it writes is nonsense, but what happens around it is what would happen to sense."""
    torch.manual_seed(5)
    model = TranslationModel(len(tokeniser), 150, N=2, d_model=16, d_ff=32, h=2, dropout=0.3)
    return Translator(model, tokeniser, longest=40)


def texts(translations: list[Translation]) -> list[str]:
    return [translation.text for translation in translations]


def test_a_text_gets_the_same_translation_alone_and_in_company(translator):
    together = texts(translator.translate(SENTENCES, beam_size=3))
    assert together == [texts(translator.translate([sentence], beam_size=3))[0] for sentence in SENTENCES]
    assert all(together)


def test_an_empty_text_stays_empty_and_in_its_place(translator):
    first, empty, blank, last = translator.translate([SENTENCES[0], "", " \t\u00a0 ", SENTENCES[1]])
    assert (empty.text, blank.text) == ("", "")
    assert empty.log_probability == 0
    assert (first.source, last.source) == tuple(SENTENCES[:2])
    assert texts([first, last]) == texts(translator.translate(SENTENCES[:2]))
    assert translator.translate([]) == []


def test_a_translation_reads_as_its_text(translator):
    (translation,) = translator.translate(SENTENCES[:1])
    assert str(translation) == translation.text
    assert translation.log_probability < 0


def test_one_text_in_place_of_a_list_is_an_error_that_says_how(translator):
    with pytest.raises(TypeError, match=r"translate\(\['Ein Mann"):
        translator.translate(SENTENCES[0])


def test_a_text_that_is_too_long_is_cut_at_the_ends_of_sentences_with_a_warning(translator):
    long = " ".join(SENTENCES[:3])
    with pytest.warns(TranslationWarning, match="translated in 3 parts") as caught:
        (whole,) = translator.translate([long])
    assert whole.text == " ".join(texts(translator.translate(SENTENCES[:3])))
    assert whole.remarks == (str(caught[0].message),)
    assert whole.source == long


def test_five_thousand_words_are_translated(translator):
    with pytest.warns(TranslationWarning, match="parts"):
        (translation,) = translator.translate(["Der Mann hat ein Auto und " * 1000], beam_size=1)
    assert len(translation.text.split()) > 100


@pytest.mark.parametrize("text", ["我喜欢学习语言。", "😀😀😀", "Я люблю языки"])
def test_what_the_model_has_never_seen_gets_a_translation_and_a_warning(translator, text):
    with pytest.warns(TranslationWarning, match="unknown to the model"):
        (translation,) = translator.translate([text])
    assert isinstance(translation.text, str)


def test_a_smiley_behind_a_sentence_is_no_reason_to_warn(translator):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        translator.translate([SENTENCES[0] + " 😀"])


def test_attention_is_that_of_each_piece_that_is_written(translator):
    (translation,) = translator.translate(SENTENCES[:1], return_attention=True)
    (looked,) = translation.attention
    n, m = len(looked.target), len(looked.source)
    assert looked.cross.shape == (2, 2, n, m)
    assert looked.encoder.shape == (2, 2, m, m)
    assert looked.decoder.shape == (2, 2, n, n)
    for weights in (looked.cross, looked.encoder, looked.decoder):
        torch.testing.assert_close(weights.sum(-1), torch.ones(weights.shape[:-1]))
    assert (looked.decoder.triu(1) == 0).all()
    assert translator.model.training  # as it was before
    assert translator.translate(SENTENCES[:1])[0].attention == ()


def test_each_part_of_a_long_text_has_its_own_attention(translator):
    with pytest.warns(TranslationWarning):
        (translation,) = translator.translate([" ".join(SENTENCES[:3])], return_attention=True)
    assert len(translation.attention) == 3


def test_a_translator_that_can_read_nothing_is_refused(translator):
    for longest in (1, 512):
        with pytest.raises(ValueError, match=f"2 to 511; got {longest}"):
            Translator(translator.model, translator.tokeniser, longest)


# How a long text is cut ------------------------------------------------------------------------------------------


def test_a_sentence_ends_where_spacy_says_so():
    assert sentences("Wer ist da?  Ich bin es! Es ist 9.30 Uhr.") == ["Wer ist da?", "Ich bin es!", "Es ist 9.30 Uhr."]


def letters(text: str) -> str:
    return "".join(text.split())


@pytest.mark.parametrize("most", [2, 7, 20, 60])
@pytest.mark.parametrize("text", [" ".join(SENTENCES), "ein " * 300, "Donaudampfschiff" * 40, "a " + "ß😀" * 90 + " b"])
def test_no_part_is_too_long_and_nothing_is_lost(tokeniser: Tokeniser, text, most):
    parts = passages(text, most, tokeniser)
    assert letters("".join(parts)) == letters(text)
    assert max(len(pieces) for pieces in tokeniser.encode(parts)) <= most


def test_a_text_that_is_short_enough_is_left_as_it_is(tokeniser: Tokeniser):
    text = "Ein Mann. Zwei  Autos."
    assert passages(text, 60, tokeniser) == [text]
