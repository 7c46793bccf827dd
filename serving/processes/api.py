"""`python -m serving.processes.api`: one of several API processes, as `serving.processes` starts them.

It ends with its parent. On standard output it tells the parent one line of JSON: `{"loaded": true}` when it opens the
port, or `{"failed": REASON}` before it ends because there is nothing that it could serve.
"""

import json
import os
import sys
from typing import TextIO

from llmops import logs
from llmops.errors import LlmopsError
from serving.engines.contract import EngineDiedError
from serving.processes import lifeline, ports
from serving.server import serve
from serving.settings import ServingSettings


def main() -> None:
    """Entry point."""
    settings = ServingSettings()
    logs.configure(settings.platform.log_format)
    lifeline.end_with_parent()
    with _own_output() as parent:
        failure = serve(
            settings, ports.join(settings.host, settings.port), on_loaded=lambda: _tell(parent, loaded=True)
        )
        if failure is None:
            return
        _tell(parent, failed=str(failure) or type(failure).__name__)
    if isinstance(failure, LlmopsError | EngineDiedError):
        sys.exit(1)
    raise failure


def _own_output() -> TextIO:
    """What was standard output; whatever libraries print goes to standard error from now on."""
    parent = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return parent


def _tell(parent: TextIO, **news: object) -> None:
    parent.write(json.dumps(news) + "\n")
    parent.flush()


if __name__ == "__main__":
    main()
