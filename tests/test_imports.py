"""The command line is light: what one command needs is imported when that command runs."""

import json
import subprocess
import sys

HEAVY = {"feast", "hyperopt", "mlflow", "peft", "pyspark", "sklearn", "torch", "transformers"}
PROGRAM = """
import json, sys
from llmops import cli
try:
    cli.app.meta(sys.argv[1:], result_action="return_value")
except SystemExit:
    pass
print(json.dumps(sorted(name for name in sys.modules if "." not in name)))
"""


def imported_by(*words: str) -> set[str]:
    """Top-level modules in memory after a command."""
    done = subprocess.run([sys.executable, "-c", PROGRAM, *words], capture_output=True, text=True, check=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_help_imports_no_heavy_library() -> None:
    assert imported_by("--recipe", "recipes/quickstart.toml", "--help") & HEAVY == set()


def test_collecting_imports_neither_spark_nor_torch() -> None:
    assert imported_by("collect", "--help") & HEAVY == set()
