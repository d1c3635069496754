import math

import torch
from torch import nn

from reconstructing_transformer.transformer import Embedding


def test_a_token_is_its_row_times_the_root_of_d_model():
    embedding = Embedding(10, 16)
    torch.testing.assert_close(embedding(torch.tensor([[3, 7]])), 4 * embedding.E[[3, 7]].unsqueeze(0))


def test_embedding_equals_pytorchs_scaled(assert_equal):
    ours, theirs = Embedding(10, 6), nn.Embedding(10, 6)
    theirs.load_state_dict({"weight": ours.E})
    t = torch.randint(10, (3, 4))
    assert_equal(ours(t), math.sqrt(6) * theirs(t))


def test_logits_are_products_with_the_same_matrix(assert_equal):
    embedding = Embedding(10, 6)
    x = torch.randn(3, 4, 6)
    assert_equal(embedding.logits(x), nn.functional.linear(x, embedding.E))


def test_one_matrix_serves_both_ways():
    embedding = Embedding(10, 6)
    embedding.logits(embedding(torch.tensor([2]))).sum().backward()
    assert [name for name, _ in embedding.named_parameters()] == ["E"]
    assert embedding.E.grad.isfinite().all()


def test_embedded_tokens_start_with_variance_one():
    assert abs(Embedding(1000, 64)(torch.arange(1000)).var().item() - 1) < 0.05
