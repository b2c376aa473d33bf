"""Hosts over OpenSSH: ``ssh.run``, ``ssh.check`` and ``ssh.copy``.

::

    SshRun.action(RunOn("web-1", ("systemctl", "restart", "nginx")), name="Restart")
    SshCheck.action(ShellOn("web-1", "df -P / | grep -v 9.%"), name="Disk has room")
    SshCopy.action(CopyTo("web-1", "/srv/build/app", "/opt/app/v2"), name="Copy")
"""

from ._connecting.become import Become, BecomeMethod
from ._connecting.connections import Connections, Limits
from ._connecting.hosts import Host, KnownHosts
from ._connecting.problems import SshProblem
from ._plugins import SshCheck, SshCopy, SshRun, ssh_plugins, workstream_plugins
from ._requests import CopyFrom, CopyResult, CopyTo, RunOn, RunResult, ShellOn

__all__ = [
    "Become",
    "BecomeMethod",
    "Connections",
    "CopyFrom",
    "CopyResult",
    "CopyTo",
    "Host",
    "KnownHosts",
    "Limits",
    "RunOn",
    "RunResult",
    "ShellOn",
    "SshCheck",
    "SshCopy",
    "SshProblem",
    "SshRun",
    "ssh_plugins",
    "workstream_plugins",
]

workstream_plugin_api = 1
