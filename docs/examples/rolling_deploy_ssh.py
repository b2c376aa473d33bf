"""A rolling deploy over ssh: version 2 of a small web service over eight hosts.

    python3 docs/examples/ssh_tier.py up /tmp/tier
    workstream run docs/examples/rolling_deploy_ssh.py -p tier=/tmp/tier
    python3 docs/examples/ssh_tier.py down /tmp/tier

The hosts are eight sshd on ports of this machine (``ssh_tier.py``); everything else is as
it would be elsewhere. The plan copies releases as whole directories, and sends nothing
twice. It starts services by detached commands: kill it in the middle, with ``kill -9``,
type ``workstream resume``, and it finds the services that were starting.

Version 2 goes to one host, to a quarter of them, and to the rest, at most three at a time.
One host has a configuration that version 2 refuses. The plan tolerates one such host,
starts version 1 on it again, puts it back into the pool, and names it. When more hosts
fail, every host that was touched is taken back to version 1. The outcome names the hosts
where that did not work.
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
    Percent,
    Plan,
    Sequence,
    WhenDeferred,
)
from workstream_command import CheckCommand, Run
from workstream_http import HttpAction, HttpCheck, HttpCheckRequest, HttpRequest
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
                sequences=[machine.put_up() for machine in machines],
            ),
            Block(
                name="Version 2",
                description="One host, a quarter, the rest; one bad one is tolerated",
                batches=(1, Percent(25), Percent(100)),
                concurrency=3,
                tolerated_failures=1,
                cont_checks=Checks(
                    delay=0.5, actions=[tier_check("Tier answers", tier, enough)]
                ),
                sequences=[machine.upgrade() for machine in machines],
                batch_checks=Checks(actions=[machines[0].serves(2)]),
                post_checks=Checks(
                    actions=[tier_check("Tier is upgraded", tier, hosts - 1, "v2")]
                ),
            ),
        ],
        # Last of all, when nothing can be taken back any more; a batch for each host, so
        # that one that cannot be cleaned up does not keep the others from it.
        deferred_actions=DeferredActions(
            batches=[machine.clean_up() for machine in machines]
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

    def serves(self, version: int) -> CheckAction:
        """It answers, with this version."""
        return HttpCheck.action(
            HttpCheckRequest(url=self.url, json_equals={"/version": version}),
            name=f"{self.name} serves version {version}",
        )

    def put_up(self) -> Sequence:
        """Bring version 1 onto the machine, and run it."""
        return Sequence(
            name=self.name,
            actions=[
                self._copy("Copy tools", WEB / "host.py", "~/host.py"),
                self._copy("Copy", WEB / "v1", "~/releases/v1"),
                self._do("Start", "start", "v1"),
            ],
        )

    def upgrade(self) -> Sequence:
        """Bring version 2 onto the machine, see that it serves; or clean up there."""
        healthy = HttpRequest(url=self.url, json_equals={"/version": 2})
        return Sequence(
            name=self.name,
            actions=[
                self._do("Drain", "drain"),
                self._copy("Copy", WEB / "v2", "~/releases/v2"),
                self._do("Start", "start", "v2"),
                HttpAction.action(healthy, name="Health", timeout=5, retries=8),
            ],
            deferred_actions=DeferredActions(
                batches=[
                    DeferBatch(
                        name="Restart version 1",
                        when=WhenDeferred.ON_FAILURE,
                        actions=[self._do("Start", "start", "v1")],
                    ),
                    DeferBatch(
                        name="Back into the pool",
                        when=WhenDeferred.ALWAYS,
                        actions=[self._do("Undrain", "undrain")],
                    ),
                    DeferBatch(
                        name="Back to version 1",
                        when=WhenDeferred.ON_UNDO,
                        actions=[
                            self._do("Drain", "drain"),
                            self._do("Start", "start", "v1"),
                            self._do("Remove", "remove", "v2"),
                            self._do("Undrain", "undrain"),
                        ],
                    ),
                ]
            ),
        )

    def clean_up(self) -> DeferBatch:
        """Remove the releases that do not run."""
        return DeferBatch(
            name=f"Clean {self.name}",
            when=WhenDeferred.ALWAYS,
            actions=[self._do("Clean", "clean")],
        )

    def _copy(self, name: str, source: Path, target: str) -> Action:
        copy = CopyTo(self.host, str(source.resolve()), target, make_parents=True)
        return SshCopy.action(copy, name=name, retries=2)

    def _do(self, name: str, command: str, *args: str) -> Action:
        # Detached, so that after a crash of ours it is found again, and not run twice.
        script = 'python3 host.py "$1" "$HOME" ${2:+"$2"}'
        words = ShellOn(
            self.host, script, args=(command, *args), cwd="~", detached=True
        )
        return SshRun.action(words, name=name)


def tier_check(
    name: str, tier: Path, at_least: int, version: str | None = None
) -> CheckAction:
    """So many hosts of the tier must answer, with this version if one is given."""
    words: list[object] = [sys.executable, WEB / "host.py", "count", tier.resolve()]
    words += ["--at-least", at_least, *(["--version", version] if version else [])]
    return CheckCommand.action(Run(tuple(map(str, words))), name=name)
