"""A translator small enough to be trained in a test: numbers from 0 to 999 in words."""

from reconstructing_transformer.translation.corpora import Corpus
from reconstructing_transformer.translation.numbers import distinct_pairs
from reconstructing_transformer.translation.recipe import RECIPES

NUMBERS = Corpus(
    name="numbers",
    train=distinct_pairs(700, seed=0, below=1000),
    validation=distinct_pairs(40, seed=0, part="validation", below=1000),
    test=distinct_pairs(40, seed=0, part="test", below=1000),
    checksums={"train": "sha256:" + 64 * "0"},
    licence="none is needed",
    attribution="Words by num2words",
    counts=[],
)
SMALL = RECIPES["numbers"].model_copy(
    update={"vocabulary": 90, "d_model": 32, "d_ff": 64, "h": 2, "epochs": 2, "batch_tokens": 512, "micro_tokens": 512}
)
