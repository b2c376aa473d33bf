"""Commands as actions and checks: ``command.run`` and ``command.check``.

::

    RunCommand.action(Run(("systemctl", "restart", "nginx")), name="Restart nginx")
    CheckCommand.action(Shell("df -P / | grep -v 9.%"), name="Disk has room")
"""

from ._plugins import CheckCommand, RunCommand, workstream_plugins
from ._requests import CommandResult, Run, Shell

__all__ = [
    "CheckCommand",
    "CommandResult",
    "Run",
    "RunCommand",
    "Shell",
    "workstream_plugins",
]

workstream_plugin_api = 1
