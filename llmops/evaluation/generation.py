"""Greedy answers to many prompts at once."""

from collections.abc import Sequence
from typing import Any

import torch
from transformers import GenerationConfig

from llmops.training.progress import Progress


def generate_answers(
    model: Any, tokenizer: Any, prompts: Sequence[list[int]], *, max_new_tokens: int, batch_size: int
) -> list[str]:
    """The model's answer to each prompt, in the order given, without the prompt and without control tokens.

    Prompts of similar length share a batch, padded on the left.
    """
    settings = GenerationConfig(
        max_new_tokens=max_new_tokens,
        do_sample=False,
        use_cache=True,
        eos_token_id=end_ids(model, tokenizer),
        pad_token_id=0,
    )
    order = sorted(range(len(prompts)), key=lambda index: len(prompts[index]))
    answers = [""] * len(prompts)
    progress = Progress("answers.generated", total=len(prompts), unit="answers")
    for start in range(0, len(order), batch_size):
        chosen = order[start : start + batch_size]
        generated = _generate(model, [prompts[index] for index in chosen], settings)
        for index, ids in zip(chosen, generated, strict=True):
            answers[index] = tokenizer.decode(ids, skip_special_tokens=True).strip()
        progress.report(start + len(chosen))
    return answers


def end_ids(model: Any, tokenizer: Any) -> list[int]:
    """Ids that end an answer: the tokenizer's end token, which training taught, and the base model's own."""
    own = model.generation_config.eos_token_id
    return sorted({tokenizer.eos_token_id, *(own if isinstance(own, list) else [own] if own is not None else [])})


@torch.inference_mode()
def _generate(model: Any, prompts: Sequence[list[int]], settings: GenerationConfig) -> list[list[int]]:
    """New ids of each prompt, up to its first end token."""
    width = max(map(len, prompts))
    input_ids = torch.zeros(len(prompts), width, dtype=torch.int64)
    attention_mask = torch.zeros_like(input_ids)
    for row, prompt in enumerate(prompts):
        input_ids[row, width - len(prompt) :] = torch.tensor(prompt)
        attention_mask[row, width - len(prompt) :] = 1
    output = model.generate(
        input_ids=input_ids.to(model.device),
        attention_mask=attention_mask.to(model.device),
        generation_config=settings,
    )
    return [_until_end(ids, settings.eos_token_id) for ids in output[:, width:].tolist()]


def _until_end(ids: list[int], ends: Sequence[int]) -> list[int]:
    """Ids before the first end token: after it there is padding, whose id means nothing."""
    first = next((place for place, token in enumerate(ids) if token in ends), len(ids))
    return ids[:first]
