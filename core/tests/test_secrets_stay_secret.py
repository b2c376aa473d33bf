"""A secret that a plugin tells everywhere is found nowhere (CL-3, CL-6, CL-8, WA-4)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import trio

from workstream import Plan, open_workstream
from workstream.results import WatchEvent

TOKEN = "t0ken-of-a/robot's own"
"""The value behind a ``SecretRef``: with characters that URLs and quotes change."""
PASSWORD = "passw0rd&of=another"
"""The value of a SECURE text, which the plan's definition holds by design (CL-1)."""

LEAKY = '''
import logging
from urllib.parse import quote

import attrs

from workstream import (
    SECURE,
    ActionPlugin,
    CheckPlugin,
    PluginError,
    SecretRef,
    hookimpl,
)
from workstream.plugins import RetryPolicy


@attrs.frozen
class Ask:
    token: SecretRef
    password: str = attrs.field(metadata=SECURE)


@attrs.frozen
class Inner:
    text: str


@attrs.frozen
class Told:
    text: str
    raw: bytes
    several: tuple[str, ...]
    named: dict[str, str]
    inner: Inner


async def tell(context, request):
    values = [request.token.reveal(), request.password]
    for value in values:
        context.report(f"told {value} and {quote(value, safe='')} and {value!r}")
        await context.remember(
            text=f"noted {value}", raw=b"\\xff" + value.encode(), **{f"noted {value}": 1}
        )
    both = " and ".join(values)
    told = Told(f"gave {both}", both.encode(), tuple(values), {both: both}, Inner(both))
    if context.attempt == 1:
        within = PluginError(f"within {both}")
        raise PluginError(f"raised {both}", code=3, wrapped=within, response=told)
    if context.attempt == 2:
        raise RuntimeError(request, f"burst {both}")
    if context.attempt == 3:
        raise ExceptionGroup(both, [ValueError(both), KeyError(both)])
    return told


class Tell(ActionPlugin[Ask, Told]):
    """Tell what is asked."""

    name = "leaky.tell"
    retry = RetryPolicy(initial_interval=0.001)

    async def execute(self, context, request, /):
        return await tell(context, request)


class Look(CheckPlugin[Ask, Told]):
    """Tell it while checking."""

    name = "leaky.look"
    retry = RetryPolicy(initial_interval=0.001)

    def validate(self, request, /):
        if request.password == "refuse":
            raise ValueError(request.password)

    async def execute(self, context, request, /):
        return await tell(context, request)


@hookimpl
def workstream_plugins():
    return [Tell(), Look()]
'''

PLAN = """
import os

from leaky_plugin import Ask, Look, Tell

from workstream import Block, Checks, Plan, SecretRef, Sequence
{imports}

def plan():
    ask = Ask(SecretRef("env:LEAKY_TOKEN"), os.environ["LEAKY_PASSWORD"])
    return Plan(
        name="Tell",
        pre_checks=Checks(actions=[Look.action(ask, name="Look", retries=3)]),
        blocks=[
            Block(
                name="Tier",
                tolerated_failures=3,
                sequences=[
                    Sequence(name="ends well", actions=[Tell.action(ask, name="tell", retries=3)]),
                    Sequence(name="fails", actions=[Tell.action(ask, name="tell", retries=1)]),
                    {sequences}
                ],
            )
        ],
    )
"""

COMMAND = """Sequence(
    name="command",
    actions=[
        RunCommand.action(
            Shell(
                'echo "told $T"; echo "told $T" >&2; echo "told $(cat)"; exit 3',
                env={"T": SecretRef("env:LEAKY_TOKEN")},
                stdin=SecretRef("env:LEAKY_TOKEN"),
            ),
            name="echo",
        )
    ],
),
"""


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a plan file and a plugin package that tells everything are."""
    site = tmp_path / "site"
    info = site / "leaky-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "leaky_plugin.py").write_text(LEAKY)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: leaky\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[workstream]\nleaky = leaky_plugin\n")
    monkeypatch.setattr(sys, "path", [str(site), *sys.path])
    monkeypatch.delitem(sys.modules, "leaky_plugin", raising=False)
    monkeypatch.setenv("PYTHONPATH", str(site))
    monkeypatch.setenv("WORKSTREAM_PLUGINS", "leaky,workstream-command")
    monkeypatch.setenv("WORKSTREAM_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("LEAKY_TOKEN", TOKEN)
    monkeypatch.setenv("LEAKY_PASSWORD", PASSWORD)
    return tmp_path


@pytest.fixture
def write(directory: Path) -> Callable[[bool], Path]:
    """Writes the plan, with or without a command that tells the secret."""

    def write(with_command: bool) -> Path:
        path = directory / "tell.py"
        path.write_text(
            PLAN.format(
                imports="from workstream_command import RunCommand, Shell\n"
                if with_command
                else "",
                sequences=COMMAND if with_command else "",
            )
        )
        return path

    return write


def assert_untold(text: str, secrets: Sequence[str] = (TOKEN, PASSWORD)) -> None:
    """Neither secret is in the text, nor a telling part of one."""
    for secret in secrets:
        assert secret not in text
        assert secret[:9] not in text, text[max(0, text.index(secret[:9]) - 200) :][
            :400
        ]


def stored(directory: Path) -> bytes:
    """All bytes of the store's files."""
    files = [path for path in (directory / "store").rglob("*") if path.is_file()]
    return b"".join(path.read_bytes() for path in files)


def command_line(*arguments: object) -> str:
    """What the command writes to pipes, and its log."""
    done = subprocess.run(
        [sys.executable, "-m", "workstream", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
    )
    assert done.returncode in (0, 3), done.stdout
    return done.stdout


def on_a_terminal(*arguments: object) -> str:
    """What the command draws on a terminal."""
    ours, theirs = os.openpty()
    drawn: list[bytes] = []

    def read() -> None:
        while True:
            try:
                data = os.read(ours, 65536)
            except OSError:  # so ends a terminal on Linux
                return
            if not data:
                return
            drawn.append(data)

    reader = threading.Thread(target=read)
    reader.start()
    done = subprocess.run(
        [sys.executable, "-m", "workstream", *map(str, arguments)],
        env={**os.environ, "TERM": "xterm", "COLUMNS": "400"},
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    reader.join()
    os.close(ours)
    text = b"".join(drawn).decode()
    assert done.returncode in (0, 3), text
    return text


@pytest.mark.slow
def test_the_command_line_tells_no_secret(
    directory: Path, write: Callable[[bool], Path]
) -> None:
    """Not while the plan runs, not afterwards, not as JSON, not on a terminal."""
    pytest.importorskip("workstream_command")
    path = write(True)

    told = [command_line("run", path, "--json"), command_line("run", path)]
    told.append(on_a_terminal("run", path))
    ids = [plan["id"] for plan in json.loads(command_line("list", "--json"))]
    assert len(ids) == 3
    # All three are stored alike: what shows one shows them all.
    for words in ("show", "show --json", "watch", "watch --json", "export"):
        command, *options = words.split()
        told.append(command_line(command, ids[0], *options))
    told.append(on_a_terminal("show", ids[0]))
    told.append(command_line("validate", path))
    text = "\n".join(told)

    assert_untold(text)
    for marker in ("raised [secret hidden]", "told [secret hidden]"):
        assert marker in text


@pytest.mark.slow
def test_the_store_holds_no_value_of_a_reference(
    directory: Path, write: Callable[[bool], Path]
) -> None:
    """The files of the store have everything but the value (CL-8)."""
    pytest.importorskip("workstream_command")
    command_line("run", write(True))
    data = stored(directory)

    for marker in (
        b"told [secret",
        b"noted [secret",
        b"raised [secret",
        b"env:LEAKY_TOKEN",
    ):
        assert marker in data
    assert_untold(data.decode(errors="replace"), [TOKEN])
    assert b"t0ken" not in data
    # The plan's definition holds what its author wrote, and nothing else repeats it.
    # (Old pages of the file may have it once more.)
    definition = b"\xa8password\xb3" + PASSWORD.encode()
    assert data.count(PASSWORD.encode()) == data.count(definition) >= 3


@pytest.mark.slow
def test_what_is_refused_tells_no_secret(
    directory: Path, write: Callable[[bool], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plugin's validate that quotes a secret is not quoted (V-19)."""
    monkeypatch.setenv("LEAKY_PASSWORD", "refuse")
    done = subprocess.run(
        [sys.executable, "-m", "workstream", "validate", str(write(False))],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )

    assert done.returncode == 2
    assert "[secret hidden]" in done.stdout
    assert "refuse" not in done.stdout.replace("refused", "")


def test_the_engine_tells_no_secret_to_watchers(
    directory: Path, write: Callable[[bool], Path], caplog: pytest.LogCaptureFixture
) -> None:
    """Events, lines, the plan that comes back and the log hold no resolved value (WA-4)."""
    namespace: dict[str, Callable[[], Plan]] = {}
    exec(compile(write(False).read_text(), "tell.py", "exec"), namespace)
    plan = namespace["plan"]()
    events: list[WatchEvent] = []

    async def main() -> Plan:
        async with open_workstream(directory / "store") as ws:
            plan_id = await ws.submit(plan)
            await ws.start(plan_id)
            async for event in ws.watch(plan_id):
                events.append(event)
            return await ws.wait(plan_id)

    with caplog.at_level(0):
        result = trio.run(main)

    told = "\n".join(map(repr, events))
    assert "told [secret hidden]" in told
    assert_untold(told)
    responses = [
        attempt.response
        for block in result.blocks
        for sequence in block.sequences
        for action in sequence.actions
        for attempt in action.attempts
    ]
    text = repr(
        [responses, [a.attempts for a in result.blocks[0].sequences[0].actions]]
    )
    assert "gave [secret hidden]" in text
    assert_untold(text)
    assert_untold(caplog.text)
    assert b"t0ken" not in stored(directory)
