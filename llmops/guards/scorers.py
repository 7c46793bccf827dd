"""A heavier model beside the screen of injection: any function that an operator names."""

import pkgutil
from collections.abc import Callable

from llmops.errors import ConfigurationError

Scorer = Callable[[str], float]
"""Text to a score of 0 to 1; from `injection.THRESHOLD` on the text is flagged. May be slow; called in a thread."""


def named(name: str) -> Scorer:
    """The function that `package.module:function` names. Raises ConfigurationError when there is none."""
    try:
        found = pkgutil.resolve_name(name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigurationError(f"{name}: no such scorer ({error}); name one as package.module:function") from error
    if not callable(found):
        raise ConfigurationError(f"{name}: not a function; name one as package.module:function")
    scorer: Scorer = found
    return scorer
