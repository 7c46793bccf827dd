"""Stop texts: an answer ends before the first of them, wherever its pieces were cut."""

from collections.abc import Sequence


class StopFilter:
    """Passes an answer's pieces on, holding back what may be the beginning of a stop text."""

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = [stop for stop in stops if stop]
        self._held = ""

    def feed(self, text: str, *, is_last: bool) -> tuple[str, bool]:
        """The text that may be shown, and whether a stop text was reached."""
        if not self._stops:
            return text, False
        self._held += text
        found = [place for stop in self._stops if (place := self._held.find(stop)) >= 0]
        if found:
            return self._held[: min(found)].rstrip(), True
        keep = 0 if is_last else self._longest_beginning()
        shown, self._held = self._held[: len(self._held) - keep], self._held[len(self._held) - keep :]
        return shown, False

    def _longest_beginning(self) -> int:
        """How many of the last characters could begin a stop text."""
        longest = min(len(self._held), max(len(stop) for stop in self._stops) - 1)
        return next(
            (
                size
                for size in range(longest, 0, -1)
                if any(stop.startswith(self._held[-size:]) for stop in self._stops)
            ),
            0,
        )
