"""How alike two texts are: Jaccard similarity of character shingles, and MinHash bands that find candidates for it.

Used within a day by `clean` (on Spark) and across days by `split`.
"""

import re
from collections.abc import Iterable
from functools import lru_cache

from rensa import RMinHash

_ROWS_PER_BAND = 5
_SEED = 1
_SPACE = re.compile(r"\s+")
_NUMBER = re.compile(r"\d+")


def shingles(text: str, characters: int = 5) -> set[str]:
    """Overlapping substrings of the lower-cased text with white space folded; the text itself if it is shorter."""
    plain = _SPACE.sub(" ", text.lower()).strip()
    return {plain[start : start + characters] for start in range(max(1, len(plain) - characters + 1))}


def jaccard(one: str, other: str, characters: int = 5) -> float:
    """Size of the intersection of the two shingle sets over that of their union, from 0 to 1."""
    left, right = _remembered_shingles(one, characters), _remembered_shingles(other, characters)
    shared = len(left & right)
    return shared / (len(left) + len(right) - shared)


@lru_cache(maxsize=2_000)
def _remembered_shingles(text: str, characters: int) -> frozenset[str]:
    """Candidates of one text come in a row, and popular texts are candidates often."""
    return frozenset(shingles(text, characters))


def numbers(text: str) -> str:
    """The numbers in a text, in order: texts that differ in one state different facts, however alike they look."""
    return " ".join(_NUMBER.findall(text))


def bands(text: str, characters: int = 5, permutations: int = 128) -> list[str]:
    """MinHash bands of the text's shingles; texts that share a band are candidates for being near duplicates.

    With 128 permutations in bands of 5, a pair of Jaccard 0.8 shares a band with probability 0.9999, one of 0.3 with
    0.06 (1 - (1 - J^5)^25; Leskovec, Rajaraman, Ullman: Mining of Massive Datasets, section 3.4).
    """
    signature = RMinHash(num_perm=permutations, seed=_SEED)
    signature.update(sorted(shingles(text, characters)))
    values: list[int] = signature.digest()
    starts = range(0, permutations - _ROWS_PER_BAND + 1, _ROWS_PER_BAND)
    return [f"{start}:{_joined(values[start : start + _ROWS_PER_BAND])}" for start in starts]


def _joined(values: Iterable[int]) -> str:
    return "-".join(f"{value:x}" for value in values)
