import jaxtyping
import pytest
import torch
from torch import nn

from reconstructing_transformer.transformer import PositionwiseFeedForward


def test_feed_forward_equals_two_linear_layers_with_relu_between(assert_equal):
    ours = PositionwiseFeedForward(6, 10)
    for parameter in ours.parameters():
        nn.init.normal_(parameter)
    theirs = nn.Sequential(nn.Linear(6, 10), nn.ReLU(), nn.Linear(10, 6))
    theirs.load_state_dict({"0.weight": ours.W_1.T, "0.bias": ours.b_1, "2.weight": ours.W_2.T, "2.bias": ours.b_2})
    x = torch.randn(3, 4, 6)
    assert_equal(ours(x), theirs(x))


def test_each_position_is_computed_by_itself():
    feed_forward = PositionwiseFeedForward(6, 10)
    x = torch.randn(3, 4, 6)
    torch.testing.assert_close(feed_forward(x)[1, 2], feed_forward(x[1, 2]))


def test_a_negative_inner_layer_leaves_the_outer_bias():
    feed_forward = PositionwiseFeedForward(6, 10)
    with torch.no_grad():
        feed_forward.b_1.fill_(-1e6)
        feed_forward.b_2.copy_(torch.arange(6))
    assert feed_forward(torch.randn(6)).tolist() == [0, 1, 2, 3, 4, 5]


def test_an_input_that_is_no_tensor_of_floats_is_rejected():
    with pytest.raises(jaxtyping.TypeCheckError):
        PositionwiseFeedForward(6, 10)(torch.zeros(6, dtype=torch.long))
