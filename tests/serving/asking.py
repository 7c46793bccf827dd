"""Asking an engine directly; imports nothing that a bare GPU host lacks."""

from typing import Any

from serving.engines.contract import Engine, Job, Piece

CHAMPION, BASE = "champion", None


async def make_job(engine: Engine, question: str, version: str | None = CHAMPION, **changes: Any) -> Job:
    """A greedy job of 24 tokens."""
    prompt = await engine.encode([{"role": "user", "content": question}])
    return Job(**{"max_new_tokens": 24, "temperature": 0.0, "seed": 0, **changes, "prompt": prompt, "version": version})


async def ask(engine: Engine, question: str, version: str | None = CHAMPION, **changes: Any) -> tuple[str, Piece]:
    """The whole text and the last piece."""
    pieces = [piece async for piece in engine.stream(await make_job(engine, question, version, **changes))]
    return "".join(piece.text for piece in pieces), pieces[-1]
