"""Deploy a server: copy a release to its host, run it, and see that it is healthy.

    python3 docs/examples/ssh_tier.py up /tmp/tier --hosts 1
    workstream run docs/examples/deploy_server.py -p ssh-config=/tmp/tier/ssh_config
    python3 docs/examples/ssh_tier.py down /tmp/tier

The host is an sshd on a port of this machine (``ssh_tier.py``), or one of yours. The plan
may run twice: it does nothing if the server already runs the version, and it copies each
release once. When it fails, the engine takes the server back to the version before.
"""

from __future__ import annotations

from pathlib import Path

from workstream import (
    Action,
    Block,
    CheckAction,
    Checks,
    DeferBatch,
    DeferredActions,
    Plan,
    Sequence,
    WhenDeferred,
)
from workstream_http import HttpAction, HttpCheck, HttpCheckRequest, HttpRequest
from workstream_ssh import CopyTo, Host, RunOn, ShellOn, SshCheck, SshCopy, SshRun

WEB = Path(__file__).resolve().parent / "web"
TOOL = 'python3 host.py "$1" "$HOME" ${2:+"$2"}'
"""It stands for a service manager; with systemd, this is ``systemctl restart web``."""


def plan(
    host: str = "web-1",
    url: str = "http://127.0.0.1:8801/health",
    version: int = 2,
    ssh_config: Path | None = None,
) -> Plan:
    """Deploy a version of the web service to one host.

    Args:
        host: The host's name, as ssh knows it.
        url: Where the service tells how it is.
        version: Which version it is to be.
        ssh_config: An ssh configuration in place of yours.
    """
    server = Server(host, url, ssh_config)
    return Plan(
        name=f"Deploy version {version} to {host}",
        bypass_checks=Checks(actions=[server.serves(version)]),
        pre_checks=Checks(actions=[server.lets_us_in()]),
        blocks=[Block(name="Server", sequences=[server.deploy(version)])],
        post_checks=Checks(actions=[server.serves(version)]),
    )


class Server:
    """One server, and what is done on its host."""

    def __init__(self, host: str, url: str, ssh_config: Path | None) -> None:
        self.name = host
        self.url = url
        config = str(ssh_config.resolve()) if ssh_config else ""
        self.host = Host(host, config_file=config)

    def lets_us_in(self) -> CheckAction:
        """The host lets us in, and the service has been configured there."""
        look = RunOn(self.host, ("test", "-f", "web.json"), cwd="~")
        return SshCheck.action(look, name=f"{self.name} is ready", retries=1)

    def serves(self, version: int) -> CheckAction:
        """The service is well, and of this version."""
        healthy = HttpCheckRequest(url=self.url, json_equals={"/version": version})
        return HttpCheck.action(healthy, name=f"{self.name} serves version {version}")

    def deploy(self, version: int) -> Sequence:
        """Copy, run, wait until it is healthy; or clean up, or take it back."""
        healthy = HttpRequest(url=self.url, json_equals={"/version": version})
        release = f"v{version}"
        return Sequence(
            name=self.name,
            actions=[
                self._copy("Copy tools", WEB / "host.py", "~/host.py"),
                self._copy("Copy", WEB / release, f"~/releases/{release}"),
                self._do("Drain", "drain"),
                self._do("Run", "start", release),
                HttpAction.action(healthy, name="Health", timeout=5, retries=8),
            ],
            deferred_actions=DeferredActions(
                batches=[
                    DeferBatch(
                        name="Restart",
                        when=WhenDeferred.ON_FAILURE,
                        actions=[self._run_before(version)],
                    ),
                    DeferBatch(
                        name="Back into the pool",
                        when=WhenDeferred.ALWAYS,
                        actions=[self._do("Undrain", "undrain")],
                    ),
                    DeferBatch(
                        name="Take back",
                        when=WhenDeferred.ON_UNDO,
                        actions=[
                            self._do("Drain", "drain"),
                            self._run_before(version),
                            self._do("Undrain", "undrain"),
                        ],
                    ),
                ]
            ),
        )

    def _run_before(self, version: int) -> Action:
        """Run the version before, or, when there was none, nothing."""
        if version == 1:
            return self._do("Stop", "stop")
        return self._do(f"Run version {version - 1}", "start", f"v{version - 1}")

    def _copy(self, name: str, source: Path, target: str) -> Action:
        copy = CopyTo(self.host, str(source), target, make_parents=True)
        return SshCopy.action(copy, name=name, retries=2)

    def _do(self, name: str, *args: str) -> Action:
        # Detached, so that after a crash of ours it is found again, and not run twice.
        words = ShellOn(self.host, TOOL, args=args, cwd="~", detached=True)
        return SshRun.action(words, name=name)
