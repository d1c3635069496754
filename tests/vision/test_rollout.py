"""Attention rolled out: where, by the account of attention alone, an output's share of each input comes from."""

import pytest
import torch

from reconstructing_transformer.vision import attention_rollout


@pytest.fixture
def weights() -> torch.Tensor:
    """Of five layers with three heads."""
    torch.manual_seed(0)
    return torch.randn(5, 3, 8, 8, dtype=torch.float64).softmax(-1)


def test_the_shares_of_each_output_sum_to_one(weights):
    rollout = attention_rollout(weights)
    assert (rollout >= 0).all()
    torch.testing.assert_close(rollout.sum(-1), torch.ones(8, dtype=torch.float64))


def test_one_layer_is_half_attention_and_half_what_passes_it_by(weights):
    one = attention_rollout(weights[:1])
    torch.testing.assert_close(one, weights[0].mean(0) / 2 + torch.eye(8, dtype=torch.float64) / 2)


def test_another_layer_is_multiplied_on_from_the_left(weights):
    below, top = attention_rollout(weights[:4]), attention_rollout(weights[4:])
    torch.testing.assert_close(attention_rollout(weights), top @ below)
    assert not torch.allclose(top @ below, below @ top)


def test_who_looks_at_himself_alone_comes_from_himself_alone():
    assert torch.equal(attention_rollout(torch.eye(6).expand(4, 2, 6, 6)), torch.eye(6))


def test_a_path_over_a_third_patch_counts():
    def looks(a: int, b: int) -> torch.Tensor:
        """Everyone looks at himself, but a at b."""
        weights = torch.eye(3)
        weights[a] = 0
        weights[a, b] = 1
        return weights[None]

    via = attention_rollout(torch.stack([looks(1, 2), looks(0, 1)]))
    assert via[0].tolist() == [0.5, 0.25, 0.25]  # half is its own, half of place 1's, and half of that was place 2's
    other_order = attention_rollout(torch.stack([looks(0, 1), looks(1, 2)]))
    assert other_order[0, 2] == 0, "what place 1 learns too late does not reach place 0"


def test_heads_count_alike_whatever_their_values_are(weights):
    shuffled = weights[:, torch.tensor([2, 0, 1])]
    torch.testing.assert_close(attention_rollout(shuffled), attention_rollout(weights))
    with_one_more = torch.cat([weights, weights.mean(1, keepdim=True)], dim=1)
    torch.testing.assert_close(attention_rollout(with_one_more), attention_rollout(weights))


def test_an_even_look_in_every_layer_leaves_a_last_trace_of_oneself():
    layers, n = 6, 50
    rollout = attention_rollout(torch.full((layers, 4, n, n), 1 / n, dtype=torch.float64))
    torch.testing.assert_close(
        rollout, torch.eye(n, dtype=torch.float64) / 2**layers + (1 - 1 / 2**layers) / n, rtol=0, atol=1e-12
    )
