"""The request of a call with its secrets; without them there is an outcome (A-17)."""

from __future__ import annotations

from .._attempts.outcomes import timed_out
from .._protocols.runtime import AttemptOutcome
from .._values.errors import SecretError
from .._values.state import PluginError
from .lookups import Lookups, LookupTimeoutError


class NoSecretsError(Exception):
    """The secrets of a request are not to be had; ``outcome`` is the attempt's."""

    def __init__(self, outcome: AttemptOutcome) -> None:
        """Take the outcome."""
        super().__init__(outcome)
        self.outcome = outcome


async def with_secrets(
    lookups: Lookups, request: object, seconds: float
) -> tuple[object, frozenset[str]]:
    """The request with its secrets, and the texts to hide (A-17).

    Args:
        lookups: Looks them up.
        request: As the plan holds it.
        seconds: How long it may take.

    Raises:
        NoSecretsError: A secret is not to be had, or not in time.
    """
    try:
        return await lookups.resolved(request, seconds)
    except SecretError as error:
        raise NoSecretsError(AttemptOutcome(error=PluginError(str(error)))) from None
    except LookupTimeoutError as error:
        raise NoSecretsError(timed_out(PluginError(str(error)))) from None
