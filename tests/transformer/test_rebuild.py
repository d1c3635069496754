"""The tests that the reader of the final exercise is given: they pass for the book's model and notice a wrong one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

GIVEN = Path(__file__).parents[2] / "book/transformer/rebuild_tests.py"
ADAPTER = """
from reconstructing_transformer.transformer import (
    DecoderLayer, Embedding, EncoderLayer, LayerNorm, MultiHeadAttention, PositionwiseFeedForward, Transformer,
    causal_mask, padding_mask, positional_encoding, scaled_dot_product_attention,
)
"""

# What a reader might get wrong: the code, the test that notices, and what it says.
MISTAKES = {
    "several at once": (
        """
import torch

def scaled_dot_product_attention(Q, K, V, mask=None):
    weights = (Q @ K.mT).softmax(-1)
    return weights @ V, weights

class LayerNorm(LayerNorm):
    def forward(self, x):
        return self.g * (x - x.mean(-1, keepdim=True)) / torch.sqrt(x.var(-1, keepdim=True) + 1e-5) + self.b

class Transformer(Transformer):
    def decode(self, target, memory, source_mask=None):
        return self.decoder(self.positions(self.target_embedding(target)), memory, None, source_mask)

class Embedding(Embedding):
    def forward(self, t):
        return self.E[t]

del PositionwiseFeedForward
""",
        {
            "test_attention_is_the_equation": "It looks as if you don't divide by the root of d_k.",
            "test_attention_obeys_a_mask": "the largest error is",
            "test_a_query_that_may_attend_to_nothing_gets_zeros": "the largest error is",
            "test_layer_normalisation_is_pytorchs": "your variance divides by d_model − 1",
            "test_an_embedding_looks_up_rows_and_scales_them": "the root of d_model is missing",
            "test_the_feed_forward_network_is_the_formula": "no `PositionwiseFeedForward` yet. Chapter 5 builds it.",
            "test_the_whole_model_is_pytorchs": "The logits of the whole model: the largest error is",
            "test_no_prediction_depends_on_a_later_token": "before the place where the target was changed",
        },
    ),
    "a norm too many, and one too few": (
        """
from functools import partial
Transformer = partial(Transformer, final_norm=True)

class EncoderLayer(EncoderLayer):
    def __init__(self, *sizes, **more):
        super().__init__(*sizes, **more)
        del self.around_feed_forward.norm
""",
        {
            "test_the_whole_model_is_pytorchs": "The logits of the whole model: the largest error is",
            "test_there_is_no_weight_too_many_and_none_that_is_not_used": "no norm on top of",
            "test_an_encoder_layer_is_pytorchs": "has no part `around_feed_forward.norm`: `norm` is missing.",
        },
    ),
}


def run(folder: Path, module: str | None) -> subprocess.CompletedProcess[str]:
    """Do as the exercise says: module and tests in one folder, and nothing of the book around them."""
    (folder / GIVEN.name).write_text(GIVEN.read_text(encoding="utf-8"), encoding="utf-8")
    (folder / "pytest.ini").write_text("[pytest]\n")
    if module is not None:
        (folder / "my_transformer.py").write_text(module, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "-rf", GIVEN.name]
    environment = {
        name: value for name, value in os.environ.items() if name not in {"MY_TRANSFORMER", "PYTEST_ADDOPTS"}
    }
    return subprocess.run(
        command, cwd=folder, env={**environment, "COLUMNS": "400"}, capture_output=True, text=True, check=False
    )


def test_the_books_own_model_passes(tmp_path):
    result = run(tmp_path, ADAPTER)
    assert result.returncode == 0, result.stdout
    assert "17 passed" in result.stdout


@pytest.mark.parametrize(("mistake", "noticed"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_noticed_and_named(tmp_path, mistake, noticed):
    result = run(tmp_path, ADAPTER + mistake)
    summary = [line for line in result.stdout.splitlines() if line.startswith("FAILED")]
    failures = dict(line.split("::", 1)[1].split(" - ", 1) for line in summary)
    assert failures.keys() == noticed.keys()
    for test, message in noticed.items():
        assert message in result.stdout, test


def test_a_missing_file_is_asked_for(tmp_path):
    result = run(tmp_path, None)
    assert result.returncode == 2
    assert f"There is no {tmp_path / 'my_transformer.py'}" in result.stdout + result.stderr
    assert "MY_TRANSFORMER=" in result.stdout + result.stderr


def test_the_given_file_is_not_collected_with_the_books_own_tests():
    assert not GIVEN.name.startswith("test_")
    assert not GIVEN.stem.endswith("_test")
