"""How the references of a request are found, looked up and filled in (CL-8).

There is a step for each thing that can take its own time: ``references`` says what there
is to look up, a lookup may take as long as it does, and ``filled`` puts the answers
into a copy of the request. These two serve any ``Reference``. ``resolve`` does all of it
at once for secrets.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .forms import forms
from .lookups import SecretResolver, look_up
from .references import Reference, SecretRef
from .scan import FieldFacts, facts_of
from .scrubbing import secret_values
from .walk import parts_of, rebuilt


def references(request: object) -> tuple[Reference, ...]:
    """The references in a request, each once, in the order in which they are met."""
    if not facts_of(request).references:
        return ()
    return tuple(dict.fromkeys(_references(request)))


def secret_references(request: object) -> tuple[SecretRef, ...]:
    """Those of them that refer to secrets."""
    found = references(request)
    return tuple(ref for ref in found if isinstance(ref, SecretRef)) if found else ()


def _references(value: Any) -> Iterator[Reference]:
    if isinstance(value, Reference):
        yield value
    elif facts_of(value).references:
        for part, field in parts_of(value):
            if field is None or field.references:
                yield from _references(part)


def filled(request: Any, values: Mapping[Any, Any]) -> Any:
    """The request with its references resolved.

    Args:
        request: As the plan holds it; it is not changed.
        values: What each of its references stands for, by reference.

    Returns:
        A copy; the request itself where there is nothing to fill in.
    """
    if not values:  # as of nearly every action
        return request
    resolved = {ref: ref.resolved(value) for ref, value in values.items()}

    def change(part: Any, field: FieldFacts | None) -> Any:
        if isinstance(part, Reference):
            return resolved[part]
        if (field is None or field.references) and facts_of(part).references:
            return rebuilt(part, change)
        return part

    return change(request, None)


def resolve(
    request: object, resolvers: Mapping[str, SecretResolver]
) -> tuple[object, frozenset[str]]:
    """Look all secrets of a request up, one after the other, and fill them in.

    Args:
        request: As the plan holds it; it is not changed.
        resolvers: As for ``look_up``.

    Returns:
        The request, filled; and the texts to hide from messages, notes and output.

    Raises:
        SecretError: As ``look_up``.
    """
    values = {ref: look_up(ref, resolvers) for ref in secret_references(request)}
    request = filled(request, values)
    return request, texts_to_hide(request)


def texts_to_hide(request: object) -> frozenset[str]:
    """Every secret text of a request whose references are resolved, in all forms."""
    revealed = (ref.reveal() for ref in secret_references(request))
    return secret_values(request).union(*map(forms, revealed))
