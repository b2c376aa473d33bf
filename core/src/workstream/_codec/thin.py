"""Records of attempts without what is large in them, and with it again.

A store that keeps responses apart from states thins its records: what decides how a plan
goes on stays in them, in a few dozen bytes. A thin record is marked as one.
"""

from __future__ import annotations

from typing import Any

import attrs

from .._protocols.vault import NodeRecord
from .._values.wire import pack, unpack
from .records import STATUSES

_RECORD = b"\x01"
_STATUS, _BEGAN, _RESPONSE, _ERROR, _FLAGS, _NOTES = 0, 3, 5, 6, 7, 8
"""Where these are in a record: see ``Codec.record_of``."""
_THIN = 4
"""The flag of a thin record, beside those of its attempt."""
LONG = 200
"""Letters of an error's message that a thin record keeps, as a rule."""
SMALL = 64
"""Bytes of a record that is not worth while to thin."""


def is_thin(record: NodeRecord) -> bool:
    """Whether what was large in it was taken out before."""
    if not record.attempt or len(record.data) <= SMALL:
        return False
    return bool(unpack(_RECORD, record.data)[_FLAGS] & _THIN)


def is_over(record: NodeRecord) -> bool:
    """Whether the object has ended, by this record of it."""
    return STATUSES[unpack(_RECORD, record.data)[_STATUS]].is_terminal


def thin(record: NodeRecord, *, letters: int = LONG, notes: bool = False) -> NodeRecord:
    """The record of an attempt without its response, its errors' messages cut.

    Args:
        record: The record; a small one is returned as it is.
        letters: How much of a message is kept; what is no longer is left as it is.
        notes: Keep what the attempt remembered: a later one of its action may ask.
    """
    if not record.attempt or len(record.data) <= max(SMALL, letters):
        return record
    form = unpack(_RECORD, record.data)
    form[_RESPONSE] = None
    if form[_ERROR] is not None:
        form[_ERROR] = [[text[:letters], *rest] for text, *rest in form[_ERROR][:2]]
    if not notes:
        form[_NOTES] = None
    form[_FLAGS] |= _THIN
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
    form[_FLAGS] &= ~_THIN
    if form[_NOTES] is None:
        form[_NOTES] = before[_NOTES]
    return attrs.evolve(record, data=pack(_RECORD, form))
