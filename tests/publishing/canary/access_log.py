"""A service's access log, written by hand."""

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from llmops.settings import Settings

ANSWER = {
    "http.response.status_code": 200,
    "gen_ai.response.finish_reasons": ["stop"],
    "llmops.answer.is_refusal": False,
    "event.duration": 200_000_000,
}
FAILURE = {"http.response.status_code": 503, "error.type": "timeout", "event.duration": 60_000_000_000}
REFUSAL = {**ANSWER, "llmops.answer.is_refusal": True}


class AccessLog:
    """Appends a line a second to the file that `settings.service_logs` finds."""

    def __init__(self, settings: Settings, since: datetime) -> None:
        self._path, self._at, self._written = Path(settings.home, "run/service.log"), since, 0
        self._path.parent.mkdir(exist_ok=True)

    def answer(self, model: str, fields: dict[str, Any] = ANSWER) -> str:
        """One answer by a model to somebody who asked for the champion; its id."""
        self._written += 1
        asked = {"gen_ai.request.model": "champion", "gen_ai.response.model": model}
        self._write({**asked, "gen_ai.response.id": f"answer-{self._written}", **fields})
        return f"answer-{self._written}"

    def pairs(self, count: int, champion: str, challenger: str, fields: dict[str, Any] = ANSWER) -> None:
        """Good answers by the champion, each followed by the challenger's."""
        for _ in range(count):
            self.answer(champion)
            self.answer(challenger, fields)

    def rate(self, answer_id: str, rating: str) -> None:
        """What a user said."""
        fields = {"gen_ai.response.id": answer_id, "llmops.feedback.rating": rating, "http.response.status_code": 202}
        self._write({**fields, "event.duration": 1_000_000})

    def _write(self, fields: dict[str, Any]) -> None:
        self._at += timedelta(seconds=1)
        nested: dict[str, Any] = {"@timestamp": f"{self._at:%Y-%m-%dT%H:%M:%S}.000Z", "message": "request.answered"}
        for name, value in {"event.dataset": "llmops.access", **fields}.items():
            *path, last = name.split(".")
            place = nested
            for part in path:
                place = place.setdefault(part, {})
            place[last] = value
        with self._path.open("a") as stream:
            stream.write(json.dumps(nested) + "\n")
