"""Deploy a cluster: the same as for one server, over as many as an inventory names.

    python3 docs/examples/ssh_tier.py up /tmp/tier
    workstream run docs/examples/deploy_cluster.py -p inventory=/tmp/tier/inventory.csv \\
        -p ssh-config=/tmp/tier/ssh_config
    python3 docs/examples/ssh_tier.py down /tmp/tier

The inventory names the servers, so a builder makes the plan. One server goes first, then a
quarter of them, then the rest, as long as the first one stays healthy. A server that
already runs the version stays as it is. The plan tolerates one server that fails: it runs
the version before, in the pool. When more fail, the engine takes all of them back.
"""

from __future__ import annotations

import csv
from pathlib import Path

from deploy_server import Server

from workstream import Checks, Percent, Plan, PlanBuilder


def plan(
    inventory: Path,
    version: int = 2,
    at_a_time: int = 3,
    tolerate: int = 1,
    ssh_config: Path | None = None,
) -> Plan:
    """Deploy a version of the web service to a cluster.

    Args:
        inventory: A CSV file: the host's name, and where its service tells how it is.
        version: Which version it is to be.
        at_a_time: How many servers are worked on at once.
        tolerate: How many servers may fail.
        ssh_config: An ssh configuration in place of yours.
    """
    servers = [Server(host, url, ssh_config) for host, url in read(inventory)]
    builder = PlanBuilder(f"Deploy version {version} to {len(servers)} servers")

    builder.add_checks("pre_checks", Checks(actions=[]))
    for server in servers:
        builder.add_action(server.lets_us_in())
    builder.up()

    builder.add_block(
        "Servers",
        "One server, a quarter, the rest",
        batches=(1, Percent(25), Percent(100)),
        concurrency=at_a_time,
        tolerated_failures=tolerate,
    )
    builder.add_checks("batch_checks", Checks(actions=[]))
    builder.add_action(servers[0].serves(version)).up()
    for server in servers:
        builder.add_sequence(server.deploy(version)).up()
    return builder.plan()


def read(inventory: Path) -> list[tuple[str, str]]:
    """Each server's host and address.

    Raises:
        ValueError: A line has something else in it, or there is none.
    """
    with inventory.open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.reader(file) if row]
    wrong = [str(number) for number, row in enumerate(rows, 1) if len(row) != 2]
    if wrong or not rows:
        where = f"line {', '.join(wrong)}" if wrong else "the file is empty"
        message = f"{inventory}: {where}: write lines like web-1,http://web-1/health"
        raise ValueError(message)
    return [(host.strip(), url.strip()) for host, url in rows]
