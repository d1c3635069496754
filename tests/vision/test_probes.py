"""The probes measure what they say: pixels of distance, and answers to pictures without some patches."""

import math

import pytest
import torch
from torch import nn

from reconstructing_transformer.vision.probes import attention_distance, blanked, deletion_curve


class InkOfPatches(nn.Module):
    """Its first logit is a weighted sum of the patches' ink, so that it is known what each patch is worth."""

    def __init__(self, worth: torch.Tensor) -> None:
        super().__init__()
        self.worth = worth

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        ink = images.unfold(2, 4, 4).unfold(3, 4, 4).mean((1, 4, 5)).flatten(1) - images.min()
        first = 1e3 + ink @ self.worth
        return torch.stack([first, torch.zeros_like(first)], dim=-1)


def test_who_looks_at_himself_looks_no_distance():
    assert attention_distance(torch.eye(9), P=4, class_token=False) == 0


def test_who_looks_at_his_neighbour_looks_as_far_as_a_patch_is_wide():
    to_the_left = torch.tensor([[0.0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0]])
    assert attention_distance(to_the_left, P=4, class_token=False) == 4
    across = to_the_left.flip(1)[[0, 1, 3, 2]]  # a mixture of two: along the column, and the diagonal
    assert attention_distance(across, P=1, class_token=False).item() == pytest.approx((2 * 1 + 2 * math.sqrt(2)) / 4)


def test_the_class_token_has_no_distance():
    patches = torch.rand(3, 2, 4, 4).softmax(-1)
    half_to_the_token = torch.rand(3, 2, 5, 5)
    half_to_the_token[..., 1:, 1:] = patches / 2
    torch.testing.assert_close(
        attention_distance(half_to_the_token, P=7), attention_distance(patches, P=7, class_token=False)
    )


def test_an_even_look_goes_as_far_as_two_patches_are_apart_on_average():
    places = [(y, x) for y in range(3) for x in range(3)]
    apart = sum(math.dist(a, b) for a in places for b in places) / 81
    even = torch.full((9, 9), 1 / 9, dtype=torch.float64)
    assert attention_distance(even, P=4, class_token=False).item() == pytest.approx(4 * apart)


def test_patches_that_form_no_square_have_no_distance():
    with pytest.raises(ValueError, match="50 positions, class_token=False: 50 patches form no square"):
        attention_distance(torch.eye(50), P=4, class_token=False)


def test_a_blanked_patch_is_paper_and_the_rest_is_as_it_was(mnist):
    images = mnist.test.images[:3] | 1  # no pixel is blank
    chosen = torch.zeros(3, 49, dtype=torch.bool)
    chosen[1, 8] = True  # second row, second column
    seen = blanked(images, chosen)
    assert (seen[1, 0, 4:8, 4:8] == 0).all()
    assert (seen != images).sum() == 16
    assert (images > 0).all(), "what was given stays as it was"


def test_patches_that_do_not_fill_the_image_are_refused(mnist):
    with pytest.raises(ValueError, match="48 patches of 4 × 4 pixels don't fill"):
        blanked(mnist.test.images[:1], torch.zeros(1, 48, dtype=torch.bool))
    with pytest.raises(ValueError, match="36 patches of 4 × 4"):
        blanked(mnist.test.images[:1], torch.zeros(1, 36, dtype=torch.bool))


def test_the_most_relevant_patch_goes_first(mnist):
    images = mnist.test.images[:4]
    worth = torch.rand(49, generator=torch.Generator().manual_seed(0))
    model = InkOfPatches(worth)
    ink = images.float().unfold(2, 4, 4).unfold(3, 4, 4).mean((1, 4, 5)).flatten(1) / 255
    by_worth = deletion_curve(model, images, ink * worth, [0, 1, 5, 49])
    whole = by_worth[:, 0]
    lost = (whole[:, None] - by_worth) * 0.3081  # in the units of ink: the model reads normalised pixels
    best = (ink * worth).sort(dim=-1, descending=True).values.cumsum(-1)
    torch.testing.assert_close(lost[:, 1:], best[:, [0, 4, 48]], rtol=0, atol=2e-3)


def test_the_opposite_order_spares_the_answer_for_longer(mnist):
    images = mnist.test.images[:8]
    model = InkOfPatches(torch.ones(49))
    ink = images.float().unfold(2, 4, 4).unfold(3, 4, 4).mean((1, 4, 5)).flatten(1)
    first, last = (deletion_curve(model, images, sign * ink, [10]) for sign in (1, -1))
    assert (first < last).all()


def test_the_answer_that_is_followed_is_that_for_the_whole_image(mnist):
    images = mnist.test.images[:2]

    class SaysOneUntilBlank(nn.Module):
        def forward(self, x):
            blank = (x == x.min()).flatten(1).all(1)
            return torch.where(blank[:, None], torch.tensor([5.0, -3.0]), torch.tensor([1.0, 2.0]))

    curve = deletion_curve(SaysOneUntilBlank(), images, torch.rand(2, 49), [0, 49])
    assert curve.tolist() == [[2, -3], [2, -3]]
