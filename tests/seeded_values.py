"""Support tickets with personal data planted in them."""

import json
import random
from pathlib import Path

_WORDS = """order parcel refund jacket tent invoice delivery size colour voucher return broken late missing stove boots
zip warranty shelf store stock colleague form sheet page button screen basket offer winter summer rain""".split()


def write_tickets(folder: Path, values: list[tuple[str, str, str]], seed: int) -> None:
    """JSON lines with a question and an answer each, two values in either."""
    draws = random.Random(seed)  # noqa: S311 - test data
    phrases = [phrase for _, _, phrase in values]
    lines = []
    for first in range(0, len(phrases), 4):
        parts = phrases[first : first + 4]
        some, others = (" ".join(draws.choices(_WORDS, k=14)) for _ in range(2))
        question = f"Hello, {some}. " + " ".join(parts[:2]) + "\nWhat now?"
        lines.append(json.dumps({"q": question, "a": f"Thank you, {others}. " + " ".join(parts[2:]) + "\nSee you."}))
    folder.mkdir(parents=True)
    (folder / "tickets.jsonl").write_text("\n".join(lines), encoding="utf-8")
