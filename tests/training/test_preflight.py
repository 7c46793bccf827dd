"""Faulty training sets are refused before the first step."""

from pathlib import Path

import pytest

from llmops.errors import TrainingError
from llmops.manifest import Manifest
from llmops.training.batches import IGNORED
from llmops.training.examples import Example, check_tokenizer
from llmops.training.preflight import check_examples, find_faults
from tests.training.samples import commit_examples, example

END = 2
GOOD = example("good", [5, 6], [7, END])


@pytest.mark.parametrize(
    ("bad", "fault"),
    [
        (Example("no-answer", [5, 6, END], 3), "1 without a prompt or without an answer"),
        (Example("no-prompt", [5, 6, END], 0), "1 without a prompt or without an answer"),
        (example("no-end", [5, 6], [7, 8]), "1 whose last label is not the model's end token"),
        (example("unknown-id", [5, 6], [50, END]), "1 with an id outside the model's vocabulary"),
        (example("negative-id", [-1], [7, END]), "1 with an id outside the model's vocabulary"),
    ],
)
def test_a_fault_is_counted_and_the_remedy_told(bad: Example, fault: str) -> None:
    with pytest.raises(TrainingError, match=f"of 2 examples there are {fault}.*llmops tokenize"):
        check_examples([GOOD, bad], end_token=END, vocabulary_size=50)


@pytest.mark.parametrize(
    ("labels", "fault"),
    [
        ([IGNORED, IGNORED, 7, END, IGNORED], None),
        ([IGNORED, 6, 7, END, IGNORED], "whose labels are not on the answer alone"),  # on the prompt
        ([IGNORED, IGNORED, 7, END, END], "whose labels are not on the answer alone"),  # on the padding
        ([IGNORED, IGNORED, 7, IGNORED, IGNORED], "whose labels are not on the answer alone"),  # end token masked
        ([IGNORED] * 5, "whose labels are not on the answer alone"),
    ],
)
def test_labels_belong_on_the_answer_and_its_end_token(labels: list[int], fault: str | None) -> None:
    found = list(find_faults(GOOD, labels, end_token=END, vocabulary_size=50))

    assert found == ([fault] if fault else [])


def test_a_sound_training_set_passes() -> None:
    check_examples([GOOD] * 100, end_token=END, vocabulary_size=50)


def test_an_empty_training_set_is_refused() -> None:
    with pytest.raises(TrainingError, match="collect more days"):
        check_examples([], end_token=END, vocabulary_size=50)


def test_ids_of_another_tokenizer_are_refused(tiny_model: Manifest, features: Manifest, tmp_path: Path) -> None:
    foreign = commit_examples(f"{tmp_path}/features", tiny_model, {"train": [GOOD]}, tokenizer="another")

    check_tokenizer(features, tiny_model)
    with pytest.raises(TrainingError, match="run `llmops tokenize`"):
        check_tokenizer(foreign, tiny_model)
