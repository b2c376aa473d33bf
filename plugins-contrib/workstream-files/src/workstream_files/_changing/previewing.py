"""What would change (``preview``). Nothing is written."""

from __future__ import annotations

import difflib
import stat

from workstream.plugins import Preview

from .._sources import FileSource
from .replacing import Comparison, Wanted

MOST_LINES = 100
LINE_LENGTH = 300
MOST_COMPARED = 1024 * 1024


def as_text(path: str, details: tuple[str, ...]) -> str:
    """The clauses of a change as a text: a line each."""
    if not details:
        return f"{path}: no change"
    return "\n".join(f"{path}: {detail}" for detail in details)


def foreseen(
    path: str, clauses: tuple[str, ...], details: tuple[str, ...] = ()
) -> Preview:
    """What the clauses of a change come to."""
    if not clauses:
        return Preview(f"{path}: no change", changes=False)
    return Preview(f"{path}: {'; '.join(clauses)}", changes=True, details=details)


def foreseen_file(wanted: Wanted, comparison: Comparison, *, secret: bool) -> Preview:
    """The same for a file, with the lines that would change.

    These are shown only where they are no secret: where the content that is wanted
    holds none, and everybody on the machine may read what is there now.
    """
    return foreseen(
        wanted.path, comparison.details, _lines(wanted, comparison, secret=secret)
    )


def _lines(wanted: Wanted, comparison: Comparison, *, secret: bool) -> tuple[str, ...]:
    found = comparison.found
    if secret or found is None or comparison.same_content:
        return ()
    if not found.st_mode & stat.S_IROTH or not comparison.mode & stat.S_IROTH:
        return ()
    if max(found.st_size, wanted.source.size) > MOST_COMPARED:
        return ()
    with FileSource.opened(wanted.path) as source:
        old = b"".join(source.chunks())
    new = b"".join(wanted.source.chunks())
    return () if b"\0" in old + new else tuple(_diff(old, new))


def _diff(old: bytes, new: bytes) -> list[str]:
    before, after = (data.decode(errors="replace").splitlines() for data in (old, new))
    lines = list(difflib.unified_diff(before, after, "now", "then", lineterm=""))
    shown = [line[:LINE_LENGTH] for line in lines[:MOST_LINES]]
    if len(lines) > MOST_LINES:
        shown.append(f"[... {len(lines) - MOST_LINES:,} lines left out ...]")
    return shown
