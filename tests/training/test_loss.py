"""The loss and its gradients, against sums written out by hand."""

from pathlib import Path
from typing import Any

import pytest
import torch
from bitsandbytes.nn import Linear4bit

from llmops.training.base import add_adapter, load_full, without_dropout
from llmops.training.batches import collate
from llmops.training.config import LoraConfig
from llmops.training.loop import accumulate_gradients, learning_rate_factor
from llmops.training.loss import answer_losses, measure_losses, measure_mean_loss
from tests.training.samples import PAIRS, encode_pairs, example

CPU = torch.device("cpu")


def test_the_loss_is_that_of_the_answer_given_the_prompt(tiny_model_folder: Path) -> None:
    model = load_full(tiny_model_folder)
    prompt, answer = [5, 6, 7, 8], [40, 41, 2]
    with torch.no_grad():
        chances = model(input_ids=torch.tensor([prompt + answer])).logits[0].double().softmax(-1)
    by_hand = -(chances[3, 40].log() + chances[4, 41].log() + chances[5, 2].log())

    (loss,) = measure_losses(model, [example("a", prompt, answer)])

    assert loss == pytest.approx(by_hand.item(), rel=1e-5)
    assert measure_mean_loss(model, [example("a", prompt, answer)]) == pytest.approx(by_hand.item() / 3, rel=1e-5)


def test_padding_changes_no_loss(tiny_model_folder: Path, tokenizer: Any) -> None:
    model, examples = load_full(tiny_model_folder), encode_pairs(tokenizer, PAIRS)

    together, labels = answer_losses(model, collate(examples, CPU))

    alone = [answer_losses(model, collate([item], CPU))[0].item() for item in examples]
    assert together.tolist() == pytest.approx(alone, rel=1e-5)
    assert labels.tolist() == [item.tokens - item.prompt_tokens for item in examples]
    assert measure_losses(model, examples) == pytest.approx(alone, rel=1e-5)


def test_gradients_do_not_depend_on_how_a_batch_is_divided(quantised: Any, tokenizer: Any) -> None:
    examples = encode_pairs(tokenizer, PAIRS[:4])
    model = add_adapter(quantised, LoraConfig(), seed=0)
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    found = []
    for micro_batch_tokens in (10_000, 1):
        loss = accumulate_gradients(model, examples, micro_batch_tokens)
        found.append((loss, torch.cat([item.grad.flatten() for item in trained])))
        model.zero_grad()

    (loss_at_once, at_once), (loss_one_by_one, one_by_one) = found
    assert loss_one_by_one == pytest.approx(loss_at_once, rel=1e-5)
    torch.testing.assert_close(one_by_one, at_once, rtol=1e-4, atol=1e-7)
    assert at_once.abs().max() > 0


def test_every_linear_layer_is_four_bit_and_has_an_adapter(quantised: Any) -> None:
    model = add_adapter(quantised, LoraConfig(rank=4), seed=0)

    layers = [module for name, module in model.named_modules() if name.endswith("_proj")]
    assert len(layers) == 14  # q, k, v, o, gate, up and down of two layers
    assert all(isinstance(layer.base_layer, Linear4bit) for layer in layers)
    assert {layer.base_layer.weight.quant_type for layer in layers} == {"nf4"}
    assert all(layer.base_layer.weight.quant_state.nested for layer in layers)  # double quantisation
    trainable = {name.split(".")[-3] for name, item in model.named_parameters() if item.requires_grad}
    assert trainable == {"lora_A", "lora_B"}


def test_dropout_is_off_while_a_loss_is_measured(quantised: Any, tokenizer: Any) -> None:
    examples = encode_pairs(tokenizer, PAIRS[:2])
    model = add_adapter(quantised, LoraConfig(dropout=0.5), seed=0)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter)  # as if trained: a fresh adapter changes nothing, dropout or not

    with without_dropout(model):
        steady = {measure_mean_loss(model, examples) for _ in range(3)}
    noisy = {measure_mean_loss(model, examples) for _ in range(3)}

    assert len(steady) == 1
    assert len(noisy) == 3


def test_the_learning_rate_rises_and_falls() -> None:
    factors = [learning_rate_factor(step, 8, 0.25) for step in range(8)]

    # Two steps up, then (1 + cos(pi k / 6)) / 2 for k from 0.
    assert factors == pytest.approx([0.5, 1.0, 1.0, 0.933013, 0.75, 0.5, 0.25, 0.066987], abs=1e-6)
    assert learning_rate_factor(0, 1, 0.0) == 1.0
