"""What a person who has a token tells a plan, or the store: each with a reason."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias
from uuid import UUID

import attrs

from workstream import OnFailure, Percent, Store, ValidationError
from workstream.results import Answer, Effect


@attrs.frozen(kw_only=True)
class Order:
    """One thing that somebody wants done.

    Attributes:
        by: Whose token came with it.
        reason: Why.
        path: The object of the plan that it is about; "": the plan.
        data: What else the verb needs.
    """

    by: str
    reason: str
    path: str = ""
    data: Mapping[str, Any] = attrs.field(factory=dict[str, Any])

    @classmethod
    def of(cls, body: Any, by: str) -> Order:
        """Read the body of a request. Raises ValidationError."""
        if not isinstance(body, dict):
            message = "the body is no JSON object"
            raise ValidationError(message)
        data: dict[str, Any] = {str(name): value for name, value in body.items()}  # pyright: ignore
        reason, path = data.pop("reason", ""), data.pop("path", "")
        if not isinstance(reason, str) or not reason.strip():
            message = "there is no reason: say why, for those who look later"
            raise ValidationError(message)
        if not isinstance(path, str):
            message = "path is no text"
            raise ValidationError(message)
        return cls(by=by, reason=reason.strip(), path=path, data=data)

    def flag(self, name: str) -> bool:
        """Something that is asked for, or not. Raises ValidationError."""
        value = self.data.get(name, False)
        if not isinstance(value, bool):
            message = f"{name} is neither true nor false"
            raise ValidationError(message)
        return value

    def number(self, name: str) -> int | None:
        """A whole number; None: it was left out. Raises ValidationError."""
        value = self.data.get(name)
        if value is not None and (not isinstance(value, int) or value is True):
            message = f"{name} is no whole number"
            raise ValidationError(message)
        return value

    def tolerance(self, name: str) -> int | Percent | None:
        """A whole number or ``"10%"``; None: it was left out. Raises ValidationError."""
        value = self.data.get(name)
        if not isinstance(value, str):
            return self.number(name)
        text = value.strip()
        try:
            share = text.removesuffix("%")
            return Percent(int(share)) if share != text else int(text)
        except ValueError as error:
            message = f"{name} is no number: write 3, 10% or -1"
            raise ValidationError(message) from error

    def choice(self, name: str) -> OnFailure | None:
        """What a failure means; None: it was left out. Raises ValidationError."""
        value = self.data.get(name)
        if value is None:
            return None
        for each in OnFailure:
            if value == each.value:
                return each
        words = " or ".join(each.value for each in OnFailure)
        message = f"{name} must be {words}"
        raise ValidationError(message)

    def text(self, name: str) -> str:
        """A text that is not empty. Raises ValidationError."""
        value = self.data.get(name)
        if not isinstance(value, str) or not value.strip():
            message = f"{name} is missing"
            raise ValidationError(message)
        return value.strip()

    def value(self, name: str) -> str | float | bool | None:
        """Something small that an action gets. Raises ValidationError."""
        value = self.data.get(name, "")
        if value is None or isinstance(value, str | int | float | bool):
            return value
        message = f"{name} is neither a text, a number, true, false nor null"
        raise ValidationError(message)


Verb: TypeAlias = Callable[[Store, UUID, Order], Awaitable[str]]


async def _pause(store: Store, plan_id: UUID, order: Order) -> str:
    return _words(await store.pause(plan_id, reason=order.reason, by=order.by))


async def _unpause(store: Store, plan_id: UUID, order: Order) -> str:
    return _words(await store.unpause(plan_id, reason=order.reason, by=order.by))


async def _skip(store: Store, plan_id: UUID, order: Order) -> str:
    done = await store.skip(plan_id, order.path, reason=order.reason, by=order.by)
    return _words(done)


async def _approve(store: Store, plan_id: UUID, order: Order) -> str:
    done = await store.approve(plan_id, order.path, reason=order.reason, by=order.by)
    return _words(done)


async def _reject(store: Store, plan_id: UUID, order: Order) -> str:
    done = await store.reject(plan_id, order.path, reason=order.reason, by=order.by)
    return _words(done)


async def _stop(store: Store, plan_id: UUID, order: Order) -> str:
    await store.stop(
        plan_id,
        reason=order.reason,
        by=order.by,
        now=order.flag("now"),
        undo=order.flag("undo"),
    )
    return "asked"


async def _limits(store: Store, plan_id: UUID, order: Order) -> str:
    answer = await store.set_limits(
        plan_id,
        order.path,
        concurrency=order.number("concurrency"),
        tolerated_failures=order.tolerance("tolerated_failures"),
        max_consecutive_failures=order.number("max_consecutive_failures"),
        on_failure=order.choice("on_failure"),
        reason=order.reason,
        by=order.by,
    )
    return _words(answer)


async def _signal(store: Store, plan_id: UUID, order: Order) -> str:
    answer = await store.signal(
        plan_id,
        order.path,
        order.text("name"),
        order.value("value"),
        reason=order.reason,
        by=order.by,
    )
    return _words(answer)


async def _exempt(store: Store, plan_id: UUID, order: Order) -> str:
    held = await store.exempt(plan_id, reason=order.reason, by=order.by)
    return "taken" if held else "it was let through before"


def _words(answer: Answer) -> str:
    """What became of it."""
    if answer.pending is not None:
        return "asked; the run that takes it has not answered yet"
    told = answer.intervention
    if told is None:
        return "it was so already"
    if told.effect is Effect.TAKEN:
        return "taken"
    return f"{told.effect.value}: {told.words}"


PLAN_VERBS: dict[str, Verb] = {
    "pause": _pause,
    "unpause": _unpause,
    "approve": _approve,
    "reject": _reject,
    "skip": _skip,
    "stop": _stop,
    "limits": _limits,
    "signal": _signal,
    "exempt": _exempt,
}


async def freeze(store: Store, order: Order) -> str:
    """Hold all plans of the store."""
    fresh = await store.freeze(reason=order.reason, by=order.by)
    return "taken" if fresh else "it was frozen before"


async def unfreeze(store: Store, order: Order) -> str:
    """Let them go on."""
    was = await store.unfreeze(reason=order.reason, by=order.by)
    return "taken" if was else "it was not frozen"


STORE_VERBS: dict[str, Callable[[Store, Order], Awaitable[str]]] = {
    "freeze": freeze,
    "unfreeze": unfreeze,
}
