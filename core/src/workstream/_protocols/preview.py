"""The preview of an action: its question and its answer (PV-5).

::

    async def preview(self, context: PreviewContext, request: CopyRequest, /) -> Preview:
        if await same_file(request):
            return Preview(f"{request.path}: no change", changes=False)
        return Preview(f"{request.path}: replaced", changes=True)

A preview is a look at the world as it is *now*, and its author need not think of the
steps before it: the engine knows them. Where the action would fail as things are now, the
preview raises ``PluginError``; if a step before may change that, the dry run says so.
There are three answers and not two, and the third is no weakness: who says "cannot tell"
when that is so can be believed when saying anything else.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Protocol

import attrs


def _check_summary(_: Preview, __: object, value: Any) -> None:
    if not isinstance(value, str) or not value.strip():
        message = (
            f"the summary of a Preview is a sentence for people, not {value!r}: say "
            "what would change, or why that cannot be told"
        )
        raise TypeError(message)


def _check_changes(_: Preview, __: object, value: Any) -> None:
    if value is not None and not isinstance(value, bool):
        message = (
            f"changes of a Preview is {value!r}: give True, False, or None where it "
            "cannot be told"
        )
        raise TypeError(message)


def _lines(details: Iterable[str]) -> tuple[str, ...]:
    """The details line by line; a text in place of them would fall apart into letters."""
    given: tuple[Any, ...] = () if isinstance(details, str) else tuple(details)
    if details and not (given and all(isinstance(line, str) for line in given)):
        message = f"details of a Preview is {details!r}: give a tuple of texts"
        raise TypeError(message)
    return tuple(line for text in given for line in text.splitlines() or [""])


@attrs.frozen
class Preview:
    """What an action would do: the answer of ``ActionPlugin.preview`` (PV-5).

    The values of the request's secrets are hidden in it (CL-8); what else is secret, the
    content of a private file for example, only the plugin knows, and leaves out.

    Attributes:
        summary: One line for people: what would change, or why that cannot be told.
        changes: Whether the action would change anything; None: it cannot be told.
        details: Further lines, such as the lines of a file that would differ. Of many,
            the first 200 are kept.

    Raises:
        TypeError: A value is not of its type.
    """

    summary: str = attrs.field(validator=_check_summary)
    changes: bool | None = attrs.field(kw_only=True, validator=_check_changes)
    details: tuple[str, ...] = attrs.field(default=(), converter=_lines)


class PreviewContext(Protocol):
    """The information for a preview (PV-5).

    There is nothing to remember and nobody to report to: a preview leaves nothing
    behind. Every ``Context`` has all of this.
    """

    @property
    def path(self) -> str:
        """The action's address in the plan, for messages (OM-15)."""
        ...

    @property
    def deadline(self) -> datetime | None:
        """When the preview will be cancelled; None: never."""
        ...
