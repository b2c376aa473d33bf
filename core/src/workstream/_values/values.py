"""What is wrong with a single value: the questions that validation asks again and again.

Each answers with the rest of a sentence that begins with the field's name, or with
None when the value is as it should be. A bool is no number here, and neither is nan.
"""

from __future__ import annotations

import math
import sys
from typing import Any

GREATEST = 2**53
"""Up to here every JSON reader keeps whole numbers exact."""


def text_problem(value: Any, *, blank: bool = False, longest: int = 0) -> str | None:
    """What keeps a value from being a text that can be stored.

    Args:
        value: Anything.
        blank: Whether it may be blank.
        longest: How many characters it may have; 0: any number.
    """
    if not isinstance(value, str):
        return f"must be a text, not {kind_of(value)}"
    if not blank and not value.strip():
        return "must not be blank"
    if longest and len(value) > longest:
        return f"must have at most {longest} characters, not {len(value):,}"
    try:
        value.encode()
    except UnicodeEncodeError as error:
        code = f"U+{ord(value[error.start]):04X}"
        return f"cannot be stored: character {error.start + 1} is half a pair ({code})"
    return None


def number_problem(
    value: Any, *, least: float, above: bool = False, infinite: bool = False
) -> str | None:
    """What keeps a value from being a number of seconds.

    Args:
        value: Anything.
        least: The least value.
        above: Whether it must be greater than that.
        infinite: Whether it may be infinite.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return f"must be a number of seconds, not {kind_of(value)}"
    if value != value:
        return "must be a number of seconds, not nan"
    if value < least or (above and value == least):
        wanted = "greater than" if above else "at least"
        return f"must be {wanted} {least:g}, not {_shown(value)}"
    if value == math.inf and infinite:
        return None
    return "must be finite" if value > sys.float_info.max else None


def whole_number_problem(value: Any, *, least: int) -> str | None:
    """What keeps a value from being a whole number of at least so much."""
    if isinstance(value, bool) or not isinstance(value, int):
        return f"must be a whole number, not {kind_of(value)}"
    if value < least:
        return f"must be at least {least}, not {_shown(value)}"
    return "is too large" if value > GREATEST else None


def type_problem(value: Any, wanted: type, *, optional: bool = False) -> str | None:
    """What keeps a value from being an instance of a class, or None where it may be."""
    if isinstance(value, wanted) or (optional and value is None):
        return None
    either = " or None" if optional else ""
    return f"must be {kind_of_class(wanted)}{either}, not {kind_of(value)}"


def kind_of(value: object) -> str:
    """What a value is, for messages: None, a list, an Action ..."""
    return "None" if value is None else kind_of_class(type(value))


def kind_of_class(wanted: type) -> str:
    """As ``kind_of``, of a class."""
    name = wanted.__name__
    # Not before a U: of the names that begin with one, most are read as "you".
    return f"{'an' if name[:1].lower() in 'aeio' else 'a'} {name}"


def _shown(value: Any) -> str:
    # Python refuses to write out a whole number of thousands of digits.
    if isinstance(value, int) and abs(value) > GREATEST:
        return "a number so far below"
    return f"{value:g}"
