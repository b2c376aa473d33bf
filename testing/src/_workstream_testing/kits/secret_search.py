"""Looks for secrets in what a plugin has left to be read, in the forms they take."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from workstream._secrets.forms import SHORTEST


class SecretSource:
    """Stands in for every secret resolver: it makes up what it is not told.

    Attributes:
        made: What each reference stands for, by the reference.
    """

    def __init__(self, known: Mapping[str, str]) -> None:
        """Make a source.

        Args:
            known: What some references stand for.
        """
        self.made: dict[str, str] = {}
        self._known = known

    def resolver(self, scheme: str) -> _Resolver:
        """The resolver for a scheme."""
        return _Resolver(self, scheme)

    def look_up(self, reference: str) -> str:
        """What a reference stands for: always the same."""
        if reference not in self.made:
            value = self._known.get(reference)
            self.made[reference] = value or f"conformance-{secrets.token_hex(12)}"
        return self.made[reference]


class _Resolver:
    def __init__(self, source: SecretSource, scheme: str) -> None:
        self._source = source
        self._scheme = scheme

    def __call__(self, rest: str) -> str:
        return self._source.look_up(f"{self._scheme}:{rest}")


def shown(texts: Mapping[str, str], values: Collection[str]) -> Iterator[str]:
    """Where one of the secret values can be read.

    Args:
        texts: What can be read, by what it is.
        values: The secrets.
    """
    looked_for = {
        form: how
        for value in values
        if len(value) >= SHORTEST
        for form, how in _forms(value)
    }
    for where, text in texts.items():
        for form, how in looked_for.items():
            if form in text:
                yield f"{where}{how}"
                break


def _forms(value: str) -> Iterator[tuple[str, str]]:
    """The forms in which a secret gives itself away, and what each is called."""
    yield value, ""
    data = value.encode()
    yield data.hex(), " (in hexadecimal)"
    yield value[::-1], " (backwards)"
    if len(data) < 6:
        return  # too little of it would be left to be sure
    for shift in range(3):
        # Where it stands in a longer text decides how it looks in base64.
        encoded = base64.b64encode(b"\0" * shift + data).decode().rstrip("=")
        inner = encoded[(0, 2, 3)[shift] : len(encoded) - 1]
        yield inner, " (in base64)"
        yield base64_for_urls(inner), " (in base64)"


def base64_for_urls(text: str) -> str:
    """The same in the alphabet that is used in URLs."""
    return text.replace("+", "-").replace("/", "_")


class AnyScheme(dict[str, Callable[[str], str]]):
    """Resolvers for whatever scheme a request names."""

    def __init__(self, source: SecretSource) -> None:
        super().__init__()
        self._source = source

    def get(self, scheme: str, _default: object = None, /) -> Any:
        """The resolver for a scheme."""
        return self._source.resolver(scheme)
