"""The rule that decides whether a candidate may be published: numbers in, decision with reasons out."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llmops.governance.config import GateConfig

_CANDIDATE, _UNTUNED, _CHAMPION = "candidate", "untuned", "champion"


@dataclass(frozen=True)
class Check:
    """One condition, with the numbers it was decided on."""

    passed: bool
    finding: str


@dataclass(frozen=True)
class Decision:
    """Whether the candidate may be published, and every check behind that."""

    checks: tuple[Check, ...]

    @property
    def approved(self) -> bool:
        """Whether all checks passed; without any there is no approval."""
        return bool(self.checks) and all(check.passed for check in self.checks)

    @property
    def reasons(self) -> list[str]:
        """Every check in words, failed ones first."""
        ordered = sorted(self.checks, key=lambda check: check.passed)
        return [f"{'passed' if check.passed else 'failed'}: {check.finding}" for check in ordered]


def decide(models: Mapping[str, Any], lineage_faults: Sequence[str], config: GateConfig) -> Decision:
    """Judge the figures of evaluation.json's `models`, and what is wrong with the candidate's lineage.

    The candidate must beat the untuned model and, if there is one, the champion. A figure that is missing or not a
    finite number fails its check.
    """
    rivals = [_UNTUNED, *([_CHAMPION] if _CHAMPION in models else [])]
    checks = [check for rival in rivals for check in _compare(models, rival, config)]
    if not lineage_faults:
        checks.append(Check(True, "every raw day behind the candidate was redacted, and its lineage is whole"))
    return Decision((*checks, *(Check(False, fault) for fault in lineage_faults)))


def _compare(models: Mapping[str, Any], rival: str, config: GateConfig) -> Iterator[Check]:
    own, other = _figure(models, _CANDIDATE, "perplexity"), _figure(models, rival, "perplexity")
    highest = other * (1 - config.min_perplexity_gain)
    yield Check(
        own <= highest and own < other,
        f"perplexity {own:.3f}, the {rival}'s {other:.3f}; at most {highest:.3f} passes",
    )
    own, other = _figure(models, _CANDIDATE, "token_f1"), _figure(models, rival, "token_f1")
    lowest = other - config.max_token_f1_loss
    yield Check(own >= lowest, f"token F1 {own:.3f}, the {rival}'s {other:.3f}; at least {lowest:.3f} passes")


def _figure(models: Mapping[str, Any], model: str, figure: str) -> float:
    """The figure's value; not a number, which fails every comparison, where it is missing or infinite."""
    value = ((models.get(model) or {}).get(figure) or {}).get("value")
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else math.nan
