"""From token ids to pieces of text: what every engine does with what its model gives."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from tokenizers.decoders import DecodeStream

from serving.engines.contract import Piece, Tokens

Feed = asyncio.Queue[Tokens | Exception]
"""What an engine's worker hands over to the event loop: ids, or the reason why there are no more."""


async def read_feed(feed: Feed) -> AsyncGenerator[Tokens, None]:
    """What comes out of a feed, up to the ids with a finish reason; raises what it holds in their place."""
    while True:
        tokens = await feed.get()
        if isinstance(tokens, Exception):
            raise tokens
        yield tokens
        if tokens.finish_reason is not None:
            return


async def decoded(tokens: AsyncGenerator[Tokens, None], tokenizer: Any) -> AsyncGenerator[Piece, None]:
    """The same as pieces of text. Closing this one closes the other."""
    text, generated = TextStream(tokenizer), 0
    async with aclosing(tokens):
        async for item in tokens:
            generated += len(item.ids)
            is_last = item.finish_reason is not None
            yield Piece(text.add(item.ids, is_last=is_last), generated, item.finish_reason)


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
