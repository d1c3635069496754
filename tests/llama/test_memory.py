"""Memory is computed from configurations that count as many parameters as the models have, and a process agrees."""

import pytest
import torch

from reconstructing_transformer.llama.configurations import (
    LLAMA_2_7B,
    LLAMA_2_7B_CLASSIFIER,
    PARAMETERS,
    SMOLLM2_135M,
    STORIES_260K,
    configuration,
    on_meta,
)
from reconstructing_transformer.llama.memory import Method, computed
from reconstructing_transformer.llama.memory_measured import measured
from reconstructing_transformer.llama.sources import fetch


def parameters_of(model) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize("name", PARAMETERS)
def test_a_configuration_has_as_many_parameters_as_the_model(name):
    assert parameters_of(on_meta(configuration(name))) == PARAMETERS[name]


def test_a_classifier_of_twenty_has_no_output_embedding():
    classifier = on_meta(configuration(LLAMA_2_7B), classes=20)
    assert parameters_of(classifier) == LLAMA_2_7B_CLASSIFIER == PARAMETERS[LLAMA_2_7B] - (32000 - 20) * 4096


def test_a_configuration_is_that_of_the_checkpoint():
    from transformers import LlamaConfig

    there, ours = LlamaConfig.from_pretrained(fetch("stories260k")), configuration(STORIES_260K)
    for size in ("hidden_size", "intermediate_size", "num_hidden_layers", "num_key_value_heads", "vocab_size"):
        assert getattr(ours, size) == getattr(there, size)


def test_a_model_without_sizes_is_refused():
    with pytest.raises(ValueError, match="no sizes of a model “llama-9”; there are llama-2-7b"):
        configuration("llama-9")


def test_the_whole_7b_model_in_32_bits_takes_16_bytes_a_parameter():
    full = computed(configuration(LLAMA_2_7B), Method("full", torch.float32), 1, 8)
    assert full.weights + full.updates == full.gradients == full.optimiser / 2
    assert full.total - full.activations == 16 * LLAMA_2_7B_CLASSIFIER


def test_the_updates_of_7b_are_counted_layer_by_layer():
    lora = computed(configuration(LLAMA_2_7B), Method("lora", rank=8), 1, 8)
    per_layer = 8 * (4 * (4096 + 4096) + 3 * (4096 + 11008))
    assert lora.updates == 4 * (32 * per_layer + 20 * 4096)
    assert lora.weights == 2 * (LLAMA_2_7B_CLASSIFIER - 20 * 4096)
    assert lora.gradients == lora.updates == lora.optimiser / 2


def test_four_bits_are_four_bits_and_a_share_of_the_constants():
    qlora = computed(configuration(LLAMA_2_7B), Method("qlora"), 1, 8)
    linear = 32 * (4 * 4096**2 + 3 * 4096 * 11008)
    others = 2 * (32000 * 4096 + 65 * 4096)
    assert 8 * (qlora.weights - others) / linear == pytest.approx(4 + (8 + 32 / 256) / 64, abs=1e-5)


@pytest.mark.parametrize("kind", ["full", "lora", "qlora"])
def test_activations_grow_with_batch_and_checkpointing_saves_most(kind):
    config = configuration(SMOLLM2_135M)
    one, two = (computed(config, Method(kind), batch, 64).activations for batch in (1, 2))
    assert one < two <= 2 * one
    assert computed(config, Method(kind, checkpointing=True), 2, 64).activations < two / 5


@pytest.mark.parametrize("length", [64, 576])
def test_activations_are_proportional_to_the_length(length):
    config = configuration(SMOLLM2_135M)  # whose heads are 64 wide, and which is itself 576 wide
    one, two = (computed(config, Method("lora"), 1, n).activations for n in (length, 2 * length))
    assert two == pytest.approx(2 * one, rel=1e-3)


def test_a_trained_head_needs_nothing_of_the_way_there():
    head = computed(configuration(SMOLLM2_135M), Method("head"), 2, 64)
    assert head.activations < 10_000
    assert head.optimiser == 2 * 4 * 20 * 576


def test_a_process_needs_what_was_computed():
    methods = [Method("full", torch.float32), Method("full", torch.float32, checkpointing=True)]
    plain, again = measured([(STORIES_260K, method, 32, 256) for method in methods])
    for method, found in zip(methods, (plain, again), strict=True):
        expected = computed(configuration(STORIES_260K), method, 32, 256).total
        assert 0.9 * expected < found < 1.2 * expected
    assert again < plain / 1.5


def test_a_process_that_fails_says_so():
    with pytest.raises(RuntimeError, match="ended with 1"):
        measured([("no-such-model", Method("head"), 1, 8)])
