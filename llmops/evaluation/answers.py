"""Everything that is measured on one answer beside its reference."""

import math

from llmops.evaluation import text_scores
from llmops.evaluation.facts import kinds_in
from llmops.evaluation.reading_ease import flesch_reading_ease
from llmops.evaluation.summary import AnswerScore
from llmops.guards import output
from llmops.guards.refusals import is_refusal

_NOTHING_ALLOWED = output.OutputPolicy()


def score_answer(reference: str, answer: str) -> AnswerScore:
    """The numbers of one answer; neither text is kept."""
    words = text_scores.count_words(answer)
    return AnswerScore(
        token_f1=text_scores.token_f1(reference, answer),
        exact_match=text_scores.exact_match(reference, answer),
        **text_scores.rouge(reference, answer),
        chrf=text_scores.chrf([reference], answer),
        bleu_counts=text_scores.bleu_counts([reference], answer),
        expected_kinds=kinds_in(reference),
        found_kinds=kinds_in(answer),
        reading_ease=_on_scale(flesch_reading_ease(answer)),
        words=words,
        length_error=abs(math.log((words + 1) / (text_scores.count_words(reference) + 1))),
        refused=float(is_refusal(answer)),
        guarded=float(bool(output.clean(answer, policy=_NOTHING_ALLOWED).findings)),
        empty=float(words == 0),
    )


def _on_scale(ease: float | None) -> float | None:
    """Flesch's scale is from 0 to 100; one endless sentence of -500 would outweigh all other answers."""
    return None if ease is None else min(max(ease, 0.0), 100.0)
