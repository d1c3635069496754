"""An image is cut as one reads, and each patch becomes a vector that knows its place."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from reconstructing_transformer.transformer import positional_encoding
from reconstructing_transformer.vision import PatchEmbedding, cut


@pytest.fixture(autouse=True)
def a_seed():
    torch.manual_seed(0)


@pytest.fixture
def images() -> torch.Tensor:
    return torch.randn(2, 3, 12, 12, dtype=torch.float64)


def embedding_of(images, **options) -> PatchEmbedding:
    """An embedding for patches of 4 × 4, with all its weights drawn anew."""
    embedding = PatchEmbedding(images.size(-1), 4, images.size(1), 10, **options).double()
    for parameter in embedding.parameters():
        nn.init.normal_(parameter)
    return embedding


def test_patches_are_in_reading_order_and_so_are_their_pixels():
    image = torch.arange(24).view(1, 4, 6)  # two rows of three patches of 2 × 2
    assert cut(image, 2).tolist() == [
        [0, 1, 6, 7],
        [2, 3, 8, 9],
        [4, 5, 10, 11],
        [12, 13, 18, 19],
        [14, 15, 20, 21],
        [16, 17, 22, 23],
    ]


def test_within_a_patch_channel_comes_after_channel(images):
    patch = images[0, :, 4:8, 8:12]  # second row, third column
    assert torch.equal(cut(images, 4)[0, 5], patch.flatten())


def test_pytorchs_unfold_cuts_alike(images):
    assert torch.equal(cut(images, 4), functional.unfold(images, 4, stride=4).mT)


def test_a_batch_is_cut_image_by_image(images):
    assert torch.equal(cut(images, 4), torch.stack([cut(image, 4) for image in images]))


def test_bytes_stay_bytes(mnist):
    patches = cut(mnist.test.images[:5], 4)
    assert patches.dtype == torch.uint8
    assert patches.shape == (5, 49, 16)


def test_patches_that_do_not_fill_the_image_are_refused(images):
    with pytest.raises(ValueError, match=r"patches of 5 × 5 pixels don't fill an image of 12 × 12.*multiples"):
        cut(images, 5)
    with pytest.raises(ValueError, match="8 × 8 pixels don't fill an image of 28 × 28"):
        PatchEmbedding(28, 8, 1, 10)


def test_the_convolution_is_cutting_and_one_matrix_product(images):
    embedding = embedding_of(images)
    E = embedding.E.weight.flatten(1).T
    torch.testing.assert_close(embedding.E(images).flatten(2).mT, cut(images, 4) @ E + embedding.E.bias)


def test_the_convolution_learns_as_the_matrix_would(images):
    embedding = embedding_of(images, bias=False)
    direction = torch.randn(2, 10, 10, dtype=torch.float64)
    embedding(images).backward(direction)
    E = embedding.E.weight.detach().flatten(1).T.requires_grad_()
    (cut(images, 4) @ E).backward(direction[:, 1:])
    torch.testing.assert_close(embedding.E.weight.grad.flatten(1).T, E.grad)


def test_the_class_token_stands_first_and_is_the_same_for_every_image(images):
    embedding = embedding_of(images)
    z_0 = embedding(images)
    assert z_0.shape == (2, 1 + 9, 10)
    torch.testing.assert_close(z_0[0, 0], embedding.x_class + embedding.E_pos[0])
    assert torch.equal(z_0[0, 0], z_0[1, 0])


def test_each_place_adds_its_own_vector(images):
    alike = images[:, :, :4, :4].repeat(1, 1, 3, 3)  # nine times the same patch
    embedding = embedding_of(images)
    z_0 = embedding(alike)
    torch.testing.assert_close(z_0[0, 2] - z_0[0, 1], embedding.E_pos[2] - embedding.E_pos[1])


def test_without_a_class_token_there_are_patches_alone(images):
    embedding = embedding_of(images, class_token=False)
    assert embedding(images).shape == (2, 9, 10)
    assert not any("x_class" in name for name, _ in embedding.named_parameters())


def test_fixed_places_are_the_transformers_sines_and_no_weights(images):
    fixed = PatchEmbedding(12, 4, 3, 10, positions="fixed")
    assert torch.equal(fixed.E_pos, positional_encoding(10, 10))
    assert {name for name, _ in fixed.named_parameters()} == {"x_class", "E.weight", "E.bias"}
    assert "E_pos" not in fixed.state_dict()


def test_everything_that_is_learned_gets_a_gradient(images):
    embedding = embedding_of(images)
    embedding(images).square().sum().backward()
    assert all((parameter.grad != 0).any() for parameter in embedding.parameters())
    assert {name for name, _ in embedding.named_parameters()} == {"x_class", "E_pos", "E.weight", "E.bias"}


def test_at_the_start_the_class_token_says_nothing_and_places_hardly_differ():
    embedding = PatchEmbedding(28, 4, 1, 64)
    assert (embedding.x_class == 0).all()
    assert embedding.E_pos.std().item() == pytest.approx(0.02, rel=0.1)
    assert embedding.E(torch.randn(50, 1, 28, 28)).std().item() == pytest.approx(1, abs=0.1)


def test_an_image_of_another_size_is_rejected(images):
    with pytest.raises(ValueError, match="images of 12 × 12 pixels; got 16 × 16"):
        embedding_of(images)(torch.randn(2, 3, 16, 16, dtype=torch.float64))
