"""What ``workstream export`` shows of a plan, and how it comes into a file."""

from __future__ import annotations

import os
import tempfile
from contextlib import suppress
from pathlib import Path

from .._plan.clone import clone
from .._plan.plan import Plan
from .._plan.walk import actions
from ._refusal import Refusal

__all__ = ["hidden", "write_file"]


def hidden(plan: Plan) -> Plan:
    """A copy without secrets, with all that the engine wrote.

    It says that it is scrubbed only when a request of it held a secret: the others hold
    all that it takes to run them again.

    Args:
        plan: The plan, loaded without plugins.
    """
    shown = clone(plan, keep_state=True, scrub=True)
    if not plan.scrubbed:
        pairs = zip(actions(plan), actions(shown), strict=True)
        shown.scrubbed = any(old.request != new.request for old, new in pairs)
    return shown


def write_file(path: Path, text: str, *, private: bool) -> None:
    """Write a file, in place of one that is there.

    Args:
        path: The file.
        text: All of it.
        private: Whether only its owner may read it.

    Raises:
        Refusal: It cannot be written; then what was there is still there.
    """
    # Through links; and what is no file, such as /dev/stdout, must not become one.
    path = Path(os.path.realpath(path))
    try:
        if path.exists() and not path.is_file():
            path.write_text(text, encoding="utf-8")
            return
        # Made for its owner alone: what is in it is nobody else's business until then.
        number, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        draft = Path(name)
        try:
            with os.fdopen(number, "w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            if not private:
                mask = os.umask(0o077)
                os.umask(mask)
                draft.chmod(0o666 & ~mask)
            draft.replace(path)
        except BaseException:
            with suppress(OSError):
                draft.unlink()
            raise
    except OSError as error:
        message = f"{path} cannot be written: {error.strerror or error}"
        raise Refusal(message) from error
