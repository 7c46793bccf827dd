"""Writers in processes of their own. Run as `python -m tests.monitoring.interactions.processes NAME SPOOL …`."""

import json
import resource
import sys
from pathlib import Path

from llmops import logs
from llmops.monitoring.interactions.redaction import PersonalDataRedactor
from llmops.monitoring.interactions.writer import InteractionWriter
from tests.monitoring.interactions.samples import exchange


def write_until_killed(spool: str) -> None:
    """Write for ever; say now and then how many are flushed."""
    writer = InteractionWriter(Path(spool))
    for number in range(1_000_000):
        writer.record_exchange(exchange(number))
        if number % 20 == 9:  # now and then, so that the kill meets queued records as well
            assert writer.flush()
            print(number + 1, flush=True)  # noqa: T201 - to the test that waits for it


def write_to_a_full_disk(spool: str) -> None:
    """200 records to a disk that takes 20,000 bytes a file, then one more when there is room again."""
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    writer = InteractionWriter(Path(spool), redactors=[PersonalDataRedactor()])
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    for number in range(200):
        writer.record_exchange(exchange(number, answer="long " * 200))
    assert writer.flush()
    full = writer.counts()
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    writer.record_exchange(exchange(999))
    assert writer.close()
    print(json.dumps([full, writer.counts()]))  # noqa: T201 - likewise


def write_many(spool: str, first: str) -> None:
    """500 records, starting with a number."""
    writer = InteractionWriter(Path(spool), redactors=[PersonalDataRedactor()])
    for number in range(int(first), int(first) + 500):
        writer.record_exchange(exchange(number))
    assert writer.close()


if __name__ == "__main__":
    logs.configure()
    globals()[sys.argv[1]](*sys.argv[2:])
