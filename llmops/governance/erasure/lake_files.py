"""The lake as files: which artifacts there are, which files they name, and which nobody names any more."""

from collections.abc import Iterator
from functools import cached_property

import fsspec

from llmops import artifacts, suppression
from llmops.manifest import DataFile, Manifest

_FEATURES = "feature_store"
_FOUNDATION = "import-model"
_LEFT_BEHIND = ("attempt-", "_partial", "_writing-", "_temporary")


class Lake:
    """All files below a lake, listed once."""

    def __init__(self, uri: str) -> None:
        self.uri = uri
        self.files, root = fsspec.url_to_fs(uri)
        self.root: str = self.files._strip_protocol(root)
        names = sorted(path.removeprefix(self.root).lstrip("/") for path in self.files.find(self.root))
        self.names = [name for name in names if not name.startswith(f"{suppression.FOLDER}/")]

    @cached_property
    def artifacts(self) -> list[Manifest]:
        """Every committed artifact, in the order they were made."""
        manifests = [name for name in self.names if name.endswith(f"/{artifacts.MANIFEST}")]
        folders = [name.removesuffix(f"/{artifacts.MANIFEST}") for name in manifests]
        found = [artifacts.find(artifacts.join(self.uri, folder)) for folder in folders]
        made = [manifest for manifest in found if manifest is not None]
        return sorted(made, key=lambda manifest: manifest.created_at)

    def data_artifacts(self) -> list[Manifest]:
        """The same without base models, which hold no data of anybody."""
        return [manifest for manifest in self.artifacts if manifest.stage != _FOUNDATION]

    def leftovers(self) -> list[str]:
        """Files that no manifest names: of attempts that died, run or were superseded, and parts of unfinished work."""
        named = {
            f"{self.below(manifest.uri)}/{file.name}" for manifest in self.artifacts for file in named_in(manifest)
        }
        return [name for name in self.names if name not in named and _is_left_behind(name)]

    @cached_property
    def public_files(self) -> set[str]:
        """Hashes of the files of base models: their vocabularies and texts were there before any of our data."""
        return {file.sha256 for manifest in self.artifacts if manifest.stage == _FOUNDATION for file in manifest.files}

    def read(self, name: str) -> bytes:
        """A file's bytes; none if it went away since it was listed."""
        try:
            data: bytes = self.files.cat_file(f"{self.root}/{name}")
        except FileNotFoundError:
            return b""
        return data

    def below(self, uri: str) -> str:
        """An artifact's path relative to the lake."""
        path: str = self.files._strip_protocol(fsspec.url_to_fs(uri)[1])
        return path.removeprefix(self.root).strip("/")

    def delete(self, name: str) -> None:
        """Delete a file that may be gone already."""
        try:
            self.files.rm_file(f"{self.root}/{name}")
        except FileNotFoundError:
            return


def named_in(manifest: Manifest) -> Iterator[DataFile]:
    """All files that a manifest names, data first."""
    yield from manifest.files
    yield from manifest.quarantine


def _is_left_behind(name: str) -> bool:
    return any(part.startswith(_LEFT_BEHIND) for part in name.split("/")) and not name.startswith(f"{_FEATURES}/")
