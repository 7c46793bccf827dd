"""What the service costs over vLLM alone, on one GPU: throughput under full load, and time to the first token.

Llama-3.1-8B's shape with random weights and a random LoRA adapter, published as a release; questions as long as
support's. The engine alone (AsyncLLM with the service's options, given ids, detokenising) and the service
(`python -m serving`, over HTTP) are loaded beside each other and take turns on the card, with the same plan:
full load, 256 unstreamed requests at any time, 128 new tokens each; then streams that arrive at random, 8 a second.
A stream's first event comes with its first token. Its first text comes later: the guard holds a word until it is whole,
about one token more; that is shown, and no bound is set on it.
Random weights all but never end an answer early; the tokens that count are those really generated. The service checks
keys, screens questions, filters answers, keeps interactions without text and logs, as it always does.

Runs without the main environment, where the packages of docker/serving/gpu-requirements.lock are:
`python benchmarks/serve_gpu.py --quantization fp8 --results serve_gpu.json`.
With `--speculation MODEL PROMPTS` it measures prompt-lookup speculation instead.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # for `python benchmarks/serve_gpu.py`

from benchmarks.gpu import sides  # noqa: E402 - see above
from benchmarks.gpu.load import Plan, Result  # noqa: E402
from scripts.verdict import judge  # noqa: E402

BOUND = 0.97
FIRST_TOKEN_BOUNDS_MS = {"p50": 2.0, "p99": 10.0}
RATE = 8.0


@dataclass
class Comparison:
    """All rounds together."""

    rounds: list[dict[str, Result]] = field(default_factory=list)
    """What each side did, `bare` and `service`."""

    def tokens_per_second(self, side: str) -> float:
        """Tokens of all rounds over their seconds."""
        results = [item[side] for item in self.rounds]
        return sum(result.tokens for result in results) / sum(result.seconds for result in results)

    def first_token_ms(self, side: str) -> dict[str, float]:
        """Until the client's first event: median and 99th percentile over all streams of all rounds."""
        return self._milliseconds(side, "first_token_seconds")

    def first_text_ms(self, side: str) -> dict[str, float]:
        """Until its first text, likewise."""
        return self._milliseconds(side, "first_text_seconds")

    def _milliseconds(self, side: str, name: str) -> dict[str, float]:
        times = [1000 * time for item in self.rounds for time in getattr(item[side], name)]
        cuts = quantiles(times, n=100, method="inclusive")
        return {"p50": cuts[49], "p99": cuts[98]}

    @property
    def sides(self) -> list[str]:
        """Their names, the bare engine first."""
        return list(self.rounds[0])

    def ratio(self, side: str) -> float:
        """A side's throughput over the bare engine's."""
        return self.tokens_per_second(side) / self.tokens_per_second("bare")


def main() -> int:
    """Measure; the exit status."""
    options = _options()
    if options.speculation:
        words = [sys.executable, "-m", "benchmarks.gpu.speculation", *options.speculation, options.results or ""]
        return subprocess.run(words, env=sides.environment(), cwd=sides.ROOT, check=False).returncode
    home = Path(options.home or tempfile.mkdtemp(prefix="serve-gpu-")).resolve()
    began = time.monotonic()
    _call("benchmarks.gpu.model", str(home), options.shape)
    print(f"model and release: {time.monotonic() - began:.0f} s, in {home}", flush=True)
    if options.only_prepare:
        return 0
    plan = _make_plan(home, options)
    try:
        comparison = _take_turns(home, options)
    except sides.SideError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    line, status = judge("serve_gpu", _report(comparison, options, plan), ">=", BOUND)
    print(line)
    return status


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--home", help="folder that keeps model and release for the next run; a temporary one if not given"
    )
    parser.add_argument("--shape", default="8b", choices=["8b", "tiny"], help="size of the model")
    parser.add_argument("--quantization", default="none", choices=["none", "fp8"], help="weights: bfloat16 or 8 bits")
    parser.add_argument("--rounds", type=int, default=2, help="how often bare engine and service take turns")
    parser.add_argument("--processes", type=int, default=8, help="API processes of the service")
    parser.add_argument("--cache-gib", type=int, default=12, help="key-value cache of each side: both are on the card")
    parser.add_argument("--concurrent", type=int, default=256, help="requests in flight under full load")
    parser.add_argument("--full", type=int, default=2560, help="requests under full load, per side and round")
    parser.add_argument("--streams", type=int, default=240, help="streams, per side and round")
    parser.add_argument("--results", help="JSON file for every figure")
    parser.add_argument("--only-prepare", action="store_true", help="make model and release in --home, and end")
    parser.add_argument("--speculation", nargs=2, metavar=("MODEL", "PROMPTS"), help="model folder, JSON lines")
    return parser.parse_args()


def _make_plan(home: Path, options: argparse.Namespace) -> Plan:
    from benchmarks.gpu.model import base_folder, release_folder, settings_of  # noqa: PLC0415 - imports torch
    from benchmarks.gpu.plan import make_plan  # noqa: PLC0415 - likewise

    settings = settings_of(home)
    folders = base_folder(settings), release_folder(settings)
    plan = make_plan(*folders, full=options.full, streams=options.streams, rate=RATE, concurrent=options.concurrent)
    plan.write(home / "plan.json")
    lengths = [len(ids) for ids in plan.ids]
    print(f"prompts: mean {sum(lengths) / len(lengths):.0f} tokens, longest {max(lengths)}", flush=True)
    return plan


def _take_turns(home: Path, options: argparse.Namespace) -> Comparison:
    """Load both sides side by side, then let them take turns, each first in every other round."""
    comparison, plan = Comparison(), home / "plan.json"
    quantization, cache_gib = options.quantization, options.cache_gib
    with (
        sides.bare(home, quantization, cache_gib) as bare,
        sides.service(
            home, quantization, cache_gib, processes=options.processes, concurrent=options.concurrent
        ) as service,
    ):
        both = {"bare": bare, "service": service}
        for number in range(options.rounds):
            found: dict[str, Result] = {}
            for side in list(both)[:: -1 if number % 2 else 1]:
                found[side] = both[side](plan)
                _tell(side, found[side])
            comparison.rounds.append({side: found[side] for side in both})
    return comparison


def _tell(side: str, result: Result) -> None:
    print(
        f"  {side}: {result.tokens_per_second:,.0f} tokens/s ({result.tokens:,} tokens in {result.seconds:.1f} s)",
        flush=True,
    )


def _call(module: str, *words: str) -> None:
    """Run one of the benchmark's modules in a process of its own, which gives the GPU back when it ends."""
    done = subprocess.run([sys.executable, "-m", module, *words], env=sides.environment(), cwd=sides.ROOT, check=False)
    if done.returncode:
        sys.exit(f"error: {module} ended with status {done.returncode}; its words are above")


def _report(comparison: Comparison, options: argparse.Namespace, plan: Plan) -> float:
    """Print the table, write the results, and give the ratio."""
    first = {side: comparison.first_token_ms(side) for side in comparison.sides}
    added = {name: _difference(first, name) for name in FIRST_TOKEN_BOUNDS_MS}
    heading = f"{options.quantization}, {len(comparison.rounds)} rounds"
    print(f"\n{heading:<22}{'tokens/s':>10}{'first p50 ms':>14}{'p99 ms':>9}{'ratio':>9}")
    for side in comparison.sides:
        speed, times = comparison.tokens_per_second(side), first[side]
        print(f"{side:<22}{speed:>10,.0f}{times['p50']:>14.2f}{times['p99']:>9.2f}{comparison.ratio(side):>9.3f}")
    text = {side: comparison.first_text_ms(side) for side in comparison.sides}
    print(
        f"added time to first text: {_difference(text, 'p50'):.2f} ms in the median, {_difference(text, 'p99'):.2f} p99"
    )
    for name, bound in FIRST_TOKEN_BOUNDS_MS.items():
        print(judge(f"added time to first token, {name}, ms", added[name], "<=", bound)[0])
    asked = plan.max_new_tokens * options.full * len(comparison.rounds)
    counts = {side: f"{sum(item[side].tokens for item in comparison.rounds):,}" for side in comparison.sides}
    print(f"tokens generated of {asked:,}: {', '.join(f'{side} {count}' for side, count in counts.items())}")
    results: dict[str, Any] = {
        "quantization": options.quantization,
        "shape": options.shape,
        "rounds": [
            {
                side: {
                    "tokens": result.tokens,
                    "seconds": result.seconds,
                    "first_token_seconds": result.first_token_seconds,
                    "first_text_seconds": result.first_text_seconds,
                }
            }
            for item in comparison.rounds
            for side, result in item.items()
        ],
        "tokens_per_second": {side: comparison.tokens_per_second(side) for side in first},
        "ratios": {side: comparison.ratio(side) for side in comparison.sides},
        "first_token_ms": first,
        "added_first_token_ms": added,
        "first_text_ms": text,
    }
    if options.results:
        Path(options.results).write_text(json.dumps(results, indent=2))
    return comparison.ratio("service")


def _difference(figures: dict[str, dict[str, float]], name: str) -> float:
    return figures["service"][name] - figures["bare"][name]


if __name__ == "__main__":
    sys.exit(main())
