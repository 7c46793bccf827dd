"""A process that tries commands as others would: `python -m llmops.verification.cli_attempts MODULE:FUNCTION`.

Reads JSON `[{"command": …, "key": … or null}, …]` from stdin and prints the exit status of each attempt as a JSON list.
Each attempt is `llmops --recipe NO_SUCH_FILE COMMAND` in a fork of its own, through the program's real entry point:
whoever is let in fails at the recipe, which is read after the door and before the command's own arguments. So nothing
is ever done. What takes time are the modules behind the commands, which the program imports to read its command line.
"""

import importlib
import json
import os
import sys
from collections.abc import Callable

from llmops.errors import DENIED_STATUS
from llmops.governance.access import authentication as authentication  # imported once, before hundreds of forks

NO_RECIPE = "/no/such/recipe/of/access-verify.toml"
LET_IN, DENIED = "let in", "refused"


def outcome(status: int) -> str:
    """What the exit status of an attempt means; anything unexpected is told as it is."""
    return {1: LET_IN, DENIED_STATUS: DENIED}.get(status, f"exit status {status}")


def main() -> None:
    """Entry point."""
    module, _, name = sys.argv[1].partition(":")
    program: Callable[[], None] = getattr(importlib.import_module(module), name)
    attempts = json.load(sys.stdin)
    print(json.dumps([_attempt(program, item["command"], item["key"]) for item in attempts]))  # noqa: T201 - the result


def _attempt(program: Callable[[], None], command: str, key: str | None) -> int:
    child = os.fork()
    if child == 0:
        _become(program, command, key)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _become(program: Callable[[], None], command: str, key: str | None) -> None:
    """Run the program in this process, silently, and end the process with its status."""
    status = 99  # no outcome that is known
    try:
        silence = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(silence, stream)
        os.environ.pop("LLMOPS_ACCESS_KEY", None)
        if key is not None:
            os.environ["LLMOPS_ACCESS_KEY"] = key
        sys.argv = ["llmops", "--recipe", NO_RECIPE, *command.split(" ")]
        program()
        status = 0
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else 1
    finally:
        os._exit(status)


if __name__ == "__main__":
    main()
