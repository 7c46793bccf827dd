"""What `llmops access verify` has tried, and how it came out: one row per attempt."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Check:
    """One attempt."""

    kind: str
    """`route`, `command`, `airflow` or `password`."""
    what: str
    who: str
    """Role and credential, such as `user, expired`; no secret."""
    expected: str
    got: str

    @property
    def has_failed(self) -> bool:
        """Whether it came out otherwise than the matrix says."""
        return self.expected != self.got


def without_expectation(kind: str, what: str) -> Check:
    """A failed check: something is there that the matrix says nothing about."""
    return Check(kind, what, "anyone", expected="an action in the role matrix", got="no expectation")


def report(checks: Sequence[Check]) -> dict[str, Any]:
    """The report as JSON: counts, what failed, and everything that was tried."""
    failed = [check for check in checks if check.has_failed]
    return {
        "n": len(checks),
        "failures": len(failed),
        "by_kind": {
            kind: {"n": number, "failures": sum(check.kind == kind for check in failed)}
            for kind, number in sorted(Counter(check.kind for check in checks).items())
        },
        "failed": rows(failed),
        "checks": rows(checks),
    }


def rows(checks: Iterable[Check]) -> list[dict[str, str]]:
    """As JSON."""
    return [asdict(check) for check in checks]
