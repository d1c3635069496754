"""The checks pass, and they would notice: each breaks as soon as the code that it checks is changed."""

import importlib
from dataclasses import replace
from pathlib import Path

import pytest

from reconstructing_transformer.equations import load_papers
from reconstructing_transformer.equations.evidence import run_check
from reconstructing_transformer.equations.registry import registered
from reconstructing_transformer.equations.source import snippet
from reconstructing_transformer.transformer import checks

PACKAGE = "reconstructing_transformer.transformer"
IMPLEMENTATIONS, _, CHECKS = registered([PACKAGE])

# What is changed: equation, module, definition, what it says, what the changed one says.
MUTATIONS = [
    ("vaswani2017-1", "attention", "scaled_dot_product_attention", "Q @ K", "-Q @ K"),
    ("vaswani2017-1", "attention", "scaled_dot_product_attention", "math.sqrt(d_k)", "d_k"),
    ("vaswani2017-1", "attention", "scaled_dot_product_attention", "d_k = Q.size(-1)", "d_k = V.size(-1)"),
    ("vaswani2017-1", "attention", "scaled_dot_product_attention", "softmax(scores, mask)", "softmax(scores)"),
    ("vaswani2017-1", "attention", "softmax", "scores.softmax(-1)", "scores.softmax(-2)"),
    ("vaswani2017-1", "attention", "softmax", "masked_fill(~mask, 0)", "masked_fill(mask, 0)"),
    ("vaswani2017-multi-head", "multi_head", "MultiHeadAttention.forward", "self.W_K(K)", "self.W_Q(K)"),
    ("vaswani2017-multi-head", "multi_head", "MultiHeadAttention.forward", "... n (h d_k)", "... n (d_k h)"),
    ("vaswani2017-multi-head", "multi_head", "MultiHeadAttention.forward", "self.W_O(rear", "(rear"),
    ("vaswani2017-multi-head", "multi_head", "MultiHeadAttention.forward", "-> ... n (h d_v)", "-> ... n (d_v h)"),
    ("vaswani2017-2", "feed_forward", "PositionwiseFeedForward.forward", "torch.relu", "torch.sigmoid"),
    ("vaswani2017-2", "feed_forward", "PositionwiseFeedForward.forward", "+ self.b_2", ""),
    ("vaswani2017-residual", "residual", "Residual.forward", "return self.norm(x + ", "return self.norm(x - "),
    ("vaswani2017-residual", "residual", "Residual.forward", "if self.norm_first", "if not self.norm_first"),
    ("vaswani2017-residual", "normalisation", "LayerNorm.forward", "self.eps", "self.eps + 1e-6"),
    ("vaswani2017-embedding", "embedding", "Embedding", "math.sqrt(self.d_model) *", ""),
    ("vaswani2017-embedding", "embedding", "Embedding", "self.E.T", "self.E.T.flip(0)"),
    ("vaswani2017-position", "positions", "positional_encoding", "2 * i / d_model", "i / d_model"),
    (
        "vaswani2017-position",
        "positions",
        "positional_encoding",
        "angle.cos()",
        "angle.sin()",
    ),
    ("vaswani2017-3", "schedule", "learning_rate", "min(", "max("),
    ("vaswani2017-3", "schedule", "learning_rate", "warmup**-1.5", "warmup**-1.4"),
    ("vaswani2017-smoothing", "label_smoothing", "LabelSmoothing.target", "/ self.K", "/ (self.K + 1)"),
    ("vaswani2017-smoothing", "label_smoothing", "LabelSmoothing.forward", "log_p.mean(-1)", "log_p.sum(-1)"),
]


def put_in_place(monkeypatch, module, qualname, code):
    """Define the changed code where the original is, and in `checks`, which imported it."""
    namespace = dict(vars(module))
    exec(code, namespace)
    *owner, name = qualname.split(".")
    monkeypatch.setattr(getattr(module, owner[0]) if owner else module, name, namespace[name])
    if not owner and hasattr(checks, name):
        monkeypatch.setattr(checks, name, namespace[name])


@pytest.mark.parametrize("entry", CHECKS, ids=lambda entry: entry.place.qualname)
def test_the_code_agrees_with_the_reference(entry):
    result = run_check(entry)
    assert result.passed, result


def test_every_equation_of_the_paper_is_implemented_and_every_implementation_checked():
    equations = {equation.id for paper in ("vaswani2017", "ba2016") for equation in load_papers()[paper].equations}
    assert {entry.equation for entry in IMPLEMENTATIONS} == equations
    assert {entry.place for entry in IMPLEMENTATIONS} == {entry.implementation for entry in CHECKS}


@pytest.mark.parametrize(("equation", "module", "qualname", "says", "changed"), MUTATIONS)
def test_a_changed_implementation_is_noticed(monkeypatch, equation, module, qualname, says, changed):
    module = importlib.import_module(f"{PACKAGE}.{module}")
    code = snippet(Path(module.__file__), qualname).code
    assert says in code, "the mutation no longer fits the code: write it anew"
    put_in_place(monkeypatch, module, qualname, code.replace(says, changed))
    results = [run_check(replace(entry, cases=20)) for entry in CHECKS if entry.equation == equation]
    assert not all(result.passed for result in results)


@pytest.mark.parametrize(("equation", "module", "qualname"), sorted({mutation[:3] for mutation in MUTATIONS}))
def test_the_same_code_put_in_place_passes(monkeypatch, equation, module, qualname):
    """Or the mutations would prove nothing."""
    module = importlib.import_module(f"{PACKAGE}.{module}")
    put_in_place(monkeypatch, module, qualname, snippet(Path(module.__file__), qualname).code)
    results = [run_check(replace(entry, cases=20)) for entry in CHECKS if entry.equation == equation]
    assert all(result.passed for result in results)
