"""Every error the library raises on purpose.

LlmopsError
├── ConfigurationError (ValueError)      a recipe, flag or setting is wrong
├── SourceError (ValueError)             a whole source cannot be read
├── ArtifactError
│   ├── MissingArtifactError (FileNotFoundError)   a folder has no manifest, or a named file is gone
│   ├── CorruptArtifactError (ValueError)          bytes differ from what the manifest says
│   ├── FrozenArtifactError (ValueError)           raw data would be collected a second time
│   ├── ErasedMeanwhileError (ValueError)          somebody was erased while a stage was at work
│   ├── ErasureIncompleteError (ValueError)        a person is still found somewhere
│   └── ParentageError (ValueError)                a row was lost or appeared from nowhere
├── TrainingError (ValueError)           the data or model cannot be trained on
├── SignatureError (ValueError)          a release or pointer does not verify
├── CredentialError                      who asks is not known; clients get one answer, the log gets the leaf
│   ├── MissingCredentialError           nothing was presented
│   ├── UnknownKeyError                  no such API key
│   ├── WrongSecretError                 an API key's id with a secret that is not its own
│   ├── RevokedKeyError                  an API key that was withdrawn
│   ├── ExpiredCredentialError           an API key or token whose time is over
│   ├── BadTokenError                    a bearer token that does not verify
│   └── NoRoleError                      a good token of someone who has no role here
├── AuditError                           a privileged action cannot be recorded, or the record was altered
├── AccessDeniedError (PermissionError)  who asks is known, and the role may not do that
├── AccessViolationError                 somebody may do what the role matrix forbids, or may not do what it allows
├── AccessUnavailableError               keys or limits cannot be read, so nobody is let in
├── Refused                              nothing is wrong, and nothing is to be done: the reason says why
└── NotYet                               nothing is wrong, and it is too early to tell: ask again later

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


class ErasedMeanwhileError(ArtifactError, ValueError):
    """Somebody was erased while a stage was at work; what it made may hold them and is not committed."""


class ErasureIncompleteError(ArtifactError, ValueError):
    """A person is still found somewhere; the message says where, by store and file."""


class ParentageError(ArtifactError, ValueError):
    """An input row is neither the parent of an output row nor in quarantine, or a parent does not exist."""


class TrainingError(LlmopsError, ValueError):
    """The data or the model cannot be trained on."""


class SignatureError(LlmopsError, ValueError):
    """A release or a pointer to one does not verify against the trusted key."""


class AuditError(LlmopsError):
    """A privileged action cannot be recorded and so is not done, or the audit log is not what was recorded."""


class CredentialError(LlmopsError):
    """Who asks is not known. The message is for the log: it holds ids, never a secret, and is not shown to clients."""


class MissingCredentialError(CredentialError):
    """Neither a key nor a token was presented."""


class UnknownKeyError(CredentialError):
    """Not an API key, or not one of ours."""


class WrongSecretError(CredentialError):
    """The id of an API key with a secret that is not its own."""


class RevokedKeyError(CredentialError):
    """An API key that was withdrawn."""


class ExpiredCredentialError(CredentialError):
    """An API key or token whose time is over."""


class BadTokenError(CredentialError):
    """A bearer token that does not verify."""


class NoRoleError(CredentialError):
    """A token that verifies and names none of our roles."""


class AccessDeniedError(LlmopsError, PermissionError):
    """The role of who asks does not allow it. The CLI exits with `DENIED_STATUS`."""


DENIED_STATUS = 77
"""Exit status of a command for which the role or the credential does not suffice: EX_NOPERM of BSD's sysexits.h."""


class AccessViolationError(LlmopsError):
    """`llmops access verify` found a route or command that does not do what the role matrix says."""


class AccessUnavailableError(LlmopsError):
    """Keys, the provider's key set or the limits cannot be read: nobody is let in until they can."""


class Refused(LlmopsError):
    """Not a failure: the stage found that it must not or need not act. The CLI exits with `SKIPPED_STATUS`."""


SKIPPED_STATUS = 99
"""Exit status of a command that was refused; Airflow shows its task as skipped (BashOperator's own default)."""


class NotYet(LlmopsError):
    """Not a failure: there is nothing to decide yet. The CLI exits with `NOT_YET_STATUS`; ask again later."""


NOT_YET_STATUS = 75
"""Exit status of a command that has to be run again later: EX_TEMPFAIL of BSD's sysexits.h."""
