"""What people say to a plan while it runs, and when."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from workstream._values.interventions import Verb
from workstream._values.state import NoteValue

AUTHOR = "author"
"""Who submits the plans of cases and simulations."""


@attrs.frozen
class Told:
    """Something that a plan is told (CT-1).

    Attributes:
        at: When, in seconds; 0: before it is started.
        verb: What it is told.
        path: What it is about (OM-15); "": the plan itself.
        data: What else the verb needs.
        reason: Why.
        by: Who says it.
    """

    at: float
    verb: Verb
    path: str = ""
    data: Mapping[str, NoteValue] = attrs.field(factory=dict[str, NoteValue])
    reason: str = ""
    by: str = "somebody"
