"""Hashed n-grams of a text, by arithmetic over whole arrays: what the learned part of the injection screen reads.

A token is a word, one ideograph, or a run of other signs. Features of a token are itself, with its next, and with the
one after that (`ignore the instructions` gives `ignore … instructions`); besides, runs of four characters, so that
endings and spellings share what they have in common. Only hashes are kept, modulo a power of two.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

_LONGEST = 2**15
"""Characters that are read at a time; a longer text is read in pieces, so memory stays bounded."""
_BASE = np.uint64(0x9E3779B97F4A7C15)  # odd, so it has an inverse modulo 2^64
_INVERSE = np.uint64(pow(int(_BASE), -1, 2**64))
_SPREAD = np.uint64(0xD6E8FEB86659FD93)
_SEEDS = tuple(np.uint64(seed) for seed in (0xA24BAED4963EE407, 0x9FB21C651E98DF25, 0xC2B2AE3D27D4EB4F))
_CHARACTERS = 4
_SPACE, _WORD, _IDEOGRAPH, _SIGN = range(4)

Hashes = npt.NDArray[np.uint32]


@dataclass(frozen=True, slots=True)
class Features:
    """Of a text's tokens and of its characters, in order; all arrays have one entry for each."""

    words: Hashes
    """uint32 [3, tokens]: of the token, of it with the next, and with the one after that."""
    characters: Hashes
    """uint32 [positions]: of the four characters from each position on."""
    starts: npt.NDArray[np.int64]
    """int64 [tokens]: position of each token's first character."""


def features(text: str, buckets_log2: int) -> Features:
    """Hashes below `2**buckets_log2` of a folded text (`views.folded`) of at most `LONGEST` characters."""
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4").astype(np.uint64)
    kinds = _KINDS[np.minimum(codes, 0xFFFF)]
    before = np.concatenate([[_SPACE], kinds[:-1]])
    opens = (kinds != _SPACE) & ((kinds != before) | (kinds == _IDEOGRAPH))
    starts = np.flatnonzero(opens)
    shift = np.uint64(64 - buckets_log2)
    words = _word_hashes(codes, kinds, starts)
    none = np.zeros(2, np.uint64)
    padded = np.concatenate([words, none])
    rows = np.stack(
        [words * _SEEDS[0], (words + padded[1:-1] * _BASE) * _SEEDS[1], (words + padded[2:] * _SPREAD) * _SEEDS[2]]
    )
    return Features(_bucket(rows, shift), _bucket(_character_hashes(codes), shift), starts)


def pieces(text: str) -> list[str]:
    """The text in pieces of bounded length."""
    return [text[start : start + _LONGEST] for start in range(0, len(text), _LONGEST)]


def _word_hashes(
    codes: npt.NDArray[np.uint64], kinds: npt.NDArray[np.uint8], starts: npt.NDArray[np.int64]
) -> npt.NDArray[np.uint64]:
    """Polynomials over the characters of each token: differences of running sums, shifted to a common origin."""
    if not len(starts):
        return np.zeros(0, np.uint64)
    inside = np.where(kinds == _SPACE, np.uint64(0), codes)
    sums = np.add.reduceat(inside * _POWERS[: len(codes)], starts)
    spread = sums * _INVERSES[starts]
    return (spread ^ (spread >> np.uint64(29))) * _SPREAD


def _character_hashes(codes: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    count = len(codes) - _CHARACTERS + 1
    if count <= 0:
        return np.zeros(0, np.uint64)
    mixed = codes * _SPREAD
    total = mixed[:count].copy()
    for offset in range(1, _CHARACTERS):
        total = total * _BASE + mixed[offset : offset + count]
    return (total ^ (total >> np.uint64(31))) * _SEEDS[0]


def _bucket(hashes: npt.NDArray[np.uint64], shift: np.uint64) -> Hashes:
    return (hashes >> shift).astype(np.uint32)


def _powers(base: np.uint64) -> npt.NDArray[np.uint64]:
    return np.concatenate([np.ones(1, np.uint64), np.cumprod(np.full(_LONGEST, base))])


def _kind(code: int) -> int:
    character = chr(code)
    if character.isspace():
        return _SPACE
    if 0x3040 <= code <= 0x30FF or 0x3400 <= code <= 0x9FFF or 0x0E00 <= code <= 0x0E7F:
        return _IDEOGRAPH  # of scripts that are written without spaces
    return _WORD if character.isalnum() or character == "_" else _SIGN


_POWERS, _INVERSES = _powers(_BASE), _powers(_INVERSE)
_KINDS = np.array([_kind(code) for code in range(0x10000)], np.uint8)
