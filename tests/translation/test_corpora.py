"""Corpora are found, checked by their hashes, mended where they were altered, cleaned, and cut without leaks."""

import gzip
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconstructing_transformer._data import digest
from reconstructing_transformer.translation import corpora, sources
from reconstructing_transformer.translation.cleaning import LONGEST, clean, tidy
from reconstructing_transformer.translation.corpora import CorpusError, load_corpus
from reconstructing_transformer.translation.splits import sentence_key, split_by_english
from tests.translation.conftest import MADE, zipped


def packed(files: dict[str, str]) -> dict[str, bytes]:
    return {f"{name}.gz": gzip.compress(text.encode()) for name, text in files.items()}


def everyday(count: int) -> list[tuple[str, str]]:
    """Pairs as in Tatoeba: each English sentence in three spellings, with five German ones, one of them shared."""
    english = [f"Sentence number {number}" for number in range(count)]
    return [
        pair
        for number, sentence in enumerate(english)
        for pair in [
            (f"Satz {number}.", f"{sentence}."),
            (f"Der Satz mit der Nummer {number}.", f"{sentence}!"),
            (f"Hier ist Satz {number}.", sentence.upper()),
            (f"Einer von den Sätzen um {number // 10 * 10}.", f"{sentence}."),
            (f"SATZ, {number}", f"{sentence} ..."),
        ]
    ]


# ---------------------------------------------------------------- where corpora come from


@pytest.mark.parametrize("as_gzip", [False, True], ids=["raw", "gzip"])
def test_a_folder_that_the_user_names_comes_first(bare, made, home, own, as_gzip):
    own("multi30k", packed(made) if as_gzip else {name: text.encode() for name, text in made.items()})
    assert load_corpus("multi30k").test == [("Ein Hund.", "A dog.")] * 2
    assert home.asked == []
    assert not (bare / "cache").exists()


def test_the_official_home_fills_the_cache_and_is_asked_once(bare, made, home):
    corpus = load_corpus("multi30k")
    folder = bare / "cache" / "reconstructing-transformer" / "multi30k"
    assert {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()} == made
    assert sorted(home.asked) == sorted(f"/{name}.gz" for name in made)
    assert load_corpus("multi30k") == corpus
    assert len(home.asked) == len(made)


@pytest.mark.parametrize(
    "damage", [lambda whole: whole[:-1], lambda whole: whole[:-2] + b"!\n"], ids=["short", "changed"]
)
def test_a_file_that_was_altered_is_named_and_fetched_again(bare, made, home, caplog, damage):
    corpus = load_corpus("multi30k")
    altered = bare / "cache" / "reconstructing-transformer" / "multi30k" / "train.en"
    altered.write_bytes(damage(altered.read_bytes()))
    home.asked.clear()
    with caplog.at_level(logging.WARNING):
        assert load_corpus("multi30k") == corpus
    assert str(altered) in caplog.text
    assert home.asked == ["/train.en.gz"]
    assert altered.read_text(encoding="utf-8") == made["train.en"]


@pytest.mark.parametrize(
    "damage", [lambda whole: whole[:-9], lambda whole: whole[:12] + b"\xff\xff\xff" + whole[15:]], ids=["cut", "broken"]
)
def test_the_users_own_gzip_is_named_where_it_is_damaged_and_left_as_it_is(made, home, own, caplog, damage):
    files = packed(made)
    files["val.de.gz"] = damage(files["val.de.gz"])
    folder = own("multi30k", files)
    with caplog.at_level(logging.WARNING):
        load_corpus("multi30k")
    assert str(folder / "val.de.gz") in caplog.text
    assert home.asked == ["/val.de.gz"]
    assert (folder / "val.de.gz").read_bytes() == files["val.de.gz"]


def test_a_home_that_sends_another_text_is_not_believed(bare, made, home):
    home.files["/train.de.gz"] = gzip.compress(b"Etwas ganz anderes.\n")
    came = digest(b"Etwas ganz anderes.\n", "sha256")
    with pytest.raises(CorpusError, match=came) as error:
        load_corpus("multi30k")
    assert corpora.MULTI30K["train.de"] in str(error.value)
    assert not (bare / "cache").exists()


def test_a_home_that_sends_without_end_is_cut_off(made, home, monkeypatch):
    monkeypatch.setattr(sources, "MOST", 10)
    with pytest.raises(CorpusError, match="more than 10 bytes"):
        load_corpus("multi30k")


def test_where_no_home_answers_the_error_says_what_to_do(bare, made):
    with pytest.raises(CorpusError, match=r"cache.*127\.0\.0\.1:9/train\.de\.gz.*RECONSTRUCT_DATA") as error:
        load_corpus("multi30k")
    assert all(name in str(error.value) for name in made)


def test_a_home_that_has_lost_a_file_is_quoted(made, home):
    del home.files["/val.en.gz"]
    with pytest.raises(CorpusError, match=r"val\.en.*404"):
        load_corpus("multi30k")


def test_a_corpus_that_there_is_not_is_refused_with_those_that_there_are():
    with pytest.raises(ValueError, match="numbers, multi30k, tatoeba"):
        load_corpus("wmt14")
    with pytest.raises(ValueError, match="tatoeba"):
        load_corpus("multi30k", newer_export=True)


# ---------------------------------------------------------------- Tatoeba and its exports


@pytest.fixture
def export(monkeypatch) -> str:
    """The export that the numbers come from, of a Tatoeba with sixty sentences."""
    text = "".join(f"{german}\t{english}\n" for german, english in everyday(60))
    monkeypatch.setattr(corpora, "TATOEBA", {"deu-eng.tsv": digest(text.encode(), "sha256")})
    monkeypatch.setattr(corpora, "HELD_OUT", 5)
    return text


def newest(pairs: list[tuple[str, str]]) -> bytes:
    return zipped("deu.txt", "".join(f"{english}\t{german}\tCC-BY 2.0\n" for german, english in pairs))


def test_the_pinned_export_is_taken_by_its_hash(export, home, own):
    own("tatoeba", {"deu-eng.tsv.gz": gzip.compress(export.encode())})
    corpus = load_corpus("tatoeba")
    assert corpus.checksums == corpora.TATOEBA
    assert len(corpus.test) == len(corpus.validation) == 5
    assert "tatoeba.org" in corpus.attribution
    assert "manythings.org" in corpus.attribution
    assert home.asked == []


def test_another_export_is_never_taken_for_the_pinned_one(export, home, own, caplog):
    home.files["/deu-eng.zip"] = newest(everyday(60))
    altered = export.replace("Satz 7.", "Satz 7!")
    folder = own("tatoeba", {"deu-eng.tsv": altered.encode()})
    with pytest.raises(CorpusError, match=r"deu-eng\.tsv.*newer_export=True") as error:
        load_corpus("tatoeba")
    assert digest(altered.encode(), "sha256") in str(error.value)
    assert str(folder / "deu-eng.tsv") in caplog.text
    assert home.asked == []


def test_a_newer_export_is_taken_by_who_asks_for_it_and_known_by_its_own_hash(bare, export, home):
    home.files["/deu-eng.zip"] = newest([*everyday(60), ("Ein neuer Satz.", "A new sentence.")])
    corpus = load_corpus("tatoeba", newer_export=True)
    assert corpus.checksums == {"deu-eng.zip": digest(home.files["/deu-eng.zip"], "sha256")}
    assert ("Ein neuer Satz.", "A new sentence.") in corpus.train + corpus.validation + corpus.test
    home.files["/deu-eng.zip"] = newest(everyday(50))
    assert load_corpus("tatoeba", newer_export=True) == corpus  # it is kept: a training goes on with what it began on
    assert home.asked == ["/deu-eng.zip"]


@pytest.mark.parametrize("damage", [lambda whole: whole[:-30], lambda whole: b"<html>", lambda whole: zipped("x", "y")])
def test_an_archive_that_is_damaged_is_named_and_fetched_again(export, home, own, caplog, damage):
    home.files["/deu-eng.zip"] = newest(everyday(60))
    folder = own("tatoeba", {"deu-eng.zip": damage(home.files["/deu-eng.zip"])})
    with caplog.at_level(logging.WARNING):
        assert len(load_corpus("tatoeba", newer_export=True).test) == 5
    assert str(folder / "deu-eng.zip") in caplog.text


def test_an_export_that_can_not_be_had_says_what_to_do(export, bare):
    with pytest.raises(CorpusError, match=r"127\.0\.0\.1:9.*deu-eng.zip.*RECONSTRUCT_DATA|deu-eng.zip.*127\.0\.0\.1:9"):
        load_corpus("tatoeba", newer_export=True)


def test_an_export_that_is_too_small_to_be_cut_is_refused(export, home):
    home.files["/deu-eng.zip"] = newest(everyday(2))
    with pytest.raises(CorpusError, match="too small"):
        load_corpus("tatoeba", newer_export=True)


# ---------------------------------------------------------------- cleaning


def test_training_is_cleaned_and_the_books_say_how(made, home):
    corpus = load_corpus("multi30k")
    assert corpus.train == [
        ("Ein Mann schläft.", "A man sleeps."),
        ("Zwei Frauen lachen.", "Two women laugh."),
        ("H&M hat auf.", "H&M is open."),
        ("A B sind da.", "A and B."),
    ]
    steps = {count.step: count for count in corpus.counts}
    assert steps["HTML entities"].changed == 1
    assert steps["white space"].changed == 2
    assert (steps["duplicates"].before, steps["duplicates"].after) == (5, 4)
    assert corpus.counts[0].before == 6
    assert all(one.after == other.before for one, other in zip(corpus.counts, corpus.counts[1:], strict=False))


def test_validation_and_test_stay_as_they_are_to_the_letter(made, home):
    corpus = load_corpus("multi30k")
    assert corpus.validation == [(" Drei  Hunde.", "Three dogs.")]
    assert corpus.test == [("Ein Hund.", "A dog.")] * 2
    assert corpus.checksums == {name: digest(text.encode(), "sha256") for name, text in MADE.items()}


@pytest.mark.parametrize(
    ("pair", "why"),
    [
        (("", "Nothing."), "an empty side"),
        (("\u200b", "Nothing to be seen."), "an empty side"),
        (("Ja." * LONGEST, "Yes." * LONGEST), f"more than {LONGEST} characters"),
        (("@@", "Nobody knows what this was."), "one side more than 2.5 × the other + 10 characters"),
    ],
)
def test_what_can_not_be_learnt_from_is_left_out_and_counted(pair, why):
    kept, counts = clean([("Gut.", "Good."), pair])
    assert kept == [("Gut.", "Good.")]
    assert [count.step for count in counts if count.before != count.after] == [why]


def test_short_answers_may_be_long_in_the_other_language():
    pairs = [("Grüß Gott!", "Hi."), ("Egal.", "It doesn't matter.")]
    assert clean(pairs)[0] == pairs


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("a\u0308", "ä"),
        ("a\u200b\u0308", "ä"),
        ("Zu\u00adcker\ufeff", "Zucker"),
        ("\tein\u00a0Wort\r\n \u2028noch eins ", "ein Wort noch eins"),
        ("👨\u200d👩\u200d👧", "👨\u200d👩\u200d👧"),
        ("\ud800x", "x"),
        ("H&amp;M", "H&amp;M"),
    ],
)
def test_a_tidy_sentence_is_composed_single_spaced_and_without_controls(raw, clean):
    assert tidy(raw) == clean


@given(st.text())
def test_what_is_tidy_stays_as_it_is(text):
    assert tidy(tidy(text)) == tidy(text)


# ---------------------------------------------------------------- cutting


def keys(pairs: list[tuple[str, str]], side: int) -> set[str]:
    return {sentence_key(pair[side]) for pair in pairs}


@given(st.permutations(everyday(30)))
def test_no_held_out_sentence_is_in_training_whatever_the_order(pairs):
    train, validation, test, counts = split_by_english(pairs, 4)
    assert len(validation) == len(test) == 4
    for side in (0, 1):
        assert len(keys(validation, side) | keys(test, side)) == 8
        assert not keys(train, side) & (keys(validation, side) | keys(test, side))
    assert (validation, test) == split_by_english(everyday(30), 4)[1:3]
    assert set(train) == set(split_by_english(everyday(30), 4)[0])
    assert counts[-1].after == len(train)
    assert counts[0].before == len(pairs)


def test_a_corpus_that_grows_keeps_its_held_out_sentences_out_of_training():
    _, _, test, _ = split_by_english(everyday(100), 10)
    later, validation, again, _ = split_by_english(everyday(110), 10)
    assert len(set(test) & set(again)) >= 7
    assert keys(test, 1) & keys(validation + again, 1) == keys(test, 1) - keys(later, 1)
    assert len(keys(test, 1) & keys(later, 1)) <= 1


def test_sentences_that_differ_in_case_punctuation_or_spacing_count_as_one():
    assert len({sentence_key(text) for text in ("I'm well-known!", "im well known", "I’M  WELL–KNOWN?")}) == 1
    assert sentence_key("Straße") == sentence_key("STRASSE")
    assert sentence_key("He left.") != sentence_key("He felt.")


def test_too_few_sentences_can_not_be_cut():
    with pytest.raises(ValueError, match="only"):
        split_by_english(everyday(3), 4)


# ---------------------------------------------------------------- the real ones


def test_multi30k_is_what_everybody_knows(multi30k):
    assert [len(part) for part in (multi30k.validation, multi30k.test)] == [1_014, 1_000]
    assert multi30k.counts[0].before == 29_000
    assert len(multi30k.train) == 28_995
    assert multi30k.test[0] == (
        "Ein Mann mit einem orangefarbenen Hut, der etwas anstarrt.",
        "A man in an orange hat starring at something.",
    )


def test_tatoeba_has_no_held_out_sentence_in_training(tatoeba):
    assert tatoeba.counts[0].before == 169_813
    assert len(tatoeba.validation) == len(tatoeba.test) == 2_000
    assert len(tatoeba.train) == 164_175
    held_out = tatoeba.validation + tatoeba.test
    for side in (0, 1):
        assert not keys(tatoeba.train, side) & keys(held_out, side)
        assert len(keys(held_out, side)) == 4_000
