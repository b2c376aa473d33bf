"""How the secret references of a request are looked up and filled in (CL-8).

There is a step for each thing that can take its own time: ``references`` says what there
is to look up, ``look_up`` looks one of them up and may take as long as its resolver does,
``filled`` puts the answers into a copy of the request. ``resolve`` is all three at once.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from typing import Any

from .forms import forms
from .lookups import SecretResolver, look_up
from .references import SecretRef
from .scan import Kind, facts_of
from .scrubbing import rebuilt, secret_values

__all__ = [
    "filled",
    "references",
    "resolve",
    "texts_to_hide",
]


def references(request: object) -> tuple[SecretRef, ...]:
    """The references in a request, each once, in the order in which they are met."""
    if not facts_of(request).references:
        return ()
    return tuple(dict.fromkeys(_references(request)))


def _references(value: Any) -> Iterator[SecretRef]:
    if isinstance(value, SecretRef):
        yield value
        return
    facts = facts_of(value)
    if not facts.references:
        return
    if facts.kind is Kind.RECORD:
        for field in facts.fields:
            if field.references:
                yield from _references(getattr(value, field.name, None))
    else:
        for entry in value.values() if facts.kind is Kind.MAPPING else value:
            yield from _references(entry)


def filled(
    request: object, values: Mapping[SecretRef, str]
) -> tuple[object, frozenset[str]]:
    """The request with its references resolved, and every secret text that is in it.

    Args:
        request: As the plan holds it; it is not changed.
        values: What each of its references stands for.

    Returns:
        A copy whose ``SecretRef`` objects can be revealed, or the request itself where
        there is nothing to resolve; and the texts to hide from messages, notes and
        output, by ``hide``: the resolved ones and those of SECURE fields.
    """
    texts = secret_values(request)
    if not values:  # as of nearly every action
        return request, texts
    resolved = _Filling(values).of(request)
    return resolved, texts.union(*map(forms, values.values()))


def resolve(
    request: object, resolvers: Mapping[str, SecretResolver]
) -> tuple[object, frozenset[str]]:
    """Look all references of a request up, one after the other, and fill them in.

    Args:
        request: As the plan holds it; it is not changed.
        resolvers: As for ``look_up``.

    Returns:
        As ``filled``.

    Raises:
        SecretError: As ``look_up``.
    """
    values: dict[SecretRef, str] = {}
    for ref in references(request):
        values[ref] = look_up(ref, resolvers)
    return filled(request, values)


def texts_to_hide(request: object) -> frozenset[str]:
    """Every secret text of a request whose references are resolved, in all forms."""
    revealed = (ref.reveal() for ref in references(request))
    return secret_values(request).union(*map(forms, revealed))


class _Filling:
    """One pass over one request."""

    def __init__(self, values: Mapping[SecretRef, str]) -> None:
        self.resolved = {ref: ref.resolved(value) for ref, value in values.items()}

    def of(self, value: Any) -> Any:
        """The value with its references resolved; itself where there are none."""
        if isinstance(value, SecretRef):
            return self.resolved[value]
        facts = facts_of(value)
        if not facts.references:
            return value
        if facts.kind is Kind.RECORD:
            return self.record(value, [f.name for f in facts.fields if f.references])
        if facts.kind is Kind.MAPPING:
            changed = {key: self.of(entry) for key, entry in value.items()}
            if all(changed[key] is entry for key, entry in value.items()):
                return value
            same_class = copy.copy(value)
            same_class.update(changed)
            return same_class
        old: list[Any] = list(value)
        new = [self.of(entry) for entry in old]
        unchanged = all(a is b for a, b in zip(old, new, strict=True))
        return value if unchanged else rebuilt(value, new)

    def record(self, value: Any, names: list[str]) -> Any:
        changed = value
        for name in names:
            old = getattr(value, name, None)
            new = self.of(old)
            if new is not old:
                if changed is value:
                    changed = copy.copy(value)
                object.__setattr__(changed, name, new)
        return changed
