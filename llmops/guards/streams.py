"""Rules over a text that arrives in pieces: how the text is cut never changes what comes out."""

from collections.abc import Callable

Step = tuple[str, int]
"""What to write, and the position in the held text to go on at."""

Rule = Callable[[str, int, bool], Step | None]
"""`rule(text, position, is_end)` decides on the text from `position` on, or returns None to wait for more of it.

A rule decides from a bounded stretch of text, and decides the same however much more stands behind that stretch. At
the end (`is_end`) it always decides.
"""


def _anything_may_meet(_last: str, _first: str) -> bool:
    return False


class Stage:
    """Feeds one rule and holds back what the rule cannot decide yet.

    `must_part` says whether two characters must not stand side by side where two steps meet: what was taken out between
    them would else leave behind what the rule took apart. They get a space between them.
    """

    def __init__(self, rule: Rule, must_part: Callable[[str, str], bool] = _anything_may_meet) -> None:
        self._rule = rule
        self._must_part = must_part
        self._last = ""
        self.held = ""
        """Text that is not decided yet."""

    def feed(self, piece: str, *, is_end: bool = False) -> str:
        """What can be written once `piece` has come, too."""
        text = self.held + piece
        written: list[str] = []
        position = 0
        while position < len(text) and (step := self._rule(text, position, is_end)) is not None:
            output, position = step
            if output:
                if self._last and self._must_part(self._last, output[0]):
                    written.append(" ")
                written.append(output)
                self._last = output[-1]
        self.held = text[position:]
        return "".join(written)
