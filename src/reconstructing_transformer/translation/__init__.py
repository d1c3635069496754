"""German to English with the Transformer of Part I: corpora, training, search, and a translator to use."""

from reconstructing_transformer.translation.beam import Hypothesis, beam_search
from reconstructing_transformer.translation.corpora import Corpus, CorpusError, load_corpus
from reconstructing_transformer.translation.evaluation import bleu, chrf, paired_bootstrap
from reconstructing_transformer.translation.model import TranslationModel
from reconstructing_transformer.translation.pretrained import PretrainedError
from reconstructing_transformer.translation.recipe import RECIPES, Recipe
from reconstructing_transformer.translation.sample import load_sample
from reconstructing_transformer.translation.search import greedy
from reconstructing_transformer.translation.tokeniser import Tokeniser
from reconstructing_transformer.translation.translator import Attention, Translation, TranslationWarning, Translator

__all__ = [
    "RECIPES",
    "Attention",
    "Corpus",
    "CorpusError",
    "Hypothesis",
    "PretrainedError",
    "Recipe",
    "Tokeniser",
    "Translation",
    "TranslationModel",
    "TranslationWarning",
    "Translator",
    "beam_search",
    "bleu",
    "chrf",
    "greedy",
    "load_corpus",
    "load_sample",
    "paired_bootstrap",
]
