"""What batching gives on the CPU: /generate with many at once against transformers' `generate` one after the other.

SmolLM2-135M with a LoRA adapter, float32, greedy, the sample shop's questions, on this machine's cores. The service is
measured through HTTP with all it does for a request; the peer is peft and transformers alone, in a process of its own.
Every answer that both give must be the same text. The figures are tokens a second over the peer's.
"""

import asyncio
import json
import subprocess
import sys
import time
from datetime import date
from pathlib import Path
from typing import Any

import httpx

from benchmarks.release import SYSTEM, make_adapter, release_adapter
from llmops import artifacts, recipe
from llmops.annotation import prompts
from llmops.collection.stage import collect_sources
from llmops.foundation.stage import import_model
from llmops.settings import Settings
from scripts import demo, service
from scripts.access import UNLIMITED, make_key
from scripts.local_airflow import HOME, PlatformError, environment
from scripts.loopback import free_port
from scripts.processes import Processes
from scripts.verdict import judge

BOUNDS = {8: 6.0, 32: 12.0}
NEW_TOKENS = 64
PEER_QUESTIONS = 16
QUESTIONS = 128
FOLDER = HOME / "benchmarks/serve_cpu"


def main() -> int:
    """Measure both; the exit status."""
    if sys.argv[1:2] == ["--peer"]:
        return be_peer(Path(sys.argv[2]), Path(sys.argv[3]))
    settings = make_lake()
    questions = read_questions(QUESTIONS)
    base = artifacts.local_folder(artifacts.read(f"{settings.lake}/models/smollm2", "import-model"))
    peer = run_peer(base, questions[:PEER_QUESTIONS])
    print(f"transformers, one after the other: {peer['tokens_per_second']:.1f} tokens/s")
    processes = Processes(HOME / "run")
    variables = {
        "LLMOPS_HOME": str(settings.home),
        "LLMOPS_SERVING_QUEUE_SIZE": "64",
        "LLMOPS_SERVING_REQUEST_TIMEOUT_SECONDS": "600",
        **UNLIMITED,
    }
    headers = {"Authorization": f"Bearer {make_key(settings.home)}"}
    try:
        with demo.ended_afterwards(processes):
            address = service.start(processes, free_port(), Path(settings.lake), variables)
            found = {at_once: asyncio.run(measure(address, headers, questions, at_once)) for at_once in (1, *BOUNDS)}
    except PlatformError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return report(peer, found)


def make_lake() -> Settings:
    """A lake with SmolLM2 and a released adapter on it; made once."""
    home = FOLDER.absolute()
    settings = Settings(home=home)
    config = recipe.load(Path("recipes/quickstart.toml")).import_model
    model = import_model(f"{settings.lake}/models/smollm2", config=config)
    if not (home / "adapter").exists():
        make_adapter(artifacts.local_folder(model), home / "adapter")
    release_adapter(settings, model, home / "adapter", max_new_tokens=NEW_TOKENS)
    return settings


def read_questions(number: int) -> list[str]:
    """Questions of the sample shop's customers, out of its reviews and pages, some asked again for the number."""
    configs = recipe.load(Path("recipes/quickstart.toml"))
    day = date(2026, 11, 2)
    raw = collect_sources(
        "examples/shop", f"{FOLDER}/raw/ds={day}", config=configs.collect, day=day, settings=Settings()
    )
    rows = artifacts.read_table(raw, ["question"])["question"].to_pylist()
    distinct = sorted({row for row in rows if row and 20 < len(row) < 300})
    return [distinct[place % len(distinct)] for place in range(number)]


def run_peer(base: Path, questions: list[str]) -> dict[str, Any]:
    """Tokens a second and answers of transformers alone."""
    command = [sys.executable, "-m", "benchmarks.serve_cpu", "--peer", str(base), str(FOLDER.absolute() / "adapter")]
    done = subprocess.run(
        command, input=json.dumps(questions), capture_output=True, text=True, check=True, env=environment({})
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def be_peer(base: Path, adapter: Path) -> int:
    """Answer the questions on stdin one after the other, and print what came of it."""
    import torch  # noqa: PLC0415 - only the peer needs these
    from peft import PeftModel  # noqa: PLC0415 - likewise
    from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: PLC0415 - likewise

    questions = json.load(sys.stdin)
    tokenizer = AutoTokenizer.from_pretrained(base)
    model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32), adapter).eval()
    texts: list[str] = []
    tokens, started = 0, 0.0
    for place, question in enumerate([questions[0], *questions]):  # the first warms up
        if place == 1:
            started, tokens, texts = time.monotonic(), 0, []
        ids = torch.tensor([prompts.encode_prompt(tokenizer, prompts.chat_messages(SYSTEM, question))])
        with torch.inference_mode():
            output = model.generate(
                input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=NEW_TOKENS, do_sample=False
            )
        new = output[0, ids.shape[1] :]
        tokens += len(new)
        texts.append(tokenizer.decode(new, skip_special_tokens=True).strip())
    print(json.dumps({"texts": texts, "tokens_per_second": tokens / (time.monotonic() - started)}))
    return 0


async def measure(address: str, headers: dict[str, str], questions: list[str], at_once: int) -> dict[str, Any]:
    """All questions (few of them, one by one) with so many under way: tokens a second, and the answers."""
    asked = questions if at_once > 1 else questions[:PEER_QUESTIONS]
    waiting = asyncio.Queue[tuple[int, str]]()
    for item in enumerate(asked):
        waiting.put_nowait(item)
    texts: list[str] = [""] * len(asked)
    tokens = 0

    async def ask(client: httpx.AsyncClient) -> None:
        nonlocal tokens
        while not waiting.empty():
            place, question = waiting.get_nowait()
            answer = await client.post(f"{address}/generate", json={"prompt": question})
            answer.raise_for_status()
            texts[place] = answer.json()["answer"]
            tokens += answer.json()["usage"]["completion_tokens"]

    limits = httpx.Limits(max_connections=at_once)
    async with httpx.AsyncClient(timeout=600, limits=limits, headers=headers, trust_env=False) as client:
        await client.post(f"{address}/generate", json={"prompt": questions[0], "max_new_tokens": 8})
        started = time.monotonic()
        await asyncio.gather(*(ask(client) for _ in range(at_once)))
        seconds = time.monotonic() - started
    return {"texts": texts, "tokens_per_second": tokens / seconds, "tokens": tokens, "seconds": seconds}


def report(peer: dict[str, Any], found: dict[int, dict[str, Any]]) -> int:
    """Print the table and the verdicts; the exit status."""
    statuses: list[int] = []
    print(f"\n{'at once':>8}{'tokens/s':>10}{'ratio':>8}{'equal answers':>15}")
    for at_once, figures in found.items():
        equal = sum(own == other for own, other in zip(figures["texts"], peer["texts"], strict=False))
        ratio = figures["tokens_per_second"] / peer["tokens_per_second"]
        print(f"{at_once:>8}{figures['tokens_per_second']:>10.1f}{ratio:>8.2f}{equal:>9} of {len(peer['texts'])}")
        statuses.append(int(equal != len(peer["texts"])))
    for at_once, bound in BOUNDS.items():
        name = "serve_cpu" if at_once == max(BOUNDS) else f"serve_cpu with {at_once} at once"
        line, status = judge(name, found[at_once]["tokens_per_second"] / peer["tokens_per_second"], ">=", bound)
        print(line)
        statuses.append(status)
    return max(statuses)


if __name__ == "__main__":
    sys.exit(main())
