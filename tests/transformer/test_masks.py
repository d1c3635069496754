import torch

from reconstructing_transformer.transformer import causal_mask, padding_mask


def test_a_causal_mask_shows_each_position_itself_and_the_past():
    assert causal_mask(3).tolist() == [[True, False, False], [True, True, False], [True, True, True]]


def test_a_padding_mask_shows_tokens_and_hides_padding():
    tokens = torch.tensor([[5, 3, 0], [7, 0, 0]])
    assert padding_mask(tokens, pad=0).tolist() == [[[True, True, False]], [[True, False, False]]]


def test_masks_combine_by_and():
    tokens = torch.tensor([[5, 3, 0]])
    both = padding_mask(tokens, pad=0) & causal_mask(3)
    assert both.tolist() == [[[True, False, False], [True, True, False], [True, True, False]]]
