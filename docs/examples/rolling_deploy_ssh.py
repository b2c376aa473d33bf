"""A rolling deploy over ssh: version 2 of a small web service over eight hosts.

    python3 docs/examples/ssh_tier.py up /tmp/tier
    workstream run docs/examples/rolling_deploy_ssh.py -p tier=/tmp/tier
    python3 docs/examples/ssh_tier.py down /tmp/tier

The hosts are eight sshd on ports of this machine (``ssh_tier.py``); everything else is as
it would be elsewhere. Releases are copied as whole directories, whatever is there already
is not copied again, and services are started by detached commands: kill this in the
middle, with ``kill -9``, type ``workstream resume``, and the ones that were being started
are found again. One host has a configuration that version 2 refuses; one such host is
tolerated, and the plan tells which it was.
"""

from __future__ import annotations

import sys
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
from workstream_command import CheckCommand, Run
from workstream_http import HttpAction, HttpRequest
from workstream_ssh import CopyTo, Host, RunOn, ShellOn, SshCheck, SshCopy, SshRun

WEB = Path(__file__).parent / "web"


def plan(tier: Path, hosts: int = 8, first_web_port: int = 8801) -> Plan:
    """Deploy version 2 of the web service over ssh.

    Args:
        tier: The directory that ``ssh_tier.py up`` was given.
        hosts: How many hosts the tier has.
        first_web_port: The port of the first host's service; the others follow it.
    """
    machines = [
        Machine(f"web-{number}", tier, first_web_port + number - 1)
        for number in range(1, hosts + 1)
    ]
    enough = max(hosts - 4, 1)
    return Plan(
        name="Rolling deploy over ssh",
        description="Version 2 of the web service, host by host",
        pre_checks=Checks(actions=[machine.is_ready() for machine in machines]),
        blocks=[
            Block(
                name="Version 1",
                description="What ran before: put up so that there is a tier to upgrade",
                concurrency=8,
                sequences=[machine.deploy("v1") for machine in machines],
            ),
            Block(
                name="Version 2",
                description="Three hosts at a time; one bad one is tolerated",
                concurrency=3,
                tolerated_failures=1,
                cont_checks=Checks(
                    delay=0.5, actions=[tier_check("Tier answers", tier, enough)]
                ),
                sequences=[machine.deploy("v2") for machine in machines],
                post_checks=Checks(
                    actions=[tier_check("Tier is upgraded", tier, hosts - 1, "v2")]
                ),
            ),
        ],
        deferred_actions=DeferredActions(
            batches=[
                DeferBatch(
                    name="Clean up",
                    when=WhenDeferred.ALWAYS,
                    actions=[machine.clean_up() for machine in machines],
                )
            ]
        ),
    )


class Machine:
    """One machine of the tier, and what is done on it."""

    def __init__(self, name: str, tier: Path, web_port: int) -> None:
        self.name = name
        self.host = Host(name, config_file=str(tier.resolve() / "ssh_config"))
        self.url = f"http://127.0.0.1:{web_port}/health"

    def is_ready(self) -> CheckAction:
        """It lets us in, and has been configured."""
        look = RunOn(self.host, ("test", "-f", "web.json"), cwd="~")
        return SshCheck.action(look, name=f"{self.name} is ready", retries=1)

    def deploy(self, version: str) -> Sequence:
        """Bring a version onto the machine, and see that it serves."""
        healthy = HttpRequest(
            url=self.url, json_equals={"/version": int(version.removeprefix("v"))}
        )
        return Sequence(
            name=self.name,
            actions=[
                self._copy("Copy tools", WEB / "host.py", "~/host.py"),
                self._copy("Copy", WEB / version, f"~/releases/{version}"),
                self._do("Start", 'python3 host.py start "$HOME" "$1"', version),
                HttpAction.action(healthy, name="Health", timeout=5, retries=8),
            ],
        )

    def clean_up(self) -> Action:
        """Remove the releases that do not run."""
        return self._do(f"Clean {self.name}", 'python3 host.py clean "$HOME"')

    def _copy(self, name: str, source: Path, target: str) -> Action:
        copy = CopyTo(self.host, str(source.resolve()), target, make_parents=True)
        return SshCopy.action(copy, name=name, retries=2)

    def _do(self, name: str, script: str, *args: str) -> Action:
        command = ShellOn(self.host, script, args=args, cwd="~", detached=True)
        return SshRun.action(command, name=name)


def tier_check(
    name: str, tier: Path, at_least: int, version: str | None = None
) -> CheckAction:
    """So many hosts of the tier must answer, with this version if one is given."""
    words: list[object] = [sys.executable, WEB / "host.py", "count", tier.resolve()]
    words += ["--at-least", at_least, *(["--version", version] if version else [])]
    return CheckCommand.action(Run(tuple(map(str, words))), name=name)
