"""Find the Python interpreter for a child process."""

from __future__ import annotations

import os
import re
import sys

from .._values.state import PluginError

KNOWN = re.compile(r"(python|pypy|graalpy)[\d.]*[a-z]*(\.exe)?", re.IGNORECASE)


def python_interpreter() -> str:
    """The path of a Python interpreter for a child process of a plugin.

    ``sys.executable`` may be another program: an application that is packed into one
    file, or one that embeds Python. Starting that would begin the application again.

    Raises:
        PluginError: There is no interpreter. It is permanent; raised in ``init``, it
            makes the plugin unusable before a plan runs.
    """
    program = sys.executable or ""
    if getattr(sys, "frozen", False):
        message = (
            f"this program ({program or 'its name is not known'}) is packed into one "
            "file and brings no Python interpreter, which this plugin must start: run "
            "the engine by an installed Python"
        )
        raise PluginError(message, permanent=True)
    if KNOWN.fullmatch(os.path.basename(program)):
        return program
    import sysconfig  # not where this program is the interpreter itself

    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    own = os.path.join(sysconfig.get_config_var("BINDIR") or "", version)
    if os.access(own, os.X_OK):
        return own
    message = (
        f"there is no Python interpreter for this plugin to start: {program!r} is "
        f"another program, and {own} is not there"
    )
    raise PluginError(message, permanent=True)
