"""What the vault writes, each within one transaction, with the index that follows it."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from ..._codec.records import encode_freeze, encode_request, status_in
from ..._protocols.searching import Search
from ..._protocols.vault import (
    PlanRequest,
    PlanRow,
    Write,
    lock_refusal,
    locks_taken,
    next_number,
    refusal,
)
from ..._values.errors import PlanExistsError, StorageError
from ..._values.interventions import Freeze
from ..._values.state import Status
from ..store_marker import raise_version
from . import layout
from .index import lookup
from .index.keys import STATE, Index, is_ready
from .reader import Reader, damaged, freeze_in

if TYPE_CHECKING:
    from .environment import Environment

log = logging.getLogger("workstream")

RUNNING = Search(statuses=[Status.RUNNING])


def create(
    transaction: Any, row: PlanRow, data: bytes, definition: bytes, card: bytes
) -> None:
    """Store a new plan. Raises PlanExistsError."""
    plan = row.id.bytes
    if not transaction.put(layout.ROW + plan, data, overwrite=False):
        message = f"plan {row.id} is stored already"
        raise PlanExistsError(message)
    transaction.put(layout.DEFINITION + plan, definition)
    Index(transaction).add(row, card)


def take(transaction: Any, write: Write, steps: layout.Steps) -> StorageError | None:
    """Do one ``Write``, or say why not."""
    row = transaction.get(layout.ROW + write.plan_id.bytes)
    try:
        found = None if row is None else status_in(row)
    except Exception as fault:
        return damaged(write.plan_id, "its row", fault)
    expects = write.expect is not None
    reader = Reader(transaction)
    position = reader.last_number(layout.LOG, write.plan_id) if expects else 0
    error = refusal(write, found, position)
    wanted = locks_taken(write) if error is None else None
    if wanted:
        running = lookup.found(reader, RUNNING)
        error = lock_refusal(write, wanted, running)
    if error is None:
        cursor = transaction.cursor()
        cursor.putmulti(steps.puts)
        for first, last in steps.gone.items():
            layout.sweep(cursor, first, last)
        if row is not None and steps.row is not None:
            Index(transaction).move(write.plan_id, row, steps.row)
    return error


def delete(transaction: Any, plan_id: UUID) -> None:
    """Remove all that is stored of a plan."""
    before = transaction.get(layout.ROW + plan_id.bytes)
    if before is not None:
        Index(transaction).remove(plan_id, before)
    cursor = transaction.cursor()
    for purpose in layout.PURPOSES:
        prefix = purpose + plan_id.bytes
        layout.sweep(cursor, prefix, prefix + b"\xff" * 16)


def ask(
    transaction: Any, request: PlanRequest, if_not_started: Write, steps: layout.Steps
) -> Status:
    """Keep a request, or write what is written instead; the status that was found."""
    reader = Reader(transaction)
    plan_id = request.plan_id
    found = reader.row(plan_id).status
    if found is Status.NOT_STARTED:
        error = take(transaction, if_not_started, steps)
        if error is not None:
            raise error
    elif found is Status.RUNNING:
        position = reader.last_number(layout.LOG, plan_id)
        number = next_number(position, reader.last_number(layout.REQUEST, plan_id))
        key = layout.numbered_key(layout.REQUEST, plan_id, number)
        transaction.put(key, encode_request(request))
    return found


def set_freeze(transaction: Any, freeze: Freeze, expect: Freeze | None) -> bool:
    """Say what is now said of a freeze, if this was said before; whether it was."""
    if freeze_in(transaction.get(layout.FREEZE)) != expect:
        return False
    transaction.put(layout.FREEZE, encode_freeze(freeze))
    return True


def build_index(transaction: Any) -> None:
    """Make the index anew."""
    Index(transaction).build()


def make_ready(path: Path, env: Environment) -> None:
    """Build the index of a store that has none: of a new one, or one from before.

    Where there is no room for it, the store is read without. LMDB is let read only pages
    that are in order, as others would kill the process that was to tell of them.

    Raises:
        StoreFormatError: A page that this needs is not in order.
    """
    env.check_pages(STATE)
    with env.reading() as reader:
        if is_ready(reader.transaction):
            return
    env.check_pages()  # the index is built from all of them
    try:
        # First, or an engine that knows no index could write beside it.
        raise_version(path)
        env.write(build_index)
    except (OSError, StorageError) as error:
        log.warning("lists and searches read every plan: %s", error)
