"""Peak memory of the platform's processes, sampled while something runs."""

import threading
from types import TracebackType
from typing import Self

from scripts.processes import Processes, memory_bytes


class MemoryWatch:
    """Context in which a thread samples memory; a peak shorter than `period_seconds` may be missed."""

    def __init__(self, processes: Processes, period_seconds: float = 2.0) -> None:
        self.peak_bytes = 0
        """Of all processes together."""
        self.peak_bytes_by_task: dict[str, int] = {}
        """Of the command that an Airflow task runs, with everything the command starts."""
        self._processes, self._period_seconds = processes, period_seconds
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(self._period_seconds):
            used: dict[str, int] = {}
            for process in self._processes.members():
                used[process.task] = used.get(process.task, 0) + memory_bytes(process.pid)
            self.peak_bytes = max(self.peak_bytes, sum(used.values()))
            for task, amount in used.items():
                if task:
                    self.peak_bytes_by_task[task] = max(self.peak_bytes_by_task.get(task, 0), amount)
