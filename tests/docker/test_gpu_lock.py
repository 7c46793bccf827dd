"""The GPU service's lock holds what the service imports, by hash, and says nothing of where it came from."""

import ast
import importlib.metadata
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
LOCK = (ROOT / "docker/serving/gpu-requirements.lock").read_text()
LOCKED = set(re.findall(r"^([a-z0-9._-]+)==", LOCK, flags=re.MULTILINE))
ELSEWHERE = {"openvino", "openvino_genai", "mangum"}  # the CPU engine; a function has no GPU


def test_everything_the_service_imports_is_locked() -> None:
    owners = importlib.metadata.packages_distributions() | {"vllm": ["vllm"]}  # not in the main environment

    needed = {name: owners[name] for name in _imported_by_the_service() - ELSEWHERE}

    assert {"fastapi", "pyarrow", "vllm", "cryptography"} <= set(needed)
    assert {name for name, found in needed.items() if not {_normal(item) for item in found} & LOCKED} == set()


def test_every_package_has_hashes_and_no_address() -> None:
    packages = re.split(r"^(?=[a-z0-9._-]+==)", LOCK, flags=re.MULTILINE)[1:]

    assert len(packages) == len(LOCKED)
    assert all("--hash=sha256:" in package for package in packages)
    assert "://" not in LOCK


def test_nothing_of_the_pipeline_is_in_it() -> None:
    assert LOCKED & {"apache-airflow", "pyspark", "mlflow", "openvino-genai"} == set()


def _imported_by_the_service() -> set[str]:
    """Top-level modules that serving/ and what it reaches of llmops import, wherever in a file the import stands."""
    waiting, seen, found = list((ROOT / "serving").rglob("*.py")), set(), set[str]()
    while waiting:
        path = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        for name in _names(path):
            top = name.split(".")[0]
            if top in {"serving", "llmops"}:
                waiting += [file for file in (ROOT / f"{name.replace('.', '/')}.py",) if file.is_file()]
            elif top not in sys.stdlib_module_names:
                found.add(top)
    return found


def _names(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (item.name for item in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{item.name}" for item in node.names)


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
