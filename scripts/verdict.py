"""The last line of every benchmark, and its exit status."""

import operator

_HOLDS = {"<=": operator.le, ">=": operator.ge}


def judge(name: str, figure: float, relation: str, bound: float) -> tuple[str, int]:
    """`NAME: FIGURE (needs <= BOUND)`, and 0 if that holds as measured, else 1; `relation` is `<=` or `>=`."""
    return f"{name}: {_plain(figure)} (needs {relation} {_plain(bound)})", int(not _HOLDS[relation](figure, bound))


def _plain(number: float) -> str:
    """Three decimals below a thousand, none above; no trailing zeros."""
    return f"{number:.0f}" if abs(number) >= 1000 else f"{number:.3f}".rstrip("0").rstrip(".")
