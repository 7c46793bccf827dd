"""Pytest plugin (`-p tests.no_skips`): a skipped test fails the run.

What a machine cannot run is deselected by its mark (gpu, slow, real_data); anything else that skips hides a gap.
"""

import pytest


class _Skips:
    def __init__(self) -> None:
        self.found: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.skipped:
            self.found.append(report.nodeid)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.skipped:
            self.found.append(report.nodeid)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self.found and session.exitstatus in {pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED}:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        for nodeid in self.found:
            terminalreporter.write_line(f"FAILED {nodeid} was skipped; mark it gpu, slow or real_data, or let it run")


def pytest_configure(config: pytest.Config) -> None:
    """Watch this run for skips."""
    config.pluginmanager.register(_Skips())
