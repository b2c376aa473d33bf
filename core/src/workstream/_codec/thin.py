"""Records of attempts without what is large in them, and with it again.

A store that keeps responses apart from states thins its records: what decides how a plan
goes on stays in them, in a few dozen bytes.
"""

from __future__ import annotations

from typing import Any

import attrs

from .._protocols.vault import NodeRecord
from .._values.wire import pack, unpack
from .records import STATUSES

_RECORD = b"\x01"
_STATUS, _BEGAN, _RESPONSE, _ERROR = 0, 3, 5, 6
"""Where these are in a record: see ``Codec.record_of``."""
LONG = 200
"""Letters of an error's message that a thin record keeps, and bytes from which on it is
worth while to thin one."""


def is_thin(record: NodeRecord) -> bool:
    """Whether there is nothing large in it."""
    return not record.attempt or len(record.data) <= LONG


def is_over(record: NodeRecord) -> bool:
    """Whether the object has ended, by this record of it."""
    return STATUSES[unpack(_RECORD, record.data)[_STATUS]].is_terminal


def thin(record: NodeRecord) -> NodeRecord:
    """The record of an attempt without its response, its errors' messages cut."""
    form = unpack(_RECORD, record.data)
    form[_RESPONSE] = None
    if form[_ERROR] is not None:
        form[_ERROR] = [[text[:LONG], *rest] for text, *rest in form[_ERROR][:2]]
    return attrs.evolve(record, data=pack(_RECORD, form))


def filled(record: NodeRecord, whole: bytes) -> NodeRecord:
    """A thin record with what was taken out; as it is if that was another attempt's.

    Args:
        record: The thin record.
        whole: Data of the record as it was, perhaps before its object had ended.
    """
    form: list[Any] = unpack(_RECORD, record.data)
    before: list[Any] = unpack(_RECORD, whole)
    if not record.attempt or form[_BEGAN] != before[_BEGAN]:
        return record  # a group of checks was run anew since
    form[_RESPONSE], form[_ERROR] = before[_RESPONSE], before[_ERROR]
    return attrs.evolve(record, data=pack(_RECORD, form))
