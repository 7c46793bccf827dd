"""One stream at a time with prompt-lookup speculation and without it: tokens per second, and how many texts are equal.

`python -m benchmarks.gpu.speculation MODEL PROMPTS [RESULTS]`: MODEL is a model folder in transformers' layout, PROMPTS
a file with a JSON object a line, `prompt` and, if there is one, `context` to answer from. Greedy, the base model alone.
Each side runs in a process of its own.
"""

import asyncio
import json
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from scripts.verdict import judge

_NEW_TOKENS = 128
_GUESSED = 5
_EQUAL_BOUND = 0.95
_SYSTEM = "You are a customer support assistant. Answer from the context."


@dataclass(frozen=True)
class Outcome:
    """What one side gave."""

    texts: list[str]
    tokens: int
    seconds: float

    @property
    def tokens_per_second(self) -> float:
        """Of one stream."""
        return self.tokens / self.seconds


async def measure(model: Path, questions: list[dict[str, str]], guessed: int) -> Outcome:
    """Ask one question after the other."""
    from llmops.annotation.prompts import chat_messages  # noqa: PLC0415 - beside the engine below
    from serving.engines import vllm  # noqa: PLC0415 - only the measuring process imports vLLM
    from serving.engines.contract import BaseModel, EngineOptions, Job  # noqa: PLC0415 - likewise

    engine = await vllm.start(BaseModel(model, model), EngineOptions(speculative_tokens=guessed))

    async def ask(question: dict[str, str]) -> tuple[str, int]:
        prompt = await engine.encode(chat_messages(_SYSTEM, question["prompt"], question.get("context", "")))
        job = Job(prompt, None, _NEW_TOKENS, temperature=0.0, seed=0)
        pieces = [piece async for piece in engine.stream(job)]
        return "".join(piece.text for piece in pieces), pieces[-1].completion_tokens

    for question in questions[:3]:
        await ask(question | {"prompt": f"Please: {question['prompt']}"})
    started = time.perf_counter()
    answers = [await ask(question) for question in questions]
    seconds = time.perf_counter() - started
    await engine.close()
    return Outcome([text for text, _ in answers], sum(tokens for _, tokens in answers), seconds)


def main() -> int:
    """Entry point; the exit status."""
    model, prompts, *rest = sys.argv[1:]
    if rest[:1] == ["--side"]:
        questions = [json.loads(line) for line in Path(prompts).read_text(encoding="utf-8").splitlines()]
        Path(rest[2]).write_text(json.dumps(asdict(asyncio.run(measure(Path(model), questions, int(rest[1]))))))
        return 0
    plain, speculative = (_side(model, prompts, guessed) for guessed in (0, _GUESSED))
    equal = sum(one == other for one, other in zip(plain.texts, speculative.texts, strict=True)) / len(plain.texts)
    gain = speculative.tokens_per_second / plain.tokens_per_second
    print(f"one stream: {plain.tokens_per_second:.0f} tokens/s plain, {speculative.tokens_per_second:.0f} speculating")
    if rest and rest[0]:
        sides = {"plain": asdict(plain), "speculative": asdict(speculative), "equal": equal, "gain": gain}
        Path(rest[0]).write_text(json.dumps(sides, indent=2))
    verdicts = [judge("equal greedy texts", equal, ">=", _EQUAL_BOUND), judge("speculation", gain, ">=", 1.0)]
    print("\n".join(line for line, _ in verdicts))
    return max(status for _, status in verdicts)


def _side(model: str, prompts: str, guessed: int) -> Outcome:
    result = Path(prompts).with_suffix(f".{guessed}.json")
    words = [model, prompts, "--side", str(guessed), str(result)]
    subprocess.run([sys.executable, "-m", "benchmarks.gpu.speculation", *words], check=True)
    return Outcome(**json.loads(result.read_text()))


if __name__ == "__main__":
    sys.exit(main())
