"""Marks of secret fields, and references to secrets (REG-4, CL-6).

A plugin's author marks fields::

    @attrs.frozen
    class CopyRequest:
        host: str
        password: str = attrs.field(metadata=SECURE)
        key_path: str = attrs.field(default="", metadata=IGNORE)
        token: SecretRef | None = None

and a plan's author had better give a reference, ``SecretRef("env:DEPLOY_TOKEN")``: it
is resolved just before the call, and its value is never stored.

How types are searched for marks is in ``_secrets.scan``, how secrets are removed in
``_secrets.scrubbing`` and ``_secrets.forms``, how references are resolved in
``_secrets.filling``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, TypeAlias, cast

import attrs

from .._flow.late import keys_in
from .._values.errors import SecretError

MARK = "workstream.secret"
"""The key under which a field's metadata holds its mark."""

SECURE: Mapping[str, object] = MappingProxyType({MARK: "secure"})
"""Metadata of a field that holds a secret: it is removed wherever the plan is shown.

``attrs.field(metadata=SECURE)``, or ``{**SECURE, ...}`` beside metadata of your own.
"""

IGNORE: Mapping[str, object] = MappingProxyType({MARK: "ignore"})
"""Metadata of a field whose name sounds like a secret, but which holds none (REG-4)."""

HIDDEN = "[secret hidden]"
"""The text in the place of a secret (CL-6)."""

DataPath: TypeAlias = tuple[str | int, ...]
"""Where something sits in plain data: field names, keys and indexes, outermost first."""


class Reference:
    """Stands in a request for something that is looked up just before each call.

    ``_secrets.filling`` finds references and fills them in, whatever they refer to. What
    looks through a request stops at one.
    """

    __slots__ = ()

    def resolved(self, value: Any) -> Any:
        """The object that a plugin finds in its place, once its value is known."""
        raise NotImplementedError


class _Sealed(Reference):
    """Where a resolved reference keeps its value.

    It is no attrs field, so whatever goes by fields (repr, comparison, ``asdict``,
    pickle, the codec) cannot see it.
    """

    __slots__ = ("_value",)
    _value: str


def _check_reference(_: SecretRef, __: object, reference: Any) -> None:
    # The message must not repeat the text: it may be a password written by mistake.
    if isinstance(reference, str):
        scheme, colon, rest = reference.partition(":")
        if colon and rest.strip() and scheme.isidentifier():
            return
    message = (
        "a SecretRef says where a secret is kept, not what it is: write a scheme, a "
        'colon and a name, for example SecretRef("env:DEPLOY_TOKEN") or '
        'SecretRef("file:/run/secrets/token")'
    )
    raise SecretError(message)


@attrs.frozen
class SecretRef(_Sealed):
    """Where a secret is kept: resolved just before each call, never stored.

    ::

        SecretRef("env:DEPLOY_TOKEN")           # an environment variable
        SecretRef("file:/run/secrets/token")    # the contents of a file
        SecretRef("keyring:deploy/robot")       # a service and a user's name

    Plugin packages may bring further schemes. What is stored, shown and compared is
    the reference alone.

    Attributes:
        reference: The scheme, a colon, and what the scheme's resolver is to look up.

    Raises:
        SecretError: The reference has no scheme.
    """

    reference: str = attrs.field(validator=_check_reference)

    @property
    def scheme(self) -> str:
        """The part before the first colon: it names the resolver."""
        return self.reference.partition(":")[0]

    @property
    def rest(self) -> str:
        """The text after the first colon, which the resolver gets."""
        return self.reference.partition(":")[2]

    def reveal(self) -> str:
        """The secret itself. For plugins: the request given to ``execute`` can do this.

        Raises:
            SecretError: The reference is not resolved, as in a plan.
        """
        try:
            return self._value
        except AttributeError:
            message = (
                f"the secret {self.reference!r} is not resolved: reveal() works only on "
                "the request that the engine hands to a plugin"
            )
            raise SecretError(message) from None

    def resolved(self, value: str) -> SecretRef:
        """A copy that can be revealed. For runtimes; plugins never need it."""
        copy = SecretRef(self.reference)
        object.__setattr__(copy, "_value", value)
        return copy

    def __copy__(self) -> SecretRef:
        # It never changes, so it is its own copy; a plugin may copy its request.
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> SecretRef:
        return self


@attrs.frozen
class StoredValue:
    """A request or response whose plugin is not at hand, as plain data (STO-8).

    Attributes:
        data: What is stored: dicts, lists, texts, numbers ...
        secret: Where in it the secrets sit, as noted when it was stored (CL-8).
        references: What is to stand at places of it, as plain data, where it is a
            request that waits for responses (VF-7).
    """

    # Printing it must not show what ``secret`` points at.
    data: Any = attrs.field(repr=False)
    secret: tuple[DataPath, ...] = ()
    references: Mapping[str, Any] = attrs.field(factory=dict[str, Any])

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of the actions whose responses it waits for, each once."""
        return tuple(dict.fromkeys(_keys_within(list(self.references.values()))))


def needed_keys(request: object) -> tuple[str, ...]:
    """The keys of the actions whose responses a request waits for, each once."""
    return request.keys if isinstance(request, StoredValue) else keys_in(request)


def _keys_within(found: Iterable[Any]) -> Iterator[str]:
    for each in found:
        if isinstance(each, Mapping):
            flowing = cast("Mapping[str, Any]", each)
            if "key" in flowing:
                yield flowing["key"]
            yield from _keys_within(flowing.get("parts", ()))
