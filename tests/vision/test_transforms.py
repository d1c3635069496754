"""Pixels become numbers, and in training each digit is moved by its own random amounts."""

import math

import pytest
import torch

from reconstructing_transformer.vision.transforms import MEAN, STD, RandomAffineEach, augmentation, normalise


def test_normalised_digits_have_mean_0_and_deviation_1(mnist):
    numbers = normalise(mnist.train.images[:20_000])
    assert numbers.dtype == torch.float32
    assert numbers.mean().item() == pytest.approx(0, abs=0.01)
    assert numbers.std().item() == pytest.approx(1, abs=0.01)


def test_no_augmentation_is_normalisation(mnist):
    images = mnist.train.images[:10]
    torch.testing.assert_close(augmentation(0.0)(images), normalise(images))


def test_bounds_of_zero_leave_images_where_they_are():
    images = torch.rand(4, 1, 28, 28)
    torch.testing.assert_close(RandomAffineEach(0.0, 0.0, 0.0, 0.0)(images), images, atol=1e-5, rtol=0)


def test_each_image_of_a_batch_is_moved_by_its_own_amounts(mnist):
    torch.manual_seed(0)
    moved = augmentation()(mnist.train.images[:1].expand(50, 1, 28, 28))
    assert len({tuple(image.flatten().tolist()) for image in moved}) == 50


def test_the_same_seed_moves_alike(mnist):
    move = augmentation()
    torch.manual_seed(3)
    first = move(mnist.train.images[:8])
    torch.manual_seed(3)
    assert torch.equal(move(mnist.train.images[:8]), first)


def centre(images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    places = torch.arange(images.size(-1), dtype=images.dtype)
    mass = images.sum((-1, -2))
    return (images.sum(-2) @ places) / mass, (images.sum(-1) @ places) / mass


def test_shifts_stay_within_their_bound_and_use_it():
    images = torch.zeros(2000, 1, 28, 28)
    images[:, :, 12:16, 12:16] = 1
    torch.manual_seed(0)
    x, y = centre(RandomAffineEach(0.0, 2 / 28, 0.0, 0.0)(images))
    for place in (x, y):
        assert (place - 13.5).abs().max() <= 2 + 1e-3
        assert (place - 13.5).abs().max() > 1.9
        assert (place - 13.5).mean().abs() < 0.1


def test_rotation_turns_by_at_most_its_bound():
    images = torch.zeros(2000, 1, 28, 28)
    images[:, :, 4:24, 13:15] = 1  # an upright line
    torch.manual_seed(0)
    turned = RandomAffineEach(15.0, 0.0, 0.0, 0.0)(images)[:, 0]
    x = torch.arange(28.0) - 13.5
    spread = turned.sum((1, 2))
    covariance = torch.einsum("nyx,y,x->n", turned, x, x) / spread
    upright = torch.einsum("nyx,y->n", turned, x**2) / spread
    degrees = (covariance / upright).atan().rad2deg()
    assert 13 < degrees.abs().max() < 15.5
    assert degrees.mean().abs() < 1


def test_scale_and_shear_change_what_they_should():
    images = torch.zeros(500, 1, 28, 28)
    images[:, :, 8:20, 8:20] = 1
    torch.manual_seed(0)
    mass = RandomAffineEach(0.0, 0.0, 0.15, 0.0)(images).sum((1, 2, 3)) / 144
    assert 0.85**2 - 0.02 < mass.min() < 0.8
    assert 1.25 < mass.max() < 1.15**2 + 0.02
    torch.manual_seed(0)
    sheared = RandomAffineEach(0.0, 0.0, 0.0, 10.0)(images)
    top = sheared[:, 0, 8]
    x = top @ torch.arange(28.0) / top.sum(-1)
    assert (x - 13.5).abs().max() < 5.5 * math.tan(math.radians(10)) + 0.1
    assert (x - 13.5).abs().max() > 0.5


def test_augmented_digits_have_paper_around_them():
    moved = augmentation()(torch.zeros(4, 1, 28, 28, dtype=torch.uint8))
    torch.testing.assert_close(moved, torch.full_like(moved, -MEAN / STD))
