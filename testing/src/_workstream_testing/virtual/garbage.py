"""The garbage collector, while runs go on."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Generator

FEW_LOOKS = 400_000
"""After how many new objects the garbage collector looks while a run goes on."""


@contextlib.contextmanager
def few_looks() -> Generator[None]:
    """Let the garbage collector look less often.

    What a run makes lives as long as the run: to look through it again and again for
    garbage takes as long as all the rest.
    """
    thresholds = gc.get_threshold()
    if gc.isenabled():
        gc.set_threshold(max(thresholds[0], FEW_LOOKS), *thresholds[1:])
    try:
        yield
    finally:
        gc.set_threshold(*thresholds)
