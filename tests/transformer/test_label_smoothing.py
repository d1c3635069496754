import pytest
import torch
from torch import nn
from torch.nn import functional

from reconstructing_transformer.transformer import LabelSmoothing


def test_the_smoothed_target_is_a_distribution_over_all_classes():
    target = LabelSmoothing(5, 0.1).target(torch.tensor([2]), torch.float64)
    torch.testing.assert_close(target, torch.tensor([[0.02, 0.02, 0.92, 0.02, 0.02]]))


@pytest.mark.parametrize("epsilon", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("pad", [None, 3])
def test_the_loss_and_its_gradient_equal_pytorchs(epsilon, pad, assert_equal):
    logits, y = torch.randn(4, 9, 7, requires_grad=True), torch.randint(7, (4, 9))
    loss = LabelSmoothing(7, epsilon, pad)(logits, y)
    ignored = {} if pad is None else {"ignore_index": pad}
    theirs = nn.CrossEntropyLoss(label_smoothing=epsilon, **ignored)(logits.flatten(0, 1), y.flatten())
    assert_equal(loss, theirs)
    assert_equal(*(torch.autograd.grad(each, logits)[0] for each in (loss, theirs)))


def test_the_loss_is_the_cross_entropy_against_the_target(assert_equal):
    smoothing = LabelSmoothing(7, 0.1)
    logits, y = torch.randn(9, 7), torch.randint(7, (9,))
    assert_equal(smoothing(logits, y), functional.cross_entropy(logits, smoothing.target(y, torch.float64)))


def test_what_is_predicted_at_padding_does_not_matter():
    logits, y = torch.randn(2, 3, 7), torch.tensor([[1, 2, 0], [4, 0, 0]])
    loss = LabelSmoothing(7, 0.1, pad=0)
    before = loss(logits, y)
    logits[y == 0] = 100 * torch.randn(3, 7)
    assert torch.equal(loss(logits, y), before)


def test_no_model_reaches_a_smoothed_loss_of_zero():
    """The least loss is the entropy of the target, reached where the model predicts the target itself."""
    smoothing = LabelSmoothing(5, 0.1)
    y = torch.tensor([2])
    target = smoothing.target(y, torch.float64)
    entropy = -(target * target.log()).sum()
    torch.testing.assert_close(smoothing(target.log(), y), entropy)
    assert smoothing(100 * functional.one_hot(y, 5).double(), y) > entropy


def test_an_epsilon_that_is_no_share_is_refused():
    with pytest.raises(ValueError, match=r"from 0 to 1; got 1.5"):
        LabelSmoothing(5, 1.5)
