"""How one secret is looked up: what a resolver is, and those that the engine brings.

A resolver is a function from what stands behind the scheme's colon to the secret. It
is called just before each attempt; it raises ``SecretError`` with a sentence that says
what to do, and which never holds a secret.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias

import attrs

from .._values.errors import SecretError
from .references import SecretRef

SecretResolver: TypeAlias = Callable[[str], str]
"""Looks a secret up: given what follows the scheme, it returns the value or raises."""


@attrs.frozen
class Immediate:
    """A resolver that never waits for anything, and so needs no thread of its own.

    Attributes:
        resolver: The resolver: it reads memory and nothing else.
    """

    resolver: SecretResolver

    def __call__(self, rest: str) -> str:
        """Look a secret up."""
        return self.resolver(rest)


def look_up(ref: SecretRef, resolvers: Mapping[str, SecretResolver]) -> str:
    """The value of a reference.

    Args:
        ref: The reference.
        resolvers: What looks a secret up, by scheme; called with the reference's rest.

    Raises:
        SecretError: It names the reference that failed and why, never a value.
    """
    try:
        return _looked_up(ref, resolvers)
    except SecretError as error:
        message = f"the secret {ref.reference!r} cannot be resolved: {error}"
        raise SecretError(message) from None


def _looked_up(ref: SecretRef, resolvers: Mapping[str, SecretResolver]) -> str:
    """The same; the error does not name the reference."""
    resolver = resolvers.get(ref.scheme)
    if resolver is None:
        known = ", ".join(sorted(resolvers)) or "none"
        message = (
            f"no installed package knows the scheme {ref.scheme!r} (known: {known})"
        )
        raise SecretError(message)
    try:
        # A resolver of a package without type annotations may return anything.
        value: Any = resolver(ref.rest)
    except SecretError:
        raise
    except Exception as error:
        # Its text, and its traceback, may hold what was being looked up.
        failed = type(error).__name__
        message = f"the resolver of {ref.scheme!r} failed with {failed}"
        raise SecretError(message) from None
    if not isinstance(value, str) or not value:
        what = "an empty text" if value == "" else f"a {type(value).__name__}"
        message = f"the resolver of {ref.scheme!r} gave {what} instead of a text"
        raise SecretError(message)
    return value


def resolve_env(name: str) -> str:
    """The value of an environment variable of this process.

    Args:
        name: The variable's name, as in ``SecretRef("env:DEPLOY_TOKEN")``.

    Raises:
        SecretError: It is not set, or empty.
    """
    value = os.environ.get(name)
    if value is None:
        message = (
            f"the environment variable {name} is not set: set it for the process that "
            "runs the plan"
        )
        raise SecretError(message)
    if not value:
        message = f"the environment variable {name} is empty"
        raise SecretError(message)
    return value


def resolve_file(path: str) -> str:
    """The contents of a text file, without one line break at its end.

    Args:
        path: The file's path, as in ``SecretRef("file:/run/secrets/token")``. A ``~``
            at its beginning is the home directory of the user who runs the plan.

    Raises:
        SecretError: It is missing, cannot be read, is empty, or is not UTF-8.
    """
    try:
        data = Path(path).expanduser().read_bytes()
    except FileNotFoundError:
        message = f"there is no file {path}"
        raise SecretError(message) from None
    except (OSError, RuntimeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        message = f"the file {path} cannot be read: {reason}"
        raise SecretError(message) from None
    try:
        text = data.decode()
    except UnicodeDecodeError:
        # The error would show the bytes, so it is not chained.
        message = f"the file {path} is not a text in UTF-8"
        raise SecretError(message) from None
    text = text[:-2] if text.endswith("\r\n") else text.removesuffix("\n")
    if not text:
        message = f"the file {path} is empty"
        raise SecretError(message)
    return text


def resolve_keyring(entry: str) -> str:
    """A password from the keyring of the user who runs the plan.

    It needs the package ``keyring``, which ``workstream-engine[keyring]`` brings.

    Args:
        entry: The service and the user's name, as in
            ``SecretRef("keyring:deploy/robot")``; the last slash parts them. It is what
            ``keyring set deploy robot`` has stored.

    Raises:
        SecretError: The package is missing, there is no keyring, it cannot be opened,
            or it has no such entry.
    """
    service, slash, user = entry.rpartition("/")
    if not (slash and service and user):
        message = (
            "write the service, a slash and the user's name, for example "
            'SecretRef("keyring:deploy/robot")'
        )
        raise SecretError(message)
    try:
        # Imported when used: few need it, and it looks through what is installed.
        import keyring
        from keyring.errors import KeyringLocked, NoKeyringError
    except ImportError:
        message = (
            "the package keyring is not installed: install workstream-engine[keyring]"
        )
        raise SecretError(message) from None
    try:
        value = keyring.get_password(service, user)
    except NoKeyringError:
        message = (
            "there is no keyring here: `keyring diagnose` shows what is looked for; on "
            "a machine without a desktop, an env: or file: secret is simpler"
        )
        raise SecretError(message) from None
    except KeyringLocked:
        message = "the keyring is locked: unlock it for the user who runs the plan"
        raise SecretError(message) from None
    except Exception as error:
        # A backend is other people's code, and its words may quote what it looked up.
        message = f"the keyring failed with {type(error).__name__}"
        raise SecretError(message) from None
    if not value:
        what = "no" if value is None else "an empty"
        message = (
            f"the keyring has {what} password of {user!r} for {service!r}: store it with "
            f"`keyring set {shlex.quote(service)} {shlex.quote(user)}`"
        )
        raise SecretError(message)
    return value


CORE_RESOLVERS: Mapping[str, SecretResolver] = MappingProxyType(
    {"env": Immediate(resolve_env), "file": resolve_file, "keyring": resolve_keyring}
)
"""The places for secrets that need no plugin package."""
