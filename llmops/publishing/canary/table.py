"""The numbers behind a canary as a table for people."""

from typing import Any

_WORDS = {"error": "errors", "refusal": "refusals", "latency": "latency", "bad_rating": "bad ratings"}
_COLUMNS = "{:<12}{:>20}{:>20}{:>12}{:>24}{:>16}{:>16}"
_HEADINGS = ("", "champion", "challenger", "estimate", "bounds", "worse / needed", "within / needed")


def render(decision: dict[str, Any]) -> str:
    """What `controller.describe` gives: who is compared, what was decided, and each metric with its evidence."""
    answers, needed = decision["answers"], decision["evidence_needed"]
    arms = (("challenger", "challenger"), ("champion", "control"))
    heading = [
        f"{name:<12}{decision[name]['version']}, number {decision[name]['sequence']}, {answers[arm]} answers"
        for name, arm in arms
    ]
    heading += [
        f"{'since':<12}{decision['since']}, judged {decision['judged_at']}",
        f"{'decision':<12}{decision['decision']}, share {decision['share']:.0%}: {decision['reason']}",
    ]
    rows = [_row(name, figures, needed) for name, figures in decision["metrics"].items()]
    notes = [
        "Estimate and bounds: challenger less champion, for latency challenger over champion.",
        *(
            [f"{decision['log_lines_skipped']} lines of the log could not be read."]
            * bool(decision["log_lines_skipped"])
        ),
    ]
    return "\n".join(line.rstrip() for line in [*heading, "", _COLUMNS.format(*_HEADINGS), *rows, "", *notes])


def _row(name: str, figures: dict[str, Any], needed: dict[str, float]) -> str:
    estimate, low, high = (figures[key] for key in ("estimate", "lower_bound", "upper_bound"))
    within = f"{figures['evidence_within']:.3g} / {needed['promote']:.3g}"
    return _COLUMNS.format(
        _WORDS[name],
        _arm(figures["control"]),
        _arm(figures["challenger"]),
        _number(estimate),
        f"{_number(low)} to {_number(high)}",
        f"{figures['evidence_worse']:.3g} / {needed['roll_back']:.3g}",
        within if figures["is_required"] else f"({within})",
    )


def _arm(arm: dict[str, Any]) -> str:
    if "seconds" in arm:
        return f"{_number(arm['seconds'])} s of {arm['count']}"
    return f"{arm['bad']} of {arm['count']}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
