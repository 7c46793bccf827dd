"""The rule that decides whether a candidate may be published: numbers in, decision with reasons out."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from llmops.governance import comparison
from llmops.governance.comparison import GAIN, HARM, Metric, Pairs, Row
from llmops.governance.config import GateConfig
from llmops.governance.paired import Finding

_CANDIDATE, _UNTUNED, _CHAMPION = "candidate", "untuned", "champion"
LINEAGE = "lineage"
_ORDER = ("failed", "not needed", "passed")


@dataclass(frozen=True, kw_only=True)
class Check:
    """One condition, with the numbers it was decided on. Effects and bounds are on the metric's own scale."""

    kind: str
    """gain: better by more than chance; harm: worse by no more than a margin; lineage."""
    passed: bool
    finding: str
    """The check in a sentence."""
    rival: str | None = None
    metric: str | None = None
    slice: str | None = None
    """None: all prompts."""
    n: int | None = None
    candidate: float | None = None
    rivals: float | None = None
    """The rival's figure on these prompts."""
    effect: float | None = None
    """Above 0 the candidate is better; of perplexity the relative drop."""
    interval: tuple[float, float] | None = None
    """Two-sided, of confidence 1 - 2 alpha: its lower end is the one-sided bound of confidence 1 - alpha."""
    bound: float | None = None
    """The least effect of a gain, or minus the margin of a harm."""
    p: float | None = None
    alpha: float | None = None
    power: float | None = None
    """Chance to pass: for a gain at a true effect of `power_at`, for a harm if the models are equal."""
    power_at: float | None = None
    examples_needed: int | None = None
    """Prompts for a power of 0.8."""

    def as_record(self) -> dict[str, Any]:
        """What is known, for decision.json."""
        return {name: value for name, value in asdict(self).items() if value is not None}


@dataclass(frozen=True)
class Decision:
    """Whether the candidate may be published, and every check behind that."""

    checks: tuple[Check, ...]

    @property
    def approved(self) -> bool:
        """Whether each rival is beaten by at least one gain, and all other checks passed."""
        rivals = {check.rival for check in self.checks if check.kind == GAIN}
        return bool(rivals) and "failed" not in map(self._outcome, self.checks)

    @property
    def reasons(self) -> list[str]:
        """Every check in words: failed ones, then gains that were not needed because there is another, then passed."""
        told = [(self._outcome(check), check.finding) for check in self.checks]
        return [f"{outcome}: {finding}" for outcome, finding in sorted(told, key=lambda item: _ORDER.index(item[0]))]

    def _outcome(self, check: Check) -> str:
        if check.passed:
            return "passed"
        is_gained = any(other.passed for other in self.checks if other.kind == GAIN and other.rival == check.rival)
        return "not needed" if check.kind == GAIN and is_gained else "failed"


def decide(scores: Mapping[str, Sequence[Row]], lineage_faults: Sequence[str], config: GateConfig) -> Decision:
    """Judge the rows of scores.json by model, and what is wrong with the candidate's lineage.

    The candidate must beat the untuned model and, if there is one, the champion: by perplexity or token F1, tested at
    half of alpha each (Bonferroni), so that an equal candidate is approved with a chance of at most alpha. It must be
    worse by none of the margins. What was not measured, or is no finite number, fails its check.
    """
    rivals = [_UNTUNED, *([_CHAMPION] if _CHAMPION in scores else [])]
    checks = [check for rival in rivals for check in _compare(scores, rival, config)]
    if not lineage_faults:
        whole = "every raw day behind the candidate was redacted, and its lineage is whole"
        checks.append(Check(kind=LINEAGE, passed=True, finding=whole))
    return Decision((*checks, *(Check(kind=LINEAGE, passed=False, finding=fault) for fault in lineage_faults)))


def find_unjudged(scores: Mapping[str, Sequence[Row]], config: GateConfig) -> dict[str, int]:
    """Slices, and metrics that may be missing, with too few prompts to be judged, and how many they have."""
    slices = {name: len(ids) for name, ids in comparison.slices(scores.get(_CANDIDATE) or ())}
    metrics = {
        f"{metric.name} against the {rival}": metric.count(scores.get(rival) or ())
        for metric, _ in comparison.harms(config)
        if metric.is_optional
        for rival in (_UNTUNED, _CHAMPION)
        if rival in scores
    }
    return {name: count for name, count in (slices | metrics).items() if count < config.min_slice_examples}


def _compare(scores: Mapping[str, Sequence[Row]], rival: str, config: GateConfig) -> Iterator[Check]:
    own, other = scores.get(_CANDIDATE) or (), scores.get(rival) or ()
    wanted = comparison.gains(config)
    for metric, least, target in wanted:
        yield _check_gain(own, other, rival, metric, least, target, config.alpha / len(wanted), config)
    for metric, margin in comparison.harms(config):
        if metric.is_optional and metric.count(other) < config.min_slice_examples:
            continue  # the rival has too little of it to lose; told by `find_unjudged`
        yield _check_harm(own, other, rival, metric, margin, None, config)
    for name, ids in comparison.slices(own):
        parts = [[row for row in rows if row["row_id"] in ids] for rows in (own, other)]
        for metric, margin in comparison.slice_harms(config):
            if metric.count(parts[0]) >= config.min_slice_examples:
                yield _check_harm(parts[0], parts[1], rival, metric, margin, name, config)


def _check_gain(
    own: Sequence[Row],
    other: Sequence[Row],
    rival: str,
    metric: Metric,
    least: float,
    target: float,
    alpha: float,
    config: GateConfig,
) -> Check:
    try:
        pairs = comparison.pair(own, other, metric)
    except ValueError as error:
        return Check(kind=GAIN, passed=False, rival=rival, metric=metric.name, finding=f"{metric.name} {error}")
    found = comparison.judge_gain(pairs, least, target, alpha, config)
    passed = found.p <= alpha and found.effect >= least and found.effect > 0
    bound, power_at = metric.tell(least), metric.tell(target)
    rule = f"better needs p at most {alpha:.3g} and at least {bound:+.3g}; power {found.power:.2f} at {power_at:+.3g}"
    return _check(GAIN, passed, rival, None, pairs, found, bound, alpha, rule, power_at)


def _check_harm(
    own: Sequence[Row],
    other: Sequence[Row],
    rival: str,
    metric: Metric,
    margin: float,
    part: str | None,
    config: GateConfig,
) -> Check:
    try:
        pairs = comparison.pair(own, other, metric)
    except ValueError as error:
        where = f" in {part}" if part else ""
        text = f"{metric.name}{where} {error}"
        return Check(kind=HARM, passed=False, rival=rival, metric=metric.name, slice=part, finding=text)
    found = comparison.judge_harm(pairs, margin, config)
    bound = metric.tell(-margin)
    rule = f"no worse needs the lower end above {bound:+.3g}; power {found.power:.2f} if equal"
    return _check(HARM, found.low > -margin, rival, part, pairs, found, bound, config.alpha, rule, None)


def _check(
    kind: str,
    passed: bool,
    rival: str,
    part: str | None,
    pairs: Pairs,
    found: Finding,
    bound: float,
    alpha: float,
    rule: str,
    power_at: float | None,
) -> Check:
    tell = pairs.metric.tell
    effect, low, high = tell(found.effect), tell(found.low), tell(found.high)
    own, other = pairs.figure(pairs.own), pairs.figure(pairs.other)
    where = f" in {part}" if part else ""
    needed = f" (0.80 from {found.examples_needed} prompts on)" if found.examples_needed else ""
    return Check(
        kind=kind,
        passed=passed,
        rival=rival,
        metric=pairs.metric.name,
        slice=part,
        n=found.n,
        candidate=own,
        rivals=other,
        effect=effect,
        interval=(low, high),
        bound=bound,
        p=found.p,
        alpha=alpha,
        power=found.power,
        power_at=power_at,
        examples_needed=found.examples_needed,
        finding=f"{pairs.metric.name}{where} {own:.3f}, the {rival}'s {other:.3f} on {found.n} prompts: "
        f"{effect:+.3f} [{low:+.3f}, {high:+.3f}], p {found.p:.3g}; {rule}{needed}",
    )
