"""Progress of long loops in the log: at once, then every ten seconds."""

from time import monotonic

import structlog

log = structlog.get_logger()

_SECONDS_BETWEEN_REPORTS = 10.0


class Progress:
    """Logs `event` with done, total, the pace and the time left."""

    def __init__(self, event: str, *, total: int, unit: str) -> None:
        self._event, self._total, self._unit = event, total, unit
        self._started = monotonic()
        self._last = float("-inf")

    def report(self, done: int, **figures: float | str) -> None:
        """Say that `done` units are done, unless something was said within the last ten seconds."""
        now = monotonic()
        if now - self._last < _SECONDS_BETWEEN_REPORTS:
            return
        self._last = now
        pace = self.pace(done)
        log.info(
            self._event,
            done=done,
            total=self._total,
            unit=self._unit,
            per_second=round(pace, 1),
            seconds_left=round(max(self._total - done, 0) / pace),
            **figures,
        )

    def pace(self, done: int) -> float:
        """Units for each second since the start."""
        return done / max(monotonic() - self._started, 1e-9)
