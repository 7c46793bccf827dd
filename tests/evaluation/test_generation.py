"""Greedy generation in batches."""

from pathlib import Path
from typing import Any

import pytest
import torch

from llmops.evaluation.generation import end_ids, generate_answers
from llmops.training.base import add_adapter, load_full
from llmops.training.config import LoraConfig
from tests.training.samples import PAIRS, encode_pairs


@pytest.fixture
def model(tiny_model_folder: Path) -> Any:
    """The tiny model with a random adapter: by itself it repeats the prompt's last token for ever."""
    model = add_adapter(load_full(tiny_model_folder), LoraConfig(), seed=0)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter)
    return model.eval()


def test_answers_do_not_depend_on_the_batch(model: Any, tokenizer: Any) -> None:
    prompts = [item.prompt for item in encode_pairs(tokenizer, PAIRS)]

    by_size = {
        size: generate_answers(model, tokenizer, prompts, max_new_tokens=12, batch_size=size) for size in (1, 5, 12)
    }

    assert by_size[5] == by_size[1]
    assert by_size[12] == by_size[1]
    assert len(set(by_size[1])) == len(PAIRS)


def test_answers_are_the_most_likely_tokens_one_by_one(model: Any, tokenizer: Any) -> None:
    prompt = encode_pairs(tokenizer, PAIRS)[0].prompt
    ids = list(prompt)
    with torch.no_grad():
        for _ in range(6):
            ids.append(int(model(input_ids=torch.tensor([ids])).logits[0, -1].argmax()))

    (answer,) = generate_answers(model, tokenizer, [prompt], max_new_tokens=6, batch_size=1)

    assert not set(ids[len(prompt) :]) & set(end_ids(model, tokenizer))
    assert answer == tokenizer.decode(ids[len(prompt) :], skip_special_tokens=True).strip()


def test_every_end_token_ends_an_answer(model: Any, tokenizer: Any) -> None:
    prompt = encode_pairs(tokenizer, PAIRS)[0].prompt
    (whole,) = generate_answers(model, tokenizer, [prompt], max_new_tokens=6, batch_size=1)
    with torch.no_grad():
        first = int(model(input_ids=torch.tensor([prompt])).logits[0, -1].argmax())

    model.generation_config.eos_token_id = [tokenizer.pad_token_id, first]
    (ended,) = generate_answers(model, tokenizer, [prompt], max_new_tokens=6, batch_size=1)

    assert whole
    assert not ended
