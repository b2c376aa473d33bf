"""Create a machine over HTTP, and put a service on it: its address flows through the plan.

    python3 docs/examples/cloud.py up /tmp/cloud
    workstream run docs/examples/new_machine.py -p ssh-config=/tmp/cloud/ssh_config
    python3 docs/examples/cloud.py down /tmp/cloud

When the plan is written, nobody knows the machine's address. ``Create`` takes it from the
answer, and the actions after it refer to it. If the service does not come up, the undo
removes the machine again, by the id in the same answer.
"""

from __future__ import annotations

from pathlib import Path

from workstream import (
    Block,
    DeferBatch,
    DeferredActions,
    Plan,
    Sequence,
    WhenDeferred,
    late,
    text,
)
from workstream_http import HttpAction, HttpRequest
from workstream_ssh import CopyTo, Host, ShellOn, SshCopy, SshRun

WEB = Path(__file__).resolve().parent / "web"


def plan(
    cloud: str = "http://127.0.0.1:8800",
    version: int = 1,
    ssh_config: Path | None = None,
) -> Plan:
    """Create a machine, and run the web service on it.

    Args:
        cloud: The address of the cloud's API.
        version: Which version of the service it is to be.
        ssh_config: An ssh configuration in place of yours.
    """
    new = HttpAction.response("machine").values
    host = late(Host)(
        new["address"],
        port=new["ssh_port"],
        config_file=str(ssh_config.resolve()) if ssh_config else "",
    )
    create = HttpRequest(
        method="POST",
        url=f"{cloud}/machines",
        json={"size": "small"},
        idempotency_key=True,  # after a crash, the same machine and not a second one
        take={
            "id": "/id",
            "address": "/address",
            "ssh_port": "/ssh_port",
            "web_port": "/web_port",
        },
    )
    delete = late(HttpRequest)(
        method="DELETE",
        url=text("{}/machines/{}", cloud, new["id"]),
        status="2xx, 404",
    )
    start = late(ShellOn)(
        host, 'python3 host.py start "$HOME" "$1"', args=(f"v{version}",), cwd="~"
    )
    healthy = late(HttpRequest)(
        url=text("http://{}:{}/health", new["address"], new["web_port"]),
        json_equals={"/version": version},
    )
    return Plan(
        name="New machine",
        blocks=[
            Block(
                name="Machine",
                sequences=[
                    Sequence(
                        name="create",
                        actions=[
                            HttpAction.action(create, name="Create", key="machine")
                        ],
                        deferred_actions=DeferredActions(
                            batches=[
                                DeferBatch(
                                    name="Remove",
                                    when=WhenDeferred.ON_UNDO,
                                    actions=[
                                        HttpAction.action(delete, name="Delete"),
                                    ],
                                )
                            ]
                        ),
                    )
                ],
            ),
            Block(
                name="Service",
                sequences=[
                    Sequence(
                        name="deploy",
                        actions=[
                            SshCopy.action(
                                late(CopyTo)(host, str(WEB / "host.py"), "~/host.py"),
                                name="Copy tools",
                            ),
                            SshCopy.action(
                                late(CopyTo)(
                                    host,
                                    str(WEB / f"v{version}"),
                                    f"~/releases/v{version}",
                                    make_parents=True,
                                ),
                                name="Copy",
                            ),
                            SshRun.action(start, name="Run"),
                            HttpAction.action(
                                healthy, name="Health", timeout=5, retries=8
                            ),
                        ],
                    )
                ],
            ),
        ],
    )
