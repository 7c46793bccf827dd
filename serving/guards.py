"""The guards in a request's path: what comes in is screened, what goes out is made harmless. Both fail closed."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import structlog

from llmops.guards import scorers
from llmops.guards.injection import THRESHOLD, screen
from llmops.guards.output import OutputFilter, OutputPolicy
from serving.errors import ServiceError
from serving.settings import ServingSettings

_SCREENED_IN_LINE = 2_000
"""Characters that are screened on the event loop; more would hold up other requests and goes to a thread."""
log = structlog.get_logger()


class Guards:
    """The service's settings of both guards."""

    def __init__(self, settings: ServingSettings) -> None:
        self._refuses = settings.input_guard == "refuse"
        self._scorer = scorers.named(settings.injection_scorer) if settings.injection_scorer else None
        self._policy = OutputPolicy(
            allowed_hosts=settings.allowed_hosts,
            allowed_values=settings.allowed_values,
            phone_regions=settings.phone_regions,
        )

    async def screen(self, texts: Sequence[str]) -> list[str]:
        """Names of the rules that texts break, for the log. Raises ServiceError when that refuses the request."""
        if self._scorer or sum(len(text) for text in texts) > _SCREENED_IN_LINE:
            found = await asyncio.to_thread(_screen_all, texts, self._scorer)
        else:
            found = _screen_all(texts)
        if found and self._refuses:
            raise ServiceError(
                400, "input_refused", "the text reads like an attempt to change how the assistant works; rephrase it"
            )
        return found

    def answer_filter(self) -> "AnswerFilter":
        """What one answer passes through."""
        return AnswerFilter(OutputFilter(self._policy))


class AnswerFilter:
    """Makes an answer harmless piece by piece."""

    def __init__(self, output: OutputFilter) -> None:
        self._output = output

    @property
    def findings(self) -> dict[str, int]:
        """How often something was changed, by kind."""
        return dict(self._output.findings)

    def feed(self, text: str, *, is_last: bool) -> str:
        """What may be shown now."""
        with _failing_closed():
            shown = self._output.feed(text)
            return shown + self._output.finish() if is_last else shown


def _screen_all(texts: Sequence[str], scorer: scorers.Scorer | None = None) -> list[str]:
    with _failing_closed():
        found: set[str] = set()
        for text in texts:
            screening = screen(text)
            if screening.is_flagged:
                found.update(screening.rules or ["together"])
            if scorer and not scorer(text) < THRESHOLD:  # so that NaN counts as flagged
                found.add("scorer")
        return sorted(found)


@contextmanager
def _failing_closed() -> Iterator[None]:
    """A guard that fails lets nothing through."""
    try:
        yield
    except Exception as error:
        log.exception("guard.failed")
        raise ServiceError(503, "guard_failed", "the request cannot be checked; tell the service's operator") from error
