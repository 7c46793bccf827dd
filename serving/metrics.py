"""What `/metrics` tells Prometheus: times to the first token and between tokens, tokens, the queue, outcomes.

With several API processes each writes its values to files in a folder that they share, and whichever is asked adds them
up; prometheus_client does so when PROMETHEUS_MULTIPROC_DIR is set. It can then call nothing of ours in the other
processes, so here values are always written: at once, or by `refresh`.
"""

import os
from collections.abc import Callable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from serving.admission import Places

_Values = Mapping[str, float]
_FIRST = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 16, 32, 64)
_BETWEEN = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.4, 0.8)
_ARE_SHARED = "PROMETHEUS_MULTIPROC_DIR" in os.environ  # prometheus_client asks once, too


class Metrics:
    """The counters of one app."""

    def __init__(self, places: Places) -> None:
        self._registry = CollectorRegistry()
        self._updates: list[Callable[[], None]] = []
        self._first = Histogram(
            "llmops_time_to_first_token_seconds",
            "From admission to the first token.",
            ["model"],
            buckets=_FIRST,
            registry=self._registry,
        )
        self._between = Histogram(
            "llmops_inter_token_seconds",
            "Mean time between the tokens of an answer.",
            ["model"],
            buckets=_BETWEEN,
            registry=self._registry,
        )
        self._whole = Histogram(
            "llmops_answer_seconds",
            "From admission to the last token.",
            ["model"],
            buckets=_FIRST,
            registry=self._registry,
        )
        self._tokens = Counter("llmops_tokens", "Tokens read and written.", ["model", "kind"], registry=self._registry)
        self._requests = Counter(
            "llmops_requests", "Requests by outcome.", ["route", "status", "error"], registry=self._registry
        )
        self._refusals = Counter(
            "llmops_refusals", "Complete answers that declined to help.", ["model"], registry=self._registry
        )
        self.refused_changes = Counter(
            "llmops_lineup_refused", "Times that what the lake names was not taken over.", registry=self._registry
        )
        queue = self._gauge("llmops_queue_requests", "Requests that run or wait.")
        places.tell = queue.set
        self._gauge("llmops_queue_limit", "Most requests that may run or wait.").set(places.limit)

    def answered(
        self, model: str, *, prompt_tokens: int, completion_tokens: int, first_seconds: float, seconds: float
    ) -> None:
        """Count a complete answer."""
        self._first.labels(model).observe(first_seconds)
        self._whole.labels(model).observe(seconds)
        if completion_tokens > 1:
            self._between.labels(model).observe((seconds - first_seconds) / (completion_tokens - 1))
        self._tokens.labels(model, "prompt").inc(prompt_tokens)
        self._tokens.labels(model, "completion").inc(completion_tokens)

    def refused(self, model: str) -> None:
        """Count a complete answer that declined to help."""
        self._refusals.labels(model).inc()

    def ended(self, route: str, status: int, error: str) -> None:
        """Count a request by its outcome; `error` is its kind, or empty."""
        self._requests.labels(route, str(status), error).inc()

    def tell_interactions(self, counts: Callable[[], _Values]) -> None:
        """Tell what became of the records of interactions: counts by fate, which only grow, and how many are queued."""
        fates = Counter(
            "llmops_interactions", "Exchanges and feedback by what became of them.", ["fate"], registry=self._registry
        )
        queued = self._gauge("llmops_interactions_queued", "Exchanges and feedback that wait to be written.")
        told: dict[str, float] = {}

        def update() -> None:
            now = dict(counts())
            queued.set(now.pop("queued", 0))
            for fate, count in now.items():
                fates.labels(fate).inc(count - told.get(fate, 0))
            told.update(now)

        self._updates.append(update)

    def tell_shares(self, shares: Callable[[], _Values]) -> None:
        """Tell who answers; a release that no longer does has a share of 0."""
        share = Gauge(
            "llmops_model_share",
            "Share of users whom a release answers.",
            ["model"],
            multiprocess_mode="livemostrecent",  # processes follow the lake one after the other
            registry=self._registry,
        )
        told: dict[str, float] = {}

        def update() -> None:
            now = {**dict.fromkeys(told, 0.0), **shares()}
            for model, value in now.items():
                if told.get(model) != value:
                    share.labels(model).set(value)
            told.update(now)

        self._updates.append(update)

    def refresh(self) -> None:
        """Write what is not written at once; to be called every few seconds, for other processes to read."""
        for update in self._updates:
            update()

    def render(self) -> bytes:
        """The text that Prometheus reads."""
        self.refresh()
        if not _ARE_SHARED:
            return generate_latest(self._registry)
        everybody = CollectorRegistry()
        MultiProcessCollector(everybody)  # type: ignore[no-untyped-call] # the library's types end here
        return generate_latest(everybody)

    def _gauge(self, name: str, words: str) -> Gauge:
        """A gauge whose values add up over the processes that live."""
        return Gauge(name, words, multiprocess_mode="livesum", registry=self._registry)
