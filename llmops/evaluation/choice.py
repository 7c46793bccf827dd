"""Multiple choice: whether the model finds the right answer likelier than answers to other questions."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from llmops.training.examples import Example
from llmops.training.loss import measure_losses


def rank_right_answers(
    model: Any, examples: Sequence[Example], losses: Sequence[float], *, asked: int, choices: int, seed: int
) -> list[int]:
    """For the first `asked` examples, the place of the right answer among `choices`, from 1; empty if too few exist.

    The others are answers of other examples, drawn by `seed` and alike for every model. Answers are ranked by mean log
    likelihood a token, so that long ones are not punished; a tie counts against the model. `losses` are the summed ones
    of the right answers. Costs a pass without gradients over `asked` times `choices - 1` examples.
    """
    pool = list({tuple(example.input_ids[example.prompt_tokens :]): None for example in examples})
    if len(pool) < choices:
        return []
    draws = np.random.default_rng(seed)
    wrong: list[Example] = []
    for number, example in enumerate(examples[:asked]):
        own = tuple(example.input_ids[example.prompt_tokens :])
        others = [answer for answer in pool if answer != own]
        for place in draws.choice(len(others), choices - 1, replace=False):
            ids = [*example.prompt, *others[int(place)]]
            wrong.append(Example(f"{number}-{place}", ids, example.prompt_tokens))
    found = [
        loss / (example.tokens - example.prompt_tokens)
        for loss, example in zip(measure_losses(model, wrong), wrong, strict=True)
    ]
    ranks = []
    for number, (example, loss) in enumerate(zip(examples[:asked], losses, strict=False)):
        rivals = found[number * (choices - 1) : (number + 1) * (choices - 1)]
        own_loss = loss / (example.tokens - example.prompt_tokens)
        ranks.append(1 + sum(rival <= own_loss for rival in rivals))
    return ranks
