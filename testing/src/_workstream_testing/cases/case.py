"""One conformance case."""

from __future__ import annotations

import attrs


@attrs.frozen
class Case:
    """One case.

    Attributes:
        id: Its id; never used for another one.
        plan: The plan, in the notation (``notation``).
        expected: What must hold at its end (``expectations``).
        rules: The rules that it tests.
        stop_at: When it is stopped, in seconds since it began.
        told: What else it is told (``tellings``): ``at 2 pause; at 4 unpause``.
        found_after: Seconds by which it was found later than the notation says.
    """

    id: str
    plan: str
    expected: str
    rules: str
    stop_at: float | None = attrs.field(default=None, kw_only=True)
    told: str = attrs.field(default="", kw_only=True)
    found_after: float | None = attrs.field(default=None, kw_only=True)
