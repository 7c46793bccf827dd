"""The tagger learns from made-up sentences, the same each time, and labels stand where the values do."""

import json
import random
from pathlib import Path

import pytest

from llmops import artifacts
from llmops.errors import ConfigurationError
from llmops.guards import tagger
from llmops.guards.spans import Span
from llmops.manifest import Manifest
from llmops.tagging import corpora, crf, sentences
from llmops.tagging.config import TrainTaggerConfig
from llmops.tagging.sentences import Labelled
from llmops.tagging.stage import WEIGHTS, train_tagger

CONFIG = TrainTaggerConfig(sentences=3000, epochs=3, buckets=16_384, negatives=1)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Manifest:
    return train_tagger(str(tmp_path_factory.mktemp("lake") / "tagger"), config=CONFIG)


def weights_of(made: Manifest) -> bytes:
    (name,) = made.names(WEIGHTS)
    return Path(made.uri, name).read_bytes()


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("Hello, my name is Ingrid Halvorsen and I have a question.", "PERSON", "Ingrid Halvorsen"),
        (
            "Please ship it to 12 Willow Lane, Portland, OR 97201 today.",
            "ADDRESS",
            "12 Willow Lane, Portland, OR 97201",
        ),
    ],
)
def test_what_was_learned_is_found(made: Manifest, text: str, kind: str, value: str) -> None:
    found = tagger.tag(text, tagger.parse(weights_of(made)))

    assert [(span.type, text[span.start : span.end]) for span in found] == [(kind, value)]


def test_training_again_gives_the_same_bytes(made: Manifest) -> None:
    before = weights_of(made)

    with artifacts.recomputing():
        again = train_tagger(made.uri, config=CONFIG)

    assert weights_of(again) == before
    assert again.digest == made.digest


def test_labels_are_names_and_addresses_whatever_is_done_to_the_text() -> None:
    draws = random.Random(3)  # noqa: S311 - test data
    texts = ["Where is it?", "You asked me for my card."]

    for made in sentences.make(2000, draws, invented=0.3, remarks=texts, negatives=texts * 50):
        for span in made.spans:
            value = made.text[span.start : span.end]
            assert value == value.strip()
            assert value
        assert [span.start for span in made.spans] == sorted(span.start for span in made.spans)


def test_words_carry_the_labels_of_their_spans() -> None:
    text = "Ask Jo Berg, 5 Elm St\nBonn today"
    spans = (Span(4, 11, "PERSON"), Span(13, 26, "ADDRESS"))

    found, labels = crf.label(Labelled(text, spans))

    assert list(zip(found, (tagger.LABELS[label] for label in labels), strict=True)) == [
        ("Ask", "O"),
        ("Jo", "B-PERSON"),
        ("Berg", "I-PERSON"),
        (",", "O"),
        ("5", "B-ADDRESS"),
        ("Elm", "I-ADDRESS"),
        ("St", "I-ADDRESS"),
        ("\n", "I-ADDRESS"),
        ("Bonn", "I-ADDRESS"),
        ("today", "O"),
    ]


def test_half_of_a_corpus_is_left_alone(tmp_path: Path) -> None:
    street = {"entity_type": "STREET_ADDRESS", "start_position": 3, "end_position": 9}
    town = {"entity_type": "GPE", "start_position": 11, "end_position": 15}
    text = "At Elm 5, \nBonn live people"
    records = [{"full_text": text, "template_id": number, "spans": [street, town]} for number in range(4)]
    (tmp_path / "c.json").write_text(json.dumps(records))
    (tmp_path / "c.jsonl").write_text("\n".join(json.dumps({"input": f"question {number}"}) for number in range(5)))

    labelled, plain = list(corpora.read(tmp_path / "c.json")), list(corpora.read(tmp_path / "c.jsonl"))

    assert [item.spans for item in labelled] == [(Span(3, 15, "ADDRESS"),)] * 2
    assert [item.text for item in plain] == ["question 0", "question 2", "question 4"]


def test_a_corpus_of_another_kind_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"names\.txt: a corpus is"):
        corpora.read(tmp_path / "names.txt")
