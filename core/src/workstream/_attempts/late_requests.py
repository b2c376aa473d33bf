"""A request that waits for responses is made, just before each attempt (VF-6).

The values are read from the stored responses, each time anew. Whatever is wrong then is
wrong for ever: what a stored response holds does not change. So it fails the action
permanently, and its plugin is not called.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from .._flow.late import Flowing, FlowText, Late, Source, replaced
from .._plan.copying import deep_copy
from .._plan.plan import BaseAction
from .._protocols.plugin import AnyPlugin
from .._secrets.responses import NoRequestError, refuse, value_at
from .._secrets.scrubbing import texts_within
from .._validation.requests import ready_request
from .._validation.sources import flows_with_types, value_misfits
from .._values.annotations import type_text
from .._values.state import Status

ActionOf: typing.TypeAlias = Callable[[str], BaseAction | None]
"""Finds an action of the plan by its key."""


@attrs.define  # not frozen, which costs more: one is made for each attempt
class Made:
    """A request with the responses in their places.

    Attributes:
        request: The request.
        secrets: The texts to hide: those that SECURE fields of responses held (A-17).
    """

    request: object
    secrets: frozenset[str]


def made_request(
    late: Late, action: BaseAction, plugin: AnyPlugin, action_of: ActionOf
) -> Made:
    """Make the request of an action that waits for responses.

    Raises:
        NoRequestError: It cannot be made. The message names references and places, and
            repeats nothing of a response.
    """
    wanted = {place: kind for place, kind, _ in flows_with_types(late)}
    secrets: set[str] = set()
    values: list[object] = []

    def value_of(place: str, flowing: Flowing, *, in_text: bool = False) -> Any:
        if isinstance(flowing, FlowText):
            parts = [
                value_of(place, part, in_text=True)
                if isinstance(part, Source)
                else part
                for part in flowing.parts
            ]
            for part in parts:
                if type(part) not in (str, int):
                    refuse(place, flowing, "a part is neither text nor whole number")
            return flowing.template.format(*parts)
        assert isinstance(flowing, Source)
        value, secure = _looked_up(place, flowing, action_of)
        if secure:
            secrets.update(texts_within(value))
        kind = wanted[place]
        if not in_text and value_misfits(value, kind):
            got = type_text(type(value))
            refuse(place, flowing, f"it is {got}, where {type_text(kind)} is wanted")
        values.append(value)
        return deep_copy(value)

    try:
        request = replaced(late, value_of)
    except NoRequestError:
        raise
    except Exception as error:
        _refuse_made(late, "refuses its arguments", error, values)
    request, problem = ready_request(request, action, plugin)
    if problem is not None:
        _refuse_made(late, "was refused", ValueError(problem[1]), values)
    return Made(request, frozenset(secrets))


def _looked_up(place: str, source: Source, action_of: ActionOf) -> tuple[Any, bool]:
    """What a source refers to, and whether it is secret."""
    referent = action_of(source.key)
    if referent is None or referent.plugin != source.plugin:
        refuse(place, source, "there is no such action in the plan")
    status = referent.state.status
    if status is not Status.COMPLETED:
        how = status.name.lower().replace("_", " ")
        refuse(place, source, f"the action '{referent.name}' is {how}, not completed")
    return value_at(referent.response, source, place)


def _refuse_made(
    late: Late, what: str, error: Exception, values: list[object]
) -> typing.NoReturn:
    """Refuse what a class or plugin refused, in its words if they repeat no response."""
    said = str(error)
    repeats = any(text and text in said for value in values for text in _texts(value))
    reason = type(error).__name__ if repeats or not said else said
    message = (
        f"the request cannot be made: {type_text(late.made)} {what} ({reason}); it waits "
        f"for {late!r}"
    )
    raise NoRequestError(message)


def _texts(value: object) -> Mapping[str, None]:
    """What a value may look like in a message."""
    return dict.fromkeys((str(value), repr(value), *texts_within(value)))
