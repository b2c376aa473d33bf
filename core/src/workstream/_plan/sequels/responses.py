"""Requests of a plan's sequel that need responses of what the sequel leaves out (RT-4)."""

from __future__ import annotations

from typing import Any

from ..._flow.late import Flowing, FlowText, Source, keys_in, replaced
from ..._secrets.responses import refuse, value_at
from ..._values.state import Status
from ..copying import deep_copy
from ..plan import BaseAction, Node, Plan
from ..walk import walk


class Flows:
    """Which requests need responses of actions that are left out (RT-4)."""

    def __init__(self, plan: Plan, left_out: set[int]) -> None:
        self.chains: dict[str, tuple[Node, ...]] = {}
        self.kept: list[BaseAction] = []
        self._sources: dict[str, BaseAction] = {}
        for item in walk(plan):
            node, chain = item.node, (*item.ancestors, item.node)
            if not isinstance(node, BaseAction):
                continue
            if not any(id(each) in left_out for each in chain):
                self.kept.append(node)
            elif node.key is not None:
                self._sources[node.key] = node
                self.chains[node.key] = chain

    def lacks(self, key: str) -> bool:
        """Whether it is the key of a left out action that did not complete."""
        source = self._sources.get(key)
        return source is not None and source.state.status is not Status.COMPLETED

    def request_of(self, action: BaseAction) -> object:
        """The request, with what left out actions responded in its places.

        Raises:
            NoRequestError: A value cannot be read, or is secret.
        """
        request = action.request
        if not any(key in self._sources for key in keys_in(request)):
            return deep_copy(request)
        return replaced(request, self._put)

    def _put(self, place: str, flowing: Flowing) -> Any:
        if isinstance(flowing, Source):
            return self._value(place, flowing)
        assert isinstance(flowing, FlowText)
        parts = tuple(
            self._value(place, part) if isinstance(part, Source) else part
            for part in flowing.parts
        )
        if any(isinstance(part, Source) for part in parts):
            return FlowText(flowing.template, parts)
        return flowing.template.format(*parts)

    def _value(self, place: str, source: Source) -> Any:
        """What a source refers to; the source itself where its action is kept."""
        action = self._sources.get(source.key)
        if action is None:
            return source
        value, secure = value_at(action.response, source, place)
        if action.state.status is not Status.COMPLETED:
            refuse(place, source, "that action did not complete")
        if secure:
            refuse(place, source, "it is a secret, which no plan may hold")
        return deep_copy(value)
