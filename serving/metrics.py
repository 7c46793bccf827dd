"""What `/metrics` tells Prometheus: times to the first token and between tokens, tokens, the queue, outcomes."""

from collections.abc import Callable, Iterator, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from serving.admission import Places

_Values = Mapping[str, float]
_FIRST = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 16, 32, 64)
_BETWEEN = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.4, 0.8)


class _Read(Collector):
    """A metric with one label whose values are read when somebody looks."""

    def __init__(
        self, metric: Callable[[], CounterMetricFamily | GaugeMetricFamily], read: Callable[[], _Values]
    ) -> None:
        self._metric, self._read = metric, read

    def collect(self) -> Iterator[Metric]:
        """The values as they stand."""
        found = self._metric()
        for label, value in self._read().items():
            found.add_metric([label], value)
        yield found


class Metrics:
    """The counters of one app."""

    def __init__(self, places: Places) -> None:
        self._registry = CollectorRegistry()
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
        queue = Gauge("llmops_queue_requests", "Requests that run or wait.", registry=self._registry)
        queue.set_function(lambda: places.taken)
        limit = Gauge("llmops_queue_limit", "Most requests that may run or wait.", registry=self._registry)
        limit.set(places.limit)

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
        """Tell what became of the records of interactions."""
        words = "llmops_interactions", "Exchanges and feedback by what became of them."
        self._registry.register(_Read(lambda: CounterMetricFamily(*words, labels=["fate"]), counts))

    def tell_shares(self, shares: Callable[[], _Values]) -> None:
        """Tell who answers."""
        words = "llmops_model_share", "Share of users whom a release answers."
        self._registry.register(_Read(lambda: GaugeMetricFamily(*words, labels=["model"]), shares))

    def render(self) -> bytes:
        """The text that Prometheus reads."""
        return generate_latest(self._registry)
