"""Token F1 and ROUGE-L against values counted by hand and against rouge_score's own tokenizer."""

import pytest
from rouge_score.rouge_scorer import RougeScorer

from llmops.evaluation.text_scores import rouge_l, token_f1


@pytest.mark.parametrize(
    ("reference", "answer", "expected"),
    [
        (
            "The parcel arrives on Monday.",
            "a parcel arrives on monday",
            1.0,
        ),  # articles, case and full stop do not count
        ("the red lamp", "the blue lamp", 0.5),  # one of two words: precision and recall 1/2
        ("yes yes no", "yes", 0.5),  # precision 1, recall 1/3
        ("yes", "yes yes yes", 0.5),  # a word repeated is not found twice
        ("thirty days", "by card", 0.0),
        ("the", "!", 1.0),  # no words on either side
        ("", "yes", 0.0),
        ("it's 2-3 days", "its 23 days", 1.0),  # SQuAD's script deletes punctuation within words
        ("Три дня", "три рабочих дня", 0.8),  # precision 2/3, recall 1
        ("三天到达", "三天", 2 / 3),  # characters count as words where none are written: precision 1, recall 1/2
        ("कपड़े मिलेंगे", "कपड़े मिलेंगे", 1.0),  # vowel signs are part of words
        ("Café", "CAFE\u0301", 1.0),  # composed and decomposed
    ],
)
def test_token_f1_counts_shared_words(reference: str, answer: str, expected: float) -> None:
    assert token_f1(reference, answer) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("reference", "answer", "expected"),
    [
        ("police killed the gunman", "police kill the gunman", 0.75),  # Lin 2004, section 3.1: "police the gunman", 3/4
        ("police killed the gunman", "the gunman kill police", 0.5),  # likewise: "the gunman", 2/4
        ("один два три", "один три", 0.8),  # 2/3 and 2/2
        ("三天到达", "三到", 2 / 3),  # in order: precision 2/2, recall 2/4
        ("yes", "", 0.0),
    ],
)
def test_rouge_l_counts_words_in_order(reference: str, answer: str, expected: float) -> None:
    assert rouge_l(reference, answer) == pytest.approx(expected)


def test_rouge_l_equals_the_reference_implementation_on_english() -> None:
    pairs = [
        ("Returns are free within 30 days; the box isn't needed.", "You can return it free of charge in 30 days."),
        ("Card, invoice & bank-transfer.", "We take card and bank transfer, no invoice."),
        ("Yes: e.g. 12.50 EUR (incl. VAT)", "12.50 EUR incl. VAT, yes"),
    ]
    reference = RougeScorer(["rougeL"])

    assert [rouge_l(*pair) for pair in pairs] == [reference.score(*pair)["rougeL"].fmeasure for pair in pairs]
