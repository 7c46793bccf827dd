"""The learned part of the injection screen: one weight for each hashed n-gram, summed over windows of the text.

A linear model, trained by `llmops train-screen`; what it was trained on and how well it does stands in
`weights/injection.md`. A window's evidence is the sum of its n-grams' weights over the square root of their number, so
windows of any length compare; that of a text is its strongest window's, so an order in a long document counts as it
does alone. Windows overlap by half and do not cross pieces of 32,768 characters.
"""

import hashlib
import io
import json
from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np
import numpy.typing as npt

from llmops.guards import ngrams

_WINDOWS = (16, 48)
"""Tokens of a window. The sum of a whole long text would grow with its length, whatever it says."""
_OF_EACH = 3  # n-grams that begin at a token


@dataclass(frozen=True, slots=True)
class Weights:
    """A trained model. `weights` is int8 [2**n]; the others say how to read it."""

    weights: npt.NDArray[np.int8]
    scale: float
    """What one step of a weight is worth."""
    bias: float
    """Evidence of a text that says nothing, in logits."""
    rules: float
    """Worth of the rules' evidence, -ln(1 - score), in logits."""
    threshold: float
    """Evidence, the rules' included, from which a text is flagged."""

    @property
    def buckets_log2(self) -> int:
        """Logarithm of the number of weights."""
        return len(self.weights).bit_length() - 1

    def to_bytes(self) -> bytes:
        """As an npz file, without pickle; equal weights give equal bytes."""
        buffer = io.BytesIO()
        numbers = {"scale": self.scale, "bias": self.bias, "rules": self.rules, "threshold": self.threshold}
        header = np.frombuffer(json.dumps(numbers, sort_keys=True).encode(), np.uint8)
        np.savez_compressed(buffer, weights=self.weights, header=header)
        return buffer.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> "Weights":
        """What `to_bytes` wrote. Raises ValueError when the file is another."""
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            return cls(weights=arrays["weights"], **json.loads(arrays["header"].tobytes()))


@cache
def shipped() -> Weights:
    """The weights that come with the package."""
    return Weights.from_bytes(_shipped_bytes())


@cache
def shipped_digest() -> str:
    """SHA-256 of the file that they are in."""
    return hashlib.sha256(_shipped_bytes()).hexdigest()


def _shipped_bytes() -> bytes:
    return (resources.files("llmops.guards") / "weights" / "injection.npz").read_bytes()


def evidence(folded: str, model: Weights) -> float:
    """How much a text (`views.folded`) reads like an attack: logits, without what the rules know."""
    return max((_strongest(piece, model) for piece in ngrams.pieces(folded)), default=model.bias)


def _strongest(piece: str, model: Weights) -> float:
    found = ngrams.features(piece, model.buckets_log2)
    tokens = len(found.starts)
    if not tokens:
        return model.bias
    by_word = _sums(model.weights[found.words].sum(0, dtype=np.int32))
    by_character = _sums(model.weights[found.characters])
    edges = np.append(found.starts, len(found.characters)).clip(max=len(found.characters))
    strongest = -np.inf
    for size in {min(size, tokens) for size in _WINDOWS}:
        first = np.arange(0, max(1, tokens - size // 2), max(1, size // 2))
        last = np.minimum(first + size, tokens)
        total = by_word[last] - by_word[first] + by_character[edges[last]] - by_character[edges[first]]
        count = _OF_EACH * (last - first) + edges[last] - edges[first]
        strongest = max(strongest, float((total / np.sqrt(count)).max()))
    return strongest * model.scale + model.bias


def _sums(values: npt.NDArray[np.int8] | npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(values, dtype=np.int64)])
