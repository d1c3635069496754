"""Accuracy and F1 are what the textbooks say, however many processes are asked."""

import pytest
import torch
from torch import nn

from reconstructing_transformer.tracking.processes import start_processes
from reconstructing_transformer.vision.evaluation import logits_of, scores, shared_logits
from reconstructing_transformer.vision.zoo import build


def test_scores_are_counted_by_hand():
    labels = torch.tensor([0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    said = labels.clone()
    said[1] = 1  # one zero is taken for a one
    found = scores(nn.functional.one_hot(said, 10).float(), labels)
    assert found["accuracy"] == pytest.approx(10 / 11)
    assert found["f1"] == pytest.approx((2 / 3 + 2 / 3 + 8) / 10)


def test_evaluation_drops_nothing_and_leaves_the_model_as_it_was(mnist):
    model = build("feed-forward", dropout=0.5).train()
    digits = mnist.validation.at(slice(100))
    first = logits_of(model, digits)
    assert torch.equal(first, logits_of(model, digits))
    assert model.training


def test_batches_do_not_matter(mnist):
    model, digits = build("small-vit"), mnist.validation.at(slice(64))
    torch.testing.assert_close(logits_of(model, digits, batch=10), logits_of(model, digits, batch=64))


@pytest.mark.parametrize("processes", [1, 2, 3])
def test_each_process_takes_a_share(mnist, monkeypatch, processes):
    """What each of several processes would send, put together, is what one computes."""
    model, digits = build("feed-forward"), mnist.validation.at(slice(100))
    accelerator = start_processes()
    sent = []
    monkeypatch.setattr(type(accelerator), "num_processes", processes)
    monkeypatch.setattr(type(accelerator), "gather", lambda self, mine: sent.append(mine) or mine)
    for index in range(processes):
        monkeypatch.setattr(type(accelerator), "process_index", index)
        shared_logits(model, digits, accelerator)
    assert len({len(part) for part in sent}) == 1
    torch.testing.assert_close(torch.cat(sent)[:100], logits_of(model, digits))
