"""Questions as long as those that support gets, and when they come."""

import itertools
import string
from pathlib import Path

import numpy as np
from numpy.random import Generator

from benchmarks.gpu.load import Plan
from benchmarks.gpu.model import SYSTEM
from llmops.annotation import prompts
from serving.engines.contract import BaseModel
from serving.engines.encoding import Encoder

MEAN_TOKENS = 113
"""Mean length of a support prompt with its template, as the figures for this card were measured."""
_SPREAD = 0.5
_LETTERS = list(string.ascii_lowercase)


def make_plan(base: Path, tokenizer: Path, *, full: int, streams: int, rate: float, concurrent: int) -> Plan:
    """A plan with `full` questions under full load and `streams` that arrive at random, `rate` a second in the mean."""
    generator = np.random.default_rng(0)
    encoder = Encoder(BaseModel(base, tokenizer))

    def encode(text: str) -> list[int]:
        return prompts.encode_prompt(encoder.tokenizer, prompts.chat_messages(SYSTEM, text))

    words = [_word(generator) for _ in range(5000)]
    tokens = [len(encoder.tokenizer(f" {word}")["input_ids"]) for word in words]
    template = len(encode("a"))
    lengths = generator.lognormal(np.log(MEAN_TOKENS) - _SPREAD**2 / 2, _SPREAD, concurrent + full + streams)
    texts = [_text(generator, words, tokens, max(8, int(length) - template)) for length in lengths]
    arrivals = generator.exponential(1 / rate, streams).cumsum().tolist()
    plan = Plan(texts, [encode(text) for text in texts], arrivals, concurrent, max_new_tokens=128, warm_up=concurrent)
    encoder.close()
    return plan


def _word(generator: Generator) -> str:
    return "".join(generator.choice(_LETTERS, generator.integers(2, 9)))


def _text(generator: Generator, words: list[str], tokens: list[int], wanted: int) -> str:
    """Words of that many tokens together, or a few more."""
    picked = generator.integers(len(words), size=wanted)  # each has a token at least
    sums = itertools.accumulate(tokens[place] for place in picked)
    count = next((number for number, total in enumerate(sums, 1) if total >= wanted), len(picked))
    return " ".join(words[place] for place in picked[:count])
