"""From token ids to pieces of text: what every engine does with what its model gives."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from tokenizers.decoders import DecodeStream

from serving.engines.contract import FinishReason, Piece


@dataclass(frozen=True)
class Tokens:
    """Ids that a model has generated since it was last asked."""

    ids: list[int]
    finish_reason: FinishReason | None = None


Feed = asyncio.Queue[Tokens | Exception]
"""What an engine's worker hands over to the event loop: ids, or the reason why there are no more."""


async def read_pieces(feed: Feed, tokenizer: Any) -> AsyncIterator[Piece]:
    """The pieces of one answer, up to the one with a finish reason; raises what the feed holds in its place."""
    text, generated = TextStream(tokenizer), 0
    while True:
        tokens = await feed.get()
        if isinstance(tokens, Exception):
            raise tokens
        generated += len(tokens.ids)
        is_last = tokens.finish_reason is not None
        yield Piece(text.add(tokens.ids, is_last=is_last), generated, tokens.finish_reason)
        if is_last:
            return


class TextStream:
    """Decodes ids as they come: whole characters only, no control tokens, no white space around the whole."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._decoder = DecodeStream(skip_special_tokens=True)
        self._ids: list[int] = []
        self._decoded = ""
        self._shown = ""

    def add(self, ids: list[int], *, is_last: bool) -> str:
        """The text that these ids add."""
        self._ids += ids
        if is_last:  # the last character may be left unfinished, and whole decoding says how that reads
            self._decoded = self._tokenizer.decode(self._ids, skip_special_tokens=True)
        else:
            backend = self._tokenizer.backend_tokenizer
            self._decoded += "".join(self._decoder.step(backend, token) or "" for token in ids)
        shown = self._decoded.strip()
        if not shown.startswith(self._shown):
            return ""
        new = shown[len(self._shown) :]
        self._shown = shown
        return new
