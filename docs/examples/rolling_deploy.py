"""A rolling deploy: version 2 of a small web service over a tier of eight hosts.

    workstream run docs/examples/rolling_deploy.py

The hosts are directories on this machine, each with a real process on a real port
(``web/host.py``); everything else is as it would be elsewhere. The plan puts up version 1
first. Then version 2 goes to one host, to a quarter of them, and to the rest, at most
three at a time. Before each batch, the first host must serve version 2; a continuous check
watches that most of the tier answers.

The configuration of one host has held a mistake for years: version 2 refuses to start.
The plan tolerates one such host, starts version 1 on it again, puts it back into the pool,
and names it. When more hosts fail, every host that was touched is taken back to version 1.
The outcome names the hosts where that did not work.

Kill it in the middle, with ``kill -9``, and type ``workstream resume``.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from workstream import (
    Action,
    Block,
    CheckAction,
    Checks,
    DeferBatch,
    DeferredActions,
    OnInterrupt,
    Percent,
    Plan,
    Sequence,
    WhenDeferred,
)
from workstream_command import CheckCommand, Run, RunCommand
from workstream_http import HttpAction, HttpCheck, HttpCheckRequest, HttpRequest

HERE = Path(__file__).parent / "web"
ROOT = Path(tempfile.gettempdir()) / "workstream-rolling-deploy"
BAD_HOST = 5
"""The host whose configuration says ``"workers": "many"``."""


def plan(
    hosts: int = 8,
    root: Path = ROOT,
    first_port: int = 8801,
    keep: bool = False,
    bad: tuple[int, ...] = (BAD_HOST,),
) -> Plan:
    """Deploy version 2 of the web service.

    Args:
        hosts: How many hosts the tier has.
        root: The directory that holds them.
        first_port: The port of the first host; the others follow it.
        keep: Leave the tier running when all is done.
        bad: The hosts on which version 2 does not start.
    """
    tier = [
        Host(root / f"web-{n}", first_port + n - 1, is_bad=n in bad)
        for n in range(1, hosts + 1)
    ]
    enough = max(hosts - 4, 1)
    return Plan(
        name="Rolling deploy",
        description="Version 2 of the web service, host by host",
        pre_checks=Checks(
            actions=[
                check("Release is complete", "test", "-f", HERE / "v2" / "web.py"),
            ]
        ),
        blocks=[
            Block(
                name="Version 1",
                description="What ran before: put up so that there is a tier to upgrade",
                concurrency=8,
                sequences=[host.put_up() for host in tier],
            ),
            Block(
                name="Version 2",
                description="One host, a quarter, the rest; one bad one is tolerated",
                batches=(1, Percent(25), Percent(100)),
                concurrency=3,
                tolerated_failures=1,
                pre_checks=Checks(actions=[tier_check("Tier is whole", root, hosts)]),
                cont_checks=Checks(
                    delay=0.5,
                    actions=[tier_check("Tier answers", root, enough)],
                ),
                sequences=[host.upgrade() for host in tier],
                batch_checks=Checks(actions=[tier[0].serves(2)]),
                post_checks=Checks(
                    actions=[
                        tier_check("Tier is upgraded", root, hosts - 1, version="v2")
                    ]
                ),
            ),
        ],
        post_checks=Checks(actions=[tier[0].serves(2)]),
        # Last of all, when nothing can be taken back any more; a batch for each host, so
        # that one that cannot be cleaned up does not keep the others from it.
        deferred_actions=DeferredActions(
            batches=[host.clean_up(keep) for host in tier]
        ),
    )


class Host:
    """One machine of the tier, and what is done on it."""

    def __init__(self, path: Path, port: int, *, is_bad: bool) -> None:
        self.path = path
        self.name = path.name
        self.port = port
        self.workers = "many" if is_bad else "4"
        self.url = f"http://127.0.0.1:{port}/health"

    def put_up(self) -> Sequence:
        """Make the host, with version 1 running on it."""
        ready = ("--port", self.port, "--workers", self.workers)
        return Sequence(
            name=self.name,
            actions=[
                self._do("Prepare", "prepare", *ready),
                self._do("Install", "install", HERE / "v1"),
                self._do("Start", "start", "v1"),
            ],
        )

    def upgrade(self) -> Sequence:
        """Bring version 2 onto the host, and see that it serves; or clean up there."""
        healthy = HttpRequest(url=self.url, json_equals={"/version": 2})
        return Sequence(
            name=self.name,
            actions=[
                self._do("Drain", "drain"),
                self._do("Copy", "install", HERE / "v2"),
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

    def serves(self, version: int) -> CheckAction:
        """It answers, with this version."""
        return HttpCheck.action(
            HttpCheckRequest(url=self.url, json_equals={"/version": version}),
            name=f"{self.name} serves version {version}",
        )

    def clean_up(self, keep: bool) -> DeferBatch:
        """Remove the releases that do not run; or all of it, the process first."""
        words = [] if keep else ["--all"]
        return DeferBatch(
            name=f"Clean {self.name}",
            when=WhenDeferred.ALWAYS,
            actions=[self._do("Clean", "clean", *words)],
        )

    def _do(self, name: str, command: str, *words: object) -> Action:
        return run(name, sys.executable, HERE / "host.py", command, self.path, *words)


def run(name: str, *words: object) -> Action:
    """A command. All of ours may be given twice, so an interrupted one runs again."""
    return RunCommand.action(
        Run(argv=tuple(map(str, words))),
        name=name,
        on_interrupt=OnInterrupt.RERUN,
    )


def check(name: str, *words: object) -> CheckAction:
    """A command that looks and changes nothing, so a dry run may run it too."""
    return CheckCommand.action(
        Run(argv=tuple(map(str, words))), name=name, safe_in_preview=True
    )


def tier_check(
    name: str, root: Path, at_least: int, version: str | None = None
) -> CheckAction:
    """So many hosts of the tier must answer, with this version if one is given."""
    words: list[object] = [sys.executable, HERE / "host.py", "count", root]
    words += ["--at-least", at_least]
    return check(name, *words, *(["--version", version] if version else []))
