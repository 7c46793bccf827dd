"""What users said and how they liked the answers: handed to `llmops.monitoring.interactions`, which keeps it apart."""

import asyncio
import uuid
from datetime import UTC, datetime

import structlog

from llmops.annotation.prompts import TEMPLATE
from llmops.errors import LlmopsError
from llmops.governance.access.identity import Identity
from llmops.guards import pseudonyms
from llmops.monitoring.interactions import answer_ids
from llmops.monitoring.interactions.records import Exchange, Feedback
from llmops.monitoring.interactions.redaction import RedactionProcess
from llmops.monitoring.interactions.writer import InteractionWriter
from serving.errors import ServiceError
from serving.schemas import FeedbackRequest, GenerateRequest
from serving.settings import ServingSettings

log = structlog.get_logger()


class Interactions:
    """Makes answer ids and keeps exchanges and feedback; without the pseudonym key it only makes ids."""

    def __init__(self, settings: ServingSettings) -> None:
        self._settings = settings
        self._key: bytes | None = None
        self._secret = b""
        self._writer: InteractionWriter | None = None

    async def open(self) -> None:
        """Read the key and start writing; what cannot be is said in the log."""
        try:
            self._key = pseudonyms.read_key(self._settings.platform.pseudonym_key)
            self._secret = answer_ids.derive_secret(self._key)
            redactors = [RedactionProcess() for _ in range(self._settings.redaction_processes)]
            self._writer = InteractionWriter(self._settings.interactions_folder, redactors=redactors)
        except LlmopsError as error:
            log.warning("interactions.unavailable", **{"error.message": str(error)})

    def make_id(self, caller: Identity, asked: GenerateRequest | FeedbackRequest) -> str:
        """An id for an answer, which only this caller and user can say something about."""
        if self._writer is None:
            return uuid.uuid4().hex
        return answer_ids.make(self._secret, self._reader(caller, asked))

    def record(self, answer_id: str, version: str, caller: Identity, asked: GenerateRequest, answer: str) -> None:
        """Keep an exchange, its text only with consent; returns at once."""
        if self._writer is None:
            return
        texts = {"question": asked.question, "context": asked.context, "answer": answer} if asked.consent else {}
        self._writer.record_exchange(
            Exchange(
                answer_id=answer_id,
                event_time=datetime.now(UTC),
                model=version,
                template=TEMPLATE,
                subject=self._subject(caller, asked),
                consent=asked.consent,
                **texts,
            )
        )

    def record_feedback(self, said: FeedbackRequest, caller: Identity) -> None:
        """Keep a rating or correction. Raises ServiceError when the answer is not this reader's own."""
        if self._writer is None:
            raise ServiceError(503, "no_feedback", "this service keeps no feedback; tell its operator")
        if not answer_ids.belongs_to(self._secret, said.id, self._reader(caller, said)):
            raise ServiceError(
                404, "unknown_answer", "no such answer was given to this key, user and customer; send the same ones"
            )
        self._writer.record_feedback(
            Feedback(
                answer_id=said.id,
                event_time=datetime.now(UTC),
                rating=said.rating,
                corrected_answer=said.corrected_answer,
                subject=self._subject(caller, said),
                consent=said.consent,
            )
        )

    def counts(self) -> dict[str, int]:
        """What became of the records so far."""
        return self._writer.counts() if self._writer else {}

    async def close(self) -> None:
        """Write what waits."""
        if self._writer is not None:
            await asyncio.to_thread(self._writer.close)

    def _subject(self, caller: Identity, asked: GenerateRequest | FeedbackRequest) -> str:
        """Pseudonym of the person whom an exchange is about: the customer or user, else whoever holds the key."""
        assert self._key is not None  # noqa: S101 - there is no writer without it
        return pseudonyms.pseudonym(asked.customer_id or asked.user or caller.account, "SUBJECT", self._key)

    def _reader(self, caller: Identity, asked: GenerateRequest | FeedbackRequest) -> str:
        return f"{caller.account}\n{self._subject(caller, asked)}"
