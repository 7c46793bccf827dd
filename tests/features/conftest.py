"""A lake whose feature store the deployment has set up: Feast's own command line applies feature_repo."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from llmops.settings import Settings

REPO = Path(__file__).parents[2] / "feature_repo"

ApplyFeatures = Callable[[Path], Settings]


@pytest.fixture
def apply_features(monkeypatch: pytest.MonkeyPatch) -> ApplyFeatures:
    """Run `feast apply` for a lake, within this process (Feast takes 10 CPU seconds to import), and give its settings.

    `test_the_documented_command_applies_the_view` runs the same as a command of its own.
    """
    from click.testing import CliRunner  # noqa: PLC0415 - beside Feast
    from feast.cli.cli import cli  # noqa: PLC0415 - imports Feast, slowly

    monkeypatch.chdir(Path.cwd())  # the command changes folder and import settings; put them back
    monkeypatch.syspath_prepend(str(REPO))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def apply(lake: Path) -> Settings:
        monkeypatch.setenv("LLMOPS_LAKE", str(lake))
        monkeypatch.delitem(sys.modules, "features", raising=False)
        command = ["--chdir", os.fspath(REPO), "apply", "--skip-source-validation"]
        result = CliRunner().invoke(cli, command, catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return Settings(lake=str(lake), feature_repo=REPO)

    return apply
