"""Old names for ``_values.annotations``; it goes when nothing imports it any more."""

from .annotations import TypeArgument as TypeArgument
from .annotations import members as union_members
from .annotations import type_text as type_text

__all__ = ["TypeArgument", "type_text", "union_members"]
