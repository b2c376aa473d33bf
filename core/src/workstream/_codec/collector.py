"""The garbage collector beside whole plans, which are many objects and no garbage."""

from __future__ import annotations

import gc
from collections.abc import Callable, Generator
from contextlib import contextmanager

_spared = False
"""Whether ``collector_spared`` keeps objects frozen. To count them takes milliseconds."""


@contextmanager
def collector_paused() -> Generator[None]:
    """Let the collector rest while a plan is made: to look through it takes as long again.

    What was made is then put among the old objects at once, which costs nothing: the
    collector would scan all of it twice more before it counted as old.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if not (_spared or gc.get_freeze_count()):  # else they are to be kept frozen
            gc.freeze()
            gc.unfreeze()
        if was_enabled:
            gc.enable()


@contextmanager
def collector_spared() -> Generator[Callable[[], None]]:
    """Yields a function that freezes the garbage collector's current objects.

    A whole plan is in memory for as long as it runs. A look through a very large one (of
    a hundred thousand actions) stops its run for some tenths of a second.
    """
    global _spared
    others = _spared or gc.get_freeze_count()  # somebody else's, to be left as they are

    def spare() -> None:
        global _spared
        if not others:
            gc.freeze()
            _spared = True

    try:
        yield spare
    finally:
        if not others:
            _spared = False
            gc.unfreeze()
