"""Every error the library raises on purpose.

LlmopsError
├── ConfigurationError (ValueError)      a recipe, flag or setting is wrong
├── SourceError (ValueError)             a whole source cannot be read
├── ArtifactError
│   ├── MissingArtifactError (FileNotFoundError)   a folder has no manifest, or a named file is gone
│   ├── CorruptArtifactError (ValueError)          bytes differ from what the manifest says
│   ├── FrozenArtifactError (ValueError)           raw data would be collected a second time
│   └── ParentageError (ValueError)                a row was lost or appeared from nowhere
├── TrainingError (ValueError)           the data or model cannot be trained on
├── SignatureError (ValueError)          a release or pointer does not verify
└── Refused                              nothing is wrong, and nothing is to be done: the reason says why

A message names the value at fault and the remedy. A bad row is data, not an error: it goes to quarantine.
"""


class LlmopsError(Exception):
    """Base of all errors below; the CLI prints its message without a traceback and exits with status 1."""


class ConfigurationError(LlmopsError, ValueError):
    """A recipe, flag or setting is wrong."""


class SourceError(LlmopsError, ValueError):
    """A whole source cannot be read; single broken files are set aside instead."""


class ArtifactError(LlmopsError):
    """Something is wrong with an artifact in the lake."""


class MissingArtifactError(ArtifactError, FileNotFoundError):
    """A folder has no manifest, or a file that its manifest names is gone."""


class CorruptArtifactError(ArtifactError, ValueError):
    """Bytes on disk differ from what the manifest says."""


class FrozenArtifactError(ArtifactError, ValueError):
    """Raw data is frozen at its first collection; replacing it needs to be asked for."""


class ParentageError(ArtifactError, ValueError):
    """An input row is neither the parent of an output row nor in quarantine, or a parent does not exist."""


class TrainingError(LlmopsError, ValueError):
    """The data or the model cannot be trained on."""


class SignatureError(LlmopsError, ValueError):
    """A release or a pointer to one does not verify against the trusted key."""


class Refused(LlmopsError):
    """Not a failure: the stage found that it must not or need not act. The CLI exits with `SKIPPED_STATUS`."""


SKIPPED_STATUS = 99
"""Exit status of a command that was refused; Airflow shows its task as skipped (BashOperator's own default)."""
