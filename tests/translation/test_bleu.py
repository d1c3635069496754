"""BLEU is what its paper says, and the checks notice when it is not."""

import importlib
import math
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconstructing_transformer.equations import load_papers
from reconstructing_transformer.equations.evidence import run_check
from reconstructing_transformer.equations.registry import registered
from reconstructing_transformer.equations.source import snippet
from reconstructing_transformer.translation import checks
from reconstructing_transformer.translation.papineni import (
    brevity_penalty,
    corpus_bleu,
    modified_precision,
    ngrams,
    reference_length,
)

PACKAGE = "reconstructing_transformer.translation"
IMPLEMENTATIONS, _, CHECKS = registered([PACKAGE])

WORDS = st.sampled_from("abcd")
SENTENCE = st.lists(WORDS, min_size=1, max_size=12)


def words(text: str) -> list[str]:
    return text.split()


def test_the_papers_own_example_of_clipping():
    """Example 2: seven times “the”, and no reference has it more than twice."""
    candidate = words("the the the the the the the")
    references = [words("the cat is on the mat"), words("there is a cat on the mat")]
    assert modified_precision([candidate], [references], 1) == 2 / 7
    assert modified_precision([candidate], [references], 2) == 0


def test_the_papers_own_first_example():
    """Example 1: 17 of 18 words of the good candidate, 8 of 14 of the other; 10 of 17 and 1 of 13 pairs."""
    references = [
        words("it is a guide to action that ensures that the military will forever heed party commands"),
        words(
            "it is the guiding principle which guarantees the military forces always being under the command of the "
            "party"
        ),
        words("it is the practical guide for the army always to heed the directions of the party"),
    ]
    good = words("it is a guide to action which ensures that the military always obeys the commands of the party")
    bad = words("it is to insure the troops forever hearing the activity guidebook that party direct")
    assert modified_precision([good], [references], 1) == 17 / 18
    assert modified_precision([good], [references], 2) == 10 / 17
    assert modified_precision([bad], [references], 1) == 8 / 14
    assert modified_precision([bad], [references], 2) == 1 / 13


def test_each_sequence_of_words_is_counted():
    assert ngrams(words("a b a b"), 2) == {("a", "b"): 2, ("b", "a"): 1}
    assert ngrams(words("a b"), 3) == {}


@given(st.lists(SENTENCE, min_size=1, max_size=4), st.integers(1, 4))
def test_a_perfect_translation_scores_one(sentences, n):
    score = corpus_bleu(sentences, [[sentence] for sentence in sentences], n)
    assert score == pytest.approx(1) if max(map(len, sentences)) >= n else score == 0


@given(st.lists(st.tuples(SENTENCE, st.lists(SENTENCE, min_size=1, max_size=3)), min_size=1, max_size=4))
def test_a_score_is_a_share_and_one_more_reference_of_that_length_never_lowers_it(pairs):
    candidates, references = map(list, zip(*pairs, strict=True))
    score = corpus_bleu(candidates, references, 2)
    assert 0 <= score <= 1
    longer = [[*own, sorted(own[0])] for own in references]
    assert corpus_bleu(candidates, longer, 2) >= score - 1e-12


def test_it_pools_the_counts_of_all_sentences_and_is_no_mean_of_scores():
    candidates, references = [words("a b"), words("c d e f")], [[words("a b")], [words("c x e y")]]
    assert modified_precision(candidates, references, 1) == 4 / 6
    assert modified_precision(candidates, references, 2) == 1 / 4


@pytest.mark.parametrize(
    ("c", "r", "expected"), [(9, 8, 1), (8, 8, 1), (6, 8, math.exp(1 - 8 / 6)), (0, 8, 0), (0, 0, 0)]
)
def test_only_what_is_too_short_is_punished(c, r, expected):
    assert brevity_penalty(c, r) == expected


def test_the_closest_reference_counts_and_of_two_as_close_the_shorter_one():
    candidate = words("a b c d")
    assert reference_length([candidate], [[words("a b"), words("a b c d e")]]) == 5
    assert reference_length([candidate], [[words("a b c d e"), words("a b c")]]) == 3


def test_where_no_sequence_of_some_length_is_right_the_score_is_zero():
    assert corpus_bleu([words("a b c d")], [[words("a c b d")]]) == 0
    assert corpus_bleu([[]], [[words("a")]]) == 0
    assert corpus_bleu([], []) == 0


def test_candidates_without_references_are_refused():
    with pytest.raises(ValueError, match="got 2 candidates, 1 sets"):
        corpus_bleu([["a"], ["b"]], [[["a"]]])
    with pytest.raises(ValueError, match="got one that has none"):
        corpus_bleu([["a"]], [[]])


MUTATIONS = [
    ("wu2016-14", "beam", "score", "(5 + 1)", "5"),
    ("wu2016-14", "beam", "score", "(5 + Y)", "(6 + Y)"),
    ("wu2016-14", "beam", "score", "log_P / lp", "log_P * lp"),
    ("papineni2002-precision", "papineni", "modified_precision", "Count & Max_Ref_Count", "Count"),
    ("papineni2002-precision", "papineni", "modified_precision", "(or_,", "(lambda a, b: a + b,"),
    ("papineni2002-bp", "papineni", "brevity_penalty", "if c <= r", "if c > r"),
    ("papineni2002-bp", "papineni", "brevity_penalty", "r / c", "c / r"),
    ("papineni2002-bp", "papineni", "reference_length", "abs(len(reference) - len(C)), len", "len(reference), len"),
    ("papineni2002-bleu", "papineni", "corpus_bleu", "BP * ", ""),
    ("papineni2002-bleu", "papineni", "corpus_bleu", "1 / N", "1 / 4"),
]


@pytest.mark.parametrize("entry", CHECKS, ids=lambda entry: entry.place.qualname)
def test_the_code_agrees_with_the_reference(entry):
    result = run_check(entry)
    assert result.passed, result


def test_every_equation_of_the_papers_is_implemented_and_every_implementation_checked():
    equations = {equation.id for paper in ("wu2016", "papineni2002") for equation in load_papers()[paper].equations}
    assert equations <= {entry.equation for entry in IMPLEMENTATIONS}
    assert {entry.place for entry in IMPLEMENTATIONS} == {entry.implementation for entry in CHECKS}


@pytest.mark.parametrize(
    ("equation", "module", "qualname", "says", "changed"),
    [
        *MUTATIONS,
        *((*mutation[:3], mutation[3], mutation[3]) for mutation in MUTATIONS),
    ],
)
def test_a_changed_implementation_is_noticed_and_the_same_code_passes(
    monkeypatch, equation, module, qualname, says, changed
):
    module = importlib.import_module(f"{PACKAGE}.{module}")
    code = snippet(Path(module.__file__), qualname).code
    assert says in code, "the mutation no longer fits the code: write it anew"
    namespace = dict(vars(module))
    exec(code.replace(says, changed), namespace)
    monkeypatch.setattr(checks, qualname, namespace[qualname])
    results = [run_check(replace(entry, cases=30)) for entry in CHECKS if entry.equation == equation]
    assert all(result.passed for result in results) == (says == changed)
